//! What a session that has a slot is known by.

use crate::sys::poller::KEY_BITS;

/// Entries that can be told apart.
pub(super) const ENTRIES: u32 = u32::MAX >> 1;
/// Whether a key has room for one beside the slot.
const COUNTED: bool = KEY_BITS >= 32 + ENTRIES.count_ones();

/// What a session in a slot is watched as: the number of the slot, and above that its entry where there is
/// room for it. So what is told late of the session before is not taken for news of this one.
pub(super) fn watched_as(slot: u32, entry: u32) -> u64 {
    let entry = if COUNTED { u64::from(entry) << 32 } else { 0 };
    entry | u64::from(slot)
}

/// Whether what is `watched` is that entry of its slot, as far as it can be told.
#[inline]
pub(super) fn is_entry(watched: u64, entry: u32) -> bool {
    !COUNTED || (watched >> 32) as u32 == entry
}

/// The slot that a session was given, until it has arrived.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Ticket {
    pub(in super::super) slot: u32,
    /// Its socket is to be watched for room.
    pub(in super::super) full: bool,
    pub(super) entry: u32,
}

impl Ticket {
    /// What its session is watched as.
    pub(in super::super) fn watched_as(self) -> u64 {
        watched_as(self.slot, self.entry)
    }
}
