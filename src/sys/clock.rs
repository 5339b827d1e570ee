//! Time for deadlines: cheap to read, exact to some milliseconds.

use std::num::NonZeroU64;
use std::time::Duration;

/// A point in time on a clock that is never set, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(NonZeroU64);

/// The clock. On Linux the one that is a tick behind at most, as reading it takes a few
/// nanoseconds.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Milliseconds. A tick is this long at most, and a deadline rather too late than too early.
const TICK_MAX: u64 = 10;

impl Time {
    /// The time now.
    #[must_use]
    pub fn now() -> Time {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is valid for writing a timespec. The clock exists, so the call can't
        // fail; if it did, time would stand still.
        unsafe { libc::clock_gettime(CLOCK, &raw mut now) };
        Time::from_milliseconds(now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000)
    }

    /// Milliseconds since the clock began, which was before the process did.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        self.0.get()
    }

    /// The time that many milliseconds after the clock began, one at least.
    #[must_use]
    pub fn from_milliseconds(milliseconds: u64) -> Time {
        Time(NonZeroU64::new(milliseconds).unwrap_or(NonZeroU64::MIN))
    }

    /// The first time at which at least `span` has passed; `None` if that is never.
    #[must_use]
    pub fn after(self, span: Duration) -> Option<Time> {
        let span = u64::try_from(span.as_millis()).ok()?;
        self.0.checked_add(span)?.checked_add(TICK_MAX).map(Time)
    }

    /// How long it is until `later`; nothing if that has passed.
    #[must_use]
    pub fn until(self, later: Time) -> Duration {
        Duration::from_millis(later.0.get().saturating_sub(self.0.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_and_deadlines_are_not_early() {
        let (start, exact) = (Time::now(), std::time::Instant::now());
        let deadline = start.after(Duration::from_millis(20)).unwrap();
        assert!(start < deadline);
        while Time::now() < deadline {
            std::thread::yield_now();
        }
        assert!(exact.elapsed() >= Duration::from_millis(20));
        assert_eq!(start.until(deadline), Duration::from_millis(20 + TICK_MAX));
        assert_eq!(deadline.until(start), Duration::ZERO);
        assert_eq!(start.after(Duration::MAX), None);
    }
}
