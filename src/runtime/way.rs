//! How the way to an MTA is.

use std::sync::atomic::{AtomicU8, Ordering};

/// How the way to the MTA is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Way {
    /// There is room, as far as is known.
    Free = 0,
    /// The MTA has not taken all it was sent, or others go first. Nothing more is read from it until there
    /// is room.
    Full = 1,
    /// A callback waits for the MTA to take something.
    Awaited = 2,
    /// A write has failed; the connection is of no use any more.
    Broken = 3,
}

/// The way to one MTA, for whoever looks on.
#[derive(Debug)]
pub(super) struct AtomicWay(AtomicU8);

impl Default for AtomicWay {
    fn default() -> AtomicWay {
        AtomicWay(AtomicU8::new(Way::Free as u8))
    }
}

impl AtomicWay {
    #[inline]
    pub(super) fn is(&self, way: Way) -> bool {
        // Relaxed: the session's thread reads what it has written itself; for others it is the lock of
        // what is held back that orders it, or a matter of log lines.
        self.0.load(Ordering::Relaxed) == way as u8
    }

    pub(super) fn set(&self, way: Way) {
        self.0.store(way as u8, Ordering::Relaxed);
    }
}
