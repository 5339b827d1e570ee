//! Who owns a loop: a count of turns that two threads may try to end. And whether somebody waits for
//! a turn to begin.

use crate::sys::jitter::jitter;
use crate::sys::sync::{AtomicBool, AtomicU64, Ordering};

/// Whether the owner is in a turn, and which one: a count of turns with the lowest bit set during
/// one.
///
/// The owner begins and ends turns; the supervisor takes the loop away by ending a turn in the
/// owner's place, who notices when it tries to itself.
#[derive(Debug, Default)]
pub(super) struct Turn(AtomicU64);

impl Turn {
    pub(super) fn begin(&self) -> u64 {
        let turn = self.0.load(Ordering::Relaxed) + 1;
        // SeqCst: ordered before the look at `Parked`, as the supervisor sets that before it looks
        // here; one of the two sees the other.
        self.0.store(turn, Ordering::SeqCst);
        jitter();
        turn
    }

    /// Ends a turn; `false` if it was ended by somebody else.
    pub(super) fn end(&self, turn: u64) -> bool {
        jitter();
        // AcqRel: whoever owns the loop next sees what the one before did.
        self.0.compare_exchange(turn, turn + 1, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The present count, and whether a turn is under way.
    pub(super) fn look(&self) -> (u64, bool) {
        let turn = self.0.load(Ordering::SeqCst);
        (turn, turn & 1 == 1)
    }
}

/// Whether the supervisor sleeps until a turn begins.
#[derive(Debug, Default)]
pub(super) struct Parked(AtomicBool);

impl Parked {
    /// The supervisor is about to sleep, unless it finds a turn under way after this.
    pub(super) fn park(&self) {
        // SeqCst: see `Turn::begin`.
        self.0.store(true, Ordering::SeqCst);
    }

    /// The supervisor is awake.
    pub(super) fn unpark(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// For a thread that has begun a turn.
    #[inline]
    pub(super) fn is_parked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Whether the caller is the one to wake it.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}
