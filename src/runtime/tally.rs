//! What the sessions of a run have come to, in numbers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::histogram::{Histogram, Lengths};
use crate::proto::command::Command;

/// Parts at most: each session counts in one of them, so that threads seldom write to the same place.
const PARTS_MAX: usize = 16;

macro_rules! labels {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $label:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum $name { $($(#[$what])* $variant,)* }

        impl $name {
            /// All of them, in order.
            pub(super) const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// All of them with their labels, which are one text: a pointer to each would have to be
            /// relocated whenever a program starts.
            pub(super) fn labelled() -> impl Iterator<Item = ($name, &'static str)> {
                let labels = concat!($($label, " ",)*);
                $name::ALL.iter().copied().zip(labels.split_ascii_whitespace())
            }
        }
    };
}

labels! {
    /// What an MTA was replied.
    Verdict {
        Continue = "continue",
        Accept = "accept",
        Reject = "reject",
        Tempfail = "tempfail",
        Discard = "discard",
        Skip = "skip",
    }
}

labels! {
    /// What became of a message.
    Fate {
        Accepted = "accepted",
        Rejected = "rejected",
        Tempfailed = "tempfailed",
        Discarded = "discarded",
        /// The MTA gave it up, or its session has ended.
        Aborted = "aborted",
    }
}

labels! {
    /// Why a session has ended.
    Ending {
        Quit = "quit",
        HungUp = "hung_up",
        LostInMessage = "lost_in_message",
        Stop = "stop",
        ReadTimeout = "read_timeout",
        WriteTimeout = "write_timeout",
        ReadError = "read_error",
        WriteError = "write_error",
        NotMilter = "not_milter_protocol",
        Negotiation = "negotiation_failed",
        BadCommand = "bad_command",
        ReplyTooLong = "reply_too_long",
        ThreadEnded = "callback_ended_thread",
        NoMemory = "no_memory",
        Internal = "internal_error",
        /// What it kept was over a limit, or it could not be watched.
        Other = "other",
    }
}

labels! {
    /// Why a connection has not become a session, or one was closed.
    Refusal {
        Sessions = "max_sessions",
        Peer = "max_sessions_per_peer",
        Bytes = "max_session_bytes",
        NoMemory = "no_memory",
        /// `accept` has failed for want of descriptors or memory, and connections waited.
        Exhausted = "accept_failed",
    }
}

/// Numbers of some of a run's sessions; relaxed, see [`Histogram`].
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Part {
    pub(super) callbacks: [Histogram; Command::COUNT],
    pub(super) verdicts: [[AtomicU64; Verdict::ALL.len()]; Command::COUNT],
    pub(super) begun: AtomicU64,
    pub(super) fates: [AtomicU64; Fate::ALL.len()],
    pub(super) endings: [AtomicU64; Ending::ALL.len()],
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
}

/// The numbers of a run.
#[derive(Debug)]
pub(super) struct Tally {
    parts: Vec<Part>,
    refusals: [AtomicU64; Refusal::ALL.len()],
    /// When the run has begun, since the beginning of Unix time.
    pub(super) start: Duration,
    /// Sessions may end since the run does.
    stopping: AtomicBool,
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// One more of something.
pub(super) fn count(counter: Option<&AtomicU64>) {
    add(counter, 1);
}

/// So many more of something.
pub(super) fn add(counter: Option<&AtomicU64>, more: u64) {
    if let Some(counter) = counter {
        counter.fetch_add(more, Ordering::Relaxed);
    }
}

impl Tally {
    /// Of a run that begins now.
    pub(super) fn new() -> Tally {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Tally::of(cores.min(PARTS_MAX))
    }

    /// In so many parts.
    pub(super) fn of(parts: usize) -> Tally {
        let parts = (0..parts).map(|_| Part::default()).collect();
        let stopping = AtomicBool::new(false);
        Tally { parts, refusals: Default::default(), stopping, start: unix_time() }
    }

    /// Where a session counts.
    pub(super) fn part(&self, session: u64) -> Option<&Part> {
        let parts = self.parts.len() as u64;
        self.parts.get(session.checked_rem(parts)? as usize)
    }

    /// Takes note that the run has been asked to stop.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Takes note of a connection that becomes no session.
    #[cold]
    pub(super) fn refuse(&self, why: Refusal) {
        count(self.refusals.get(why as usize));
    }

    /// What was refused, by reason.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let counts = self.refusals.iter().map(|count| count.load(Ordering::Relaxed));
        Refusal::labelled().map(|(_, label)| label).zip(counts)
    }

    /// A number that all parts have.
    pub(super) fn sum<'a>(&'a self, one: impl Fn(&'a Part) -> Option<&'a AtomicU64>) -> u64 {
        let counts = self.parts.iter().filter_map(one).map(|count| count.load(Ordering::Relaxed));
        counts.fold(0, u64::wrapping_add)
    }

    /// How long the callbacks of a command took.
    pub(super) fn lengths(&self, command: Command) -> Lengths {
        let mut lengths = Lengths::default();
        let histograms = self.parts.iter().filter_map(|part| part.callbacks.get(command.index()));
        histograms.for_each(|histogram| lengths.add(histogram));
        lengths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_count_together() {
        let tally = Tally::of(3);
        for session in 1..=10 {
            let part = tally.part(session).unwrap();
            count(part.endings.get(Ending::Quit as usize));
            part.callbacks[Command::Eom.index()].observe(Duration::ZERO);
        }
        assert_eq!(tally.sum(|part| part.endings.get(Ending::Quit as usize)), 10);
        assert_eq!(tally.sum(|part| part.endings.get(Ending::Stop as usize)), 0);
        assert_eq!(tally.lengths(Command::Eom).buckets[0], 10);
        tally.refuse(Refusal::Peer);
        assert_eq!(tally.refused().nth(1), Some(("max_sessions_per_peer", 1)));
    }

    #[test]
    fn labels_stand_at_their_numbers() {
        for (n, (verdict, _)) in Verdict::labelled().enumerate() {
            assert_eq!(verdict as usize, n);
        }
        for (n, (ending, _)) in Ending::labelled().enumerate() {
            assert_eq!(ending as usize, n);
        }
        let counts = [Verdict::labelled().count(), Ending::labelled().count()];
        assert_eq!(counts, [Verdict::ALL.len(), Ending::ALL.len()]);
    }
}
