//! Deadlines of the sessions in one loop.

use std::collections::TryReserveError;
use std::time::Duration;

use crate::sys::clock::Time;
use crate::sys::poller::Timeout;

/// Deadlines in a heap, the earliest first; each slot has one at most.
///
/// A deadline that has moved is not updated here: when the old one comes, the loop looks at the
/// session and sets the next. So traffic costs nothing, and idle sessions cost nothing.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// None is earlier than that of half its index, counted from 1.
    heap: Vec<Entry>,
    /// For each slot the index of its deadline in the heap, or [`NONE`].
    places: Vec<u32>,
}

/// The place of a slot without a deadline.
const NONE: u32 = u32::MAX;

/// A time, and in the lowest [`SLOT_BITS`] the slot: small, as each waiting session has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry(u64);

const SLOT_BITS: u32 = 24;

impl Entry {
    fn new(at: Time, slot: u32) -> Entry {
        // Later than 34 years after the system was started is as good as then.
        let at = at.milliseconds().min(u64::MAX >> SLOT_BITS);
        Entry(at << SLOT_BITS | u64::from(slot))
    }

    fn at(self) -> Time {
        Time::from_milliseconds(self.0 >> SLOT_BITS)
    }

    fn slot(self) -> u32 {
        self.0 as u32 & Deadlines::SLOT_MAX
    }
}

impl Deadlines {
    /// The highest slot there can be.
    pub(super) const SLOT_MAX: u32 = (1 << SLOT_BITS) - 1;

    /// Makes room for the deadline of one more slot.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn add_slot(&mut self) -> Result<(), TryReserveError> {
        self.places.try_reserve(1)?;
        self.heap.try_reserve(self.places.len() + 1 - self.heap.len())?;
        self.places.push(NONE);
        Ok(())
    }

    /// Sets the deadline of a slot that has none.
    pub(super) fn insert(&mut self, at: Time, slot: u32) {
        self.heap.push(Entry::new(at, slot));
        self.rise(self.heap.len() - 1, Entry::new(at, slot));
    }

    /// Forgets the deadline of a slot, if it has one.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(place) = self.places.get_mut(slot as usize) else { return };
        let index = std::mem::replace(place, NONE) as usize;
        if index >= self.heap.len() {
            return;
        }
        self.heap.swap_remove(index);
        if let Some(moved) = self.heap.get(index).copied() {
            self.sink(index, moved);
        }
    }

    /// The earliest deadline.
    pub(super) fn first(&self) -> Option<Time> {
        self.heap.first().map(|entry| entry.at())
    }

    /// Takes out a slot whose deadline has come.
    pub(super) fn due(&mut self, now: Time) -> Option<u32> {
        let first = self.heap.first().filter(|entry| entry.at() <= now)?.slot();
        self.remove(first);
        Some(first)
    }

    fn put(&mut self, index: usize, entry: Entry) {
        if let Some(room) = self.heap.get_mut(index) {
            *room = entry;
        }
        if let Some(place) = self.places.get_mut(entry.slot() as usize) {
            *place = index as u32;
        }
    }

    /// Puts an entry at an index or, as far as it is earlier than those there, above.
    fn rise(&mut self, mut index: usize, entry: Entry) {
        while let Some(above) = index.checked_sub(1).map(|below| below / 2) {
            let Some(later) = self.heap.get(above).copied().filter(|other| *other > entry) else {
                break;
            };
            self.put(index, later);
            index = above;
        }
        self.put(index, entry);
    }

    /// Puts an entry at an index or, as far as it is later than those there, below; or above.
    fn sink(&mut self, mut index: usize, entry: Entry) {
        let two = |index| index * 2 + 1..index * 2 + 3;
        let earliest = |heap: &[Entry], index| {
            let below = two(index).filter_map(|n| heap.get(n).map(|entry| (*entry, n)));
            below.min().filter(|(other, _)| *other < entry)
        };
        while let Some((earlier, below)) = earliest(&self.heap, index) {
            self.put(index, earlier);
            index = below;
        }
        self.rise(index, entry);
    }
}

/// How much later than it should a loop may find that a deadline has come, at most.
const SLACK: Duration = Duration::from_secs(1);
/// The same as a share of the time left: one part in this many.
const SLACK_SHARE: u32 = 16;

/// When a loop has to look at its deadlines, and how long it may wait for events until then.
///
/// The time left is worked out now and then only: a busy loop waits thousands of times a second.
#[derive(Debug)]
pub(super) struct Alarm {
    at: Option<Time>,
    /// For as long as it is near enough, how long to wait.
    timeout: Timeout,
    /// When something is to be done at the latest: wait for less, or look at the deadlines.
    next: Option<Time>,
}

impl Alarm {
    /// An alarm that is due.
    pub(super) fn new(now: Time) -> Alarm {
        Alarm { at: Some(now), timeout: Timeout::NONE, next: Some(now) }
    }

    /// Sets the time; `None` for never.
    pub(super) fn set(&mut self, at: Option<Time>, now: Time) {
        self.at = at;
        self.update(now);
    }

    fn update(&mut self, now: Time) {
        let left = self.at.map(|at| now.until(at));
        self.timeout = Timeout::new(left);
        self.next = self.at.and_then(|at| {
            let good_until = now.after(SLACK.min(now.until(at) / SLACK_SHARE));
            good_until.map(|good_until| good_until.min(at))
        });
    }

    /// Whether it is time to look at the deadlines.
    #[inline]
    pub(super) fn is_due(&mut self, now: Time) -> bool {
        self.next.is_some_and(|next| next <= now) && self.rings(now)
    }

    #[cold]
    fn rings(&mut self, now: Time) -> bool {
        self.update(now);
        self.at.is_some_and(|at| at <= now)
    }

    /// How long to wait, as of the last call of another method.
    pub(super) fn timeout(&self) -> &Timeout {
        &self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn has(deadlines: &Deadlines, slot: u32) -> bool {
        deadlines.places[slot as usize] != NONE
    }

    fn with_slots(count: usize) -> Deadlines {
        let mut deadlines = Deadlines::default();
        (0..count).for_each(|_| deadlines.add_slot().unwrap());
        deadlines
    }

    #[test]
    fn an_alarm_rings_in_time_and_waits_for_less_and_less() {
        let start = Time::now();
        let mut alarm = Alarm::new(start);
        assert!(alarm.is_due(start));
        let at = |ms| start.after(Duration::from_millis(ms)).unwrap();
        let wait = |ms| Timeout::new(Some(start.until(at(ms))));
        alarm.set(Some(at(16_000)), start);
        assert_eq!(*alarm.timeout(), wait(16_000));
        assert!(!alarm.is_due(at(900)));
        assert_eq!(*alarm.timeout(), wait(16_000), "late by less than the slack");
        assert!(!alarm.is_due(at(1000)));
        assert_eq!(*alarm.timeout(), Timeout::new(Some(Duration::from_secs(15))));
        assert!(!alarm.is_due(at(15_999)) && alarm.is_due(at(16_000)));
        alarm.set(None, start);
        assert_eq!(*alarm.timeout(), Timeout::NONE);
        assert!(!alarm.is_due(at(20_000)));
    }

    #[test]
    fn deadlines_come_in_order() {
        let start = Time::now();
        let at = |seconds| start.after(Duration::from_secs(seconds)).unwrap();
        let mut deadlines = with_slots(4);
        for (seconds, slot) in [(3, 1), (1, 2), (2, 3)] {
            deadlines.insert(at(seconds), slot);
        }
        deadlines.remove(3);
        assert_eq!([0, 1, 2, 3].map(|slot| has(&deadlines, slot)), [false, true, true, false]);
        deadlines.remove(3);
        assert_eq!(deadlines.due(start), None);
        assert_eq!([deadlines.due(at(5)), deadlines.due(at(5))], [Some(2), Some(1)]);
        assert_eq!(deadlines.due(at(5)), None);
        assert!(!has(&deadlines, 1) && !has(&deadlines, 2));
        // Too late for an entry, by a millisecond: that must not make it early.
        let far = Time::from_milliseconds(1 << (u64::BITS - SLOT_BITS));
        assert_eq!(Entry::new(far, Deadlines::SLOT_MAX), Entry(u64::MAX));
        deadlines.insert(far, 3);
        deadlines.insert(at(86_400), 0);
        assert_eq!(deadlines.first(), Some(at(86_400)));
        assert_eq!([deadlines.due(at(86_400)), deadlines.due(at(86_400))], [Some(0), None]);
        deadlines.remove(3);
        assert_eq!(deadlines.first(), None);
    }

    proptest! {
        /// As in a sorted set, whatever is inserted, removed and due in which order.
        #[test]
        fn the_heap_is_in_order(
            steps in proptest::collection::vec((0u32..40, 1u64..1000, 0..4), 0..200),
        ) {
            let mut deadlines = with_slots(40);
            let mut sorted = std::collections::BTreeSet::new();
            for (slot, at, what) in steps {
                let held = sorted.iter().copied().find(|(_, other)| *other == slot);
                prop_assert_eq!(has(&deadlines, slot), held.is_some());
                match (what, held) {
                    (0, _) => {
                        let due = sorted.first().copied().filter(|(first, _)| *first <= at);
                        let slot = deadlines.due(Time::from_milliseconds(at));
                        prop_assert_eq!(slot, due.map(|(_, slot)| slot));
                        due.map(|due| sorted.remove(&due));
                    }
                    (_, Some(held)) => {
                        deadlines.remove(slot);
                        sorted.remove(&held);
                    }
                    (_, None) => {
                        deadlines.insert(Time::from_milliseconds(at), slot);
                        sorted.insert((at, slot));
                    }
                }
                let first = sorted.first().map(|(at, _)| Time::from_milliseconds(*at));
                prop_assert_eq!(deadlines.first(), first);
            }
        }
    }
}
