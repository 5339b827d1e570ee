//! Which callbacks are slow, as far as known.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::proto::command::Command;

/// Microseconds. From this estimate on, a callback starts on a spare thread: it would hold up the
/// other sessions of its loop for longer than a loop takes to be passed on.
const SLOW: u32 = 1_000;
/// Microseconds. A longer run counts as this long, so that one of several seconds is forgotten
/// after a dozen short ones.
const SAMPLE_MAX: u32 = 16_000;
/// Weight of the past: a new sample counts for one part in this many.
const WEIGHT: u32 = 8;

/// A moving estimate of each callback's duration.
#[derive(Debug, Default)]
pub(super) struct Estimates {
    micros: [AtomicU32; Command::COUNT],
}

impl Estimates {
    fn entry(&self, command: Command) -> Option<&AtomicU32> {
        self.micros.get(command.index())
    }

    /// Whether the callback is better started on a spare thread.
    pub(super) fn is_slow(&self, command: Command) -> bool {
        // Relaxed, here and below: a guess; a lost update does no harm.
        self.entry(command).is_some_and(|e| e.load(Ordering::Relaxed) >= SLOW)
    }

    /// Takes in how long a callback took.
    pub(super) fn observe(&self, command: Command, took: Duration) {
        let sample = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).min(SAMPLE_MAX);
        if let Some(entry) = self.entry(command) {
            let old = entry.load(Ordering::Relaxed);
            entry.store(old - old / WEIGHT + sample / WEIGHT, Ordering::Relaxed);
        }
    }

    /// Takes in that a callback is blocking a loop.
    pub(super) fn blocked(&self, command: Command) {
        self.observe(command, Duration::from_micros(SAMPLE_MAX.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_run_is_remembered_for_a_while() {
        let estimates = Estimates::default();
        assert!(!estimates.is_slow(Command::Eom));
        estimates.blocked(Command::Eom);
        assert!(estimates.is_slow(Command::Eom));
        assert!(!estimates.is_slow(Command::Body));
        for _ in 0..12 {
            estimates.observe(Command::Eom, Duration::from_micros(10));
        }
        assert!(!estimates.is_slow(Command::Eom));
    }
}
