//! Delays at random where threads meet, for tests that look for races (scripts/jitter.sh).
//!
//! Only a library built with `RUSTFLAGS="--cfg jitter"` has them.

pub use parking_lot::MutexGuard;

/// Holds the calling thread up, now and then. Async-signal-safe.
#[cfg(not(jitter))]
#[inline(always)]
pub fn jitter() {}

/// Holds the calling thread up, now and then. Async-signal-safe.
#[cfg(jitter)]
pub fn jitter() {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    // A linear congruential generator; its high bits are the random ones.
    static STATE: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);
    let step = |x: u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let drawn = STATE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
    let drawn = drawn.unwrap_or_else(|x| x) ^ u64::from(std::process::id()) << 40;
    match drawn >> 58 {
        0 => std::thread::sleep(Duration::from_micros(drawn >> 45 & 0x1fff)),
        1..6 => std::thread::yield_now(),
        _ => {}
    }
}

/// A lock of `parking_lot`.
#[derive(Debug, Default)]
pub struct Mutex<T>(parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked one.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(parking_lot::Mutex::new(value))
    }

    /// Waits until the lock is free, and takes it.
    #[inline(always)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        jitter();
        self.0.lock()
    }

    /// Takes the lock if it is free.
    #[inline(always)]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        jitter();
        self.0.try_lock()
    }
}
