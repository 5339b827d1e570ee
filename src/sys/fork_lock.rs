//! A lock that a forked child finds free, whoever held it in its parent.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::jitter::jitter;

/// Tries to take a lock before it is asked whose it is, and the thread gives its processor away; and before it
/// sleeps.
const TRIES: u32 = 100;
const YIELDS: u32 = 1000;

/// The process that this one is, as it was last asked: locks are taken often, and asking is a system call.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Takes note which process this is, which may be a forked child, before its threads start.
pub(super) fn in_this_process() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
}

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
        // 0 would be a lock that is free.
        let process = PROCESS.load(Ordering::Relaxed).max(1);
        let mut tries = 0;
        while !self.take(0, process) {
            tries += 1;
            if tries < TRIES {
                std::hint::spin_loop();
                continue;
            }
            let (process, holder) = (std::process::id(), self.holder.load(Ordering::Relaxed));
            if holder != process && self.take(holder, process) {
                break;
            }
            if tries < YIELDS {
                std::thread::yield_now();
            } else {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        jitter();
        Held(self)
    }

    /// Takes the lock if this is its holder.
    fn take(&self, holder: u32, process: u32) -> bool {
        // Acquire pairs with the release of whoever held it.
        let taken =
            self.holder.compare_exchange(holder, process, Ordering::Acquire, Ordering::Relaxed);
        taken.is_ok()
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
        in_this_process();
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
