//! Deadlines of the sessions in one loop.

use std::collections::BTreeSet;
use std::time::Instant;

/// Deadlines in order of time; each slot has one at most.
///
/// A deadline that has moved is not updated here: when the old one comes, the loop looks at the
/// session and sets the next. So traffic costs nothing, and idle sessions cost nothing.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    entries: BTreeSet<(Instant, u32)>,
}

impl Deadlines {
    pub(super) fn insert(&mut self, at: Instant, slot: u32) {
        self.entries.insert((at, slot));
    }

    pub(super) fn remove(&mut self, at: Instant, slot: u32) {
        self.entries.remove(&(at, slot));
    }

    /// The earliest deadline.
    pub(super) fn first(&self) -> Option<Instant> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// Takes out a slot whose deadline has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<u32> {
        self.first().filter(|at| *at <= now)?;
        self.entries.pop_first().map(|(_, slot)| slot)
    }
}
