//! Whether a loop has a thread.

use crate::sys::sync::{AtomicU8, Ordering};

/// How a loop stands with threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Tenure {
    /// A thread owns it.
    Owned = 0,
    /// A thread is about to.
    Promised = 1,
    /// It has none, and its sessions wait for one.
    Vacant = 2,
    /// It has none, and no sessions either.
    Parked = 3,
}

/// The tenure of one loop.
///
/// The supervisor gives a loop a thread, takes it away and parks the loop; a thread takes on what it
/// was promised, and leaves what it owns. So each step but these two is the supervisor's.
#[derive(Debug)]
pub(super) struct Seat(AtomicU8);

impl Default for Seat {
    fn default() -> Seat {
        Seat(AtomicU8::new(Tenure::Vacant as u8))
    }
}

impl Seat {
    pub(super) fn get(&self) -> Tenure {
        // SeqCst: a thread that becomes free looks for vacant loops after it has said so, and the
        // supervisor for free threads after a loop has become vacant; one of the two sees the other.
        match self.0.load(Ordering::SeqCst) {
            0 => Tenure::Owned,
            1 => Tenure::Promised,
            2 => Tenure::Vacant,
            _ => Tenure::Parked,
        }
    }

    pub(super) fn set(&self, tenure: Tenure) {
        self.0.store(tenure as u8, Ordering::SeqCst);
    }
}
