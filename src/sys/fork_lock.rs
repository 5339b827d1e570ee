//! A lock that a forked child finds free, whoever held it in its parent.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::jitter::jitter;

/// Tries to take a lock before the thread gives its processor away, and before it sleeps.
const TRIES: u32 = 100;

/// A lock for a few instructions on what is consistent after each of them.
///
/// A filter may fork in a callback and serve in the child, where a thread of its parent that held a lock of
/// another kind would hold it for ever.
#[derive(Debug)]
pub(super) struct ForkLock {
    /// The process that holds it, or 0.
    holder: AtomicU32,
}

impl ForkLock {
    /// One that is free.
    pub(super) const fn new() -> ForkLock {
        ForkLock { holder: AtomicU32::new(0) }
    }

    /// Waits until the lock is free, and takes it.
    pub(super) fn lock(&self) -> Held<'_> {
        let process = std::process::id();
        let take = |holder| (holder != process).then_some(process);
        let mut tries = 0;
        // Acquire pairs with the release of whoever held it.
        while self.holder.fetch_update(Ordering::Acquire, Ordering::Relaxed, take).is_err() {
            tries += 1;
            match tries {
                0..TRIES => std::hint::spin_loop(),
                TRIES..=1000 => std::thread::yield_now(),
                _ => std::thread::sleep(Duration::from_micros(50)),
            }
        }
        jitter();
        Held(self)
    }
}

/// Holds a lock until dropped.
#[derive(Debug)]
pub(super) struct Held<'a>(&'a ForkLock);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.holder.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_by_one_thread_at_a_time() {
        static LOCK: ForkLock = ForkLock::new();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let _held = LOCK.lock();
                        let count = COUNT.load(Ordering::Relaxed);
                        std::thread::yield_now();
                        COUNT.store(count + 1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(COUNT.load(Ordering::Relaxed), 4000);
        assert_eq!(LOCK.holder.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn it_is_free_in_a_child_of_the_process_that_holds_it() {
        let lock = ForkLock { holder: AtomicU32::new(std::process::id() + 1) };
        drop(lock.lock());
        assert_eq!(lock.holder.load(Ordering::Relaxed), 0);
    }
}
