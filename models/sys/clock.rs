//! A model has no time: deadlines never come.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    pub fn now() -> Time {
        Time(1)
    }

    pub fn milliseconds(self) -> u64 {
        self.0
    }

    pub fn from_milliseconds(milliseconds: u64) -> Time {
        Time(milliseconds)
    }

    pub fn after(self, span: Duration) -> Option<Time> {
        self.0.checked_add(u64::try_from(span.as_millis()).ok()?).map(Time)
    }

    pub fn until(self, later: Time) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

pub fn beat(interval: impl FnOnce() -> Option<Duration>) -> Option<Duration> {
    interval()
}
