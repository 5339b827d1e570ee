//! Time for deadlines: cheap to read, exact to some milliseconds; it stands still while the process
//! can't run.

use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::fork_lock::{self, ForkLock};

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
        let system = system_milliseconds();
        if system > OVERDUE.load(Ordering::Acquire) {
            leave_out(system);
        }
        // Ordered after the load of `OVERDUE`: whoever sees its new value sees the new one here.
        let left = system.checked_sub(LOST.load(Ordering::Relaxed));
        Time(left.and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN))
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

/// When somebody has last looked at the clock because they had to; [`u64::MAX`] if nobody has to.
static LAST: AtomicU64 = AtomicU64::new(u64::MAX);
/// Milliseconds between two such looks. If it is more, the process did not run in between.
static ALLOWED: AtomicU64 = AtomicU64::new(u64::MAX);
/// Both together: when a look is so late that the process did not run in between.
static OVERDUE: AtomicU64 = AtomicU64::new(u64::MAX);
/// Milliseconds left out so far.
static LOST: AtomicU64 = AtomicU64::new(0);
/// Held to leave something out. Of a fork in the middle of it, at most something is left out twice.
static LEAVING_OUT: ForkLock = ForkLock::new();

/// Milliseconds on the system's clock.
fn system_milliseconds() -> u64 {
    let mut now = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is valid for writing a timespec.
    if unsafe { libc::clock_gettime(CLOCK, now.as_mut_ptr()) } != 0 {
        // The clock exists. If it can't be read all the same, time stands still.
        return match LAST.load(Ordering::Acquire) {
            u64::MAX => 0,
            last => last,
        };
    }
    // SAFETY: the call has succeeded, so it is written.
    let now = unsafe { now.assume_init() };
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

/// Leaves out the time since the last beat: it should have been followed by another.
#[cold]
fn leave_out(system: u64) {
    let _leaving = LEAVING_OUT.lock();
    leave_out_locked(system);
}

/// The same for who holds the lock.
fn leave_out_locked(system: u64) {
    // Another thread may have come first.
    let (mut last, allowed) = (LAST.load(Ordering::Relaxed), ALLOWED.load(Ordering::Relaxed));
    let gap = system.saturating_sub(last);
    if gap > allowed {
        LOST.fetch_add(gap, Ordering::Relaxed);
        last = system;
    }
    // In any case: a fork may have come before the last of these was set.
    set(last, allowed);
}

/// Sets when somebody has last looked, and what is allowed until the next look, for who holds the lock.
fn set(last: u64, allowed: u64) {
    LAST.store(last, Ordering::Relaxed);
    ALLOWED.store(allowed, Ordering::Relaxed);
    OVERDUE.store(last.saturating_add(allowed), Ordering::Release);
}

/// Takes note that a run begins in this process, which may be a forked child, before it has threads.
pub fn begin_run() {
    fork_lock::in_this_process();
}

/// Takes note that the process runs, and that somebody will say so again within `interval`, which is
/// returned.
///
/// If that is late by as much again, the time since the call before counts for nobody: the process
/// was stopped, or frozen, or its machine was. `None`: nobody will say so. Of several threads that call
/// this, the last one to find out the interval decides.
pub fn beat(interval: impl FnOnce() -> Option<Duration>) -> Option<Duration> {
    let _leaving = LEAVING_OUT.lock();
    // Under the lock: what another thread has left out meanwhile would be left out again.
    let system = system_milliseconds();
    leave_out_locked(system);
    let interval = interval();
    let span = interval.and_then(|interval| u64::try_from(interval.as_millis()).ok());
    match span {
        Some(span) => set(system, span.saturating_mul(2)),
        None => set(u64::MAX, u64::MAX),
    }
    interval
}

/// Whether somebody has said that the clock will be looked at again.
#[cfg(test)]
pub fn is_kept() -> bool {
    LAST.load(Ordering::Acquire) != u64::MAX
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
