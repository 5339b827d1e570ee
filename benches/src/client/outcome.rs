//! What a run has measured.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies of one run, and how evenly its connections were served.
#[derive(Debug)]
pub struct Outcome {
    /// From the write of a command to its complete reply, in nanoseconds.
    pub commands: Histogram<u64>,
    /// From connecting, or from MAIL on a connection in use, to the verdict, in nanoseconds.
    pub messages: Histogram<u64>,
    /// The same for the end of a message, which is answered with changes.
    pub ends: Histogram<u64>,
    /// The longest wait for a reply, waits that have not ended included.
    pub longest: Duration,
    /// Messages of each connection.
    pub each: Vec<u64>,
}

impl Outcome {
    pub(super) fn new() -> Outcome {
        Outcome {
            commands: histogram(),
            messages: histogram(),
            ends: histogram(),
            longest: Duration::ZERO,
            each: Vec::new(),
        }
    }

    pub(super) fn merge(&mut self, other: Outcome) {
        // Both were made by `histogram`, so one has room for the other.
        let _fits = self.commands.add(&other.commands);
        let _fits = self.messages.add(&other.messages);
        let _fits = self.ends.add(&other.ends);
        self.longest = self.longest.max(other.longest);
        self.each.extend(other.each);
    }

    /// Connections that finished no message while recording.
    pub fn starved(&self) -> usize {
        self.each.iter().filter(|n| **n == 0).count()
    }

    /// A quantile of the commands' latencies in microseconds; if no command was answered, how long
    /// one has waited.
    pub fn command(&self, quantile: f64) -> f64 {
        match self.commands.is_empty() {
            true => self.longest.as_secs_f64() * 1e6,
            false => micros(&self.commands, quantile),
        }
    }

    /// A quantile of the latencies of all commands but the ends of messages, in microseconds.
    pub fn before_end(&self, quantile: f64) -> f64 {
        let mut commands = self.commands.clone();
        // The ends were recorded among them.
        let _subtracted = commands.subtract(&self.ends);
        micros(&commands, quantile)
    }
}

/// Nanoseconds from 1 µs to 60 s, to 1 %.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 2).expect("constant bounds are valid")
}

/// A quantile in microseconds.
pub fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_messages_can_be_left_out() {
        let mut outcome = Outcome::new();
        for _ in 0..9 {
            outcome.commands.saturating_record(20_000);
        }
        outcome.commands.saturating_record(50_000_000);
        outcome.ends.saturating_record(50_000_000);
        assert!(outcome.command(0.99) > 49_000.0);
        assert!((19.0..21.0).contains(&outcome.before_end(0.99)), "{}", outcome.before_end(0.99));
    }
}
