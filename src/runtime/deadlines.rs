//! Deadlines of the sessions in one loop.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

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

/// How much later than it should a loop may find that a deadline has come, at most.
const SLACK: Duration = Duration::from_secs(1);
/// The same as a share of the time left: one part in this many.
const SLACK_SHARE: u32 = 16;

/// When a loop has to look at its deadlines, and how long it may wait for events until then.
///
/// The time left is worked out now and then only: a busy loop waits thousands of times a second.
#[derive(Debug)]
pub(super) struct Alarm {
    at: Option<Instant>,
    timeout: Option<Duration>,
    /// Until then, `timeout` is near enough.
    good_until: Instant,
}

impl Alarm {
    /// An alarm that is due.
    pub(super) fn new(now: Instant) -> Alarm {
        Alarm { at: Some(now), timeout: None, good_until: now }
    }

    /// Sets the time; `None` for never.
    pub(super) fn set(&mut self, at: Option<Instant>) {
        self.at = at;
        self.timeout = None;
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| at <= now)
    }

    /// How long to wait; `None` for ever.
    pub(super) fn timeout(&mut self, now: Instant) -> Option<Duration> {
        let at = self.at?;
        match self.timeout {
            Some(timeout) if now < self.good_until => Some(timeout),
            _ => {
                let left = at.saturating_duration_since(now);
                self.good_until = now + SLACK.min(left / SLACK_SHARE);
                self.timeout = Some(left);
                Some(left)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_late_by_its_slack_at_most() {
        let start = Instant::now();
        let mut alarm = Alarm::new(start);
        assert!(alarm.is_due(start));
        alarm.set(Some(start + Duration::from_secs(16)));
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(alarm.timeout(start), Some(Duration::from_secs(16)));
        assert_eq!(alarm.timeout(at(999)), Some(Duration::from_secs(16)));
        assert_eq!(alarm.timeout(at(1000)), Some(Duration::from_secs(15)));
        assert!(!alarm.is_due(at(15_999)) && alarm.is_due(at(16_000)));
        alarm.set(None);
        assert_eq!(alarm.timeout(at(1000)), None);
    }

    #[test]
    fn deadlines_come_in_order() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        for (seconds, slot) in [(3, 1), (1, 2), (2, 3)] {
            deadlines.insert(start + Duration::from_secs(seconds), slot);
        }
        deadlines.remove(start + Duration::from_secs(2), 3);
        assert_eq!(deadlines.due(start), None);
        let later = start + Duration::from_secs(5);
        assert_eq!([deadlines.due(later), deadlines.due(later)], [Some(2), Some(1)]);
        assert_eq!(deadlines.due(later), None);
    }
}
