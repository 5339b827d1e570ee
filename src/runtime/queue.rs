//! A queue from which threads take what others put in, each thing once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Condvar;

use crate::sys::jitter::Mutex;

/// Things for any of the threads that wait for them, the oldest first.
#[derive(Debug)]
pub(super) struct Queue<T> {
    things: Mutex<VecDeque<T>>,
    /// Notified once for each thing.
    more: Condvar,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Queue<T> {
        Queue { things: Mutex::new(VecDeque::new()), more: Condvar::new() }
    }

    /// Hands something to a thread that waits, or to the next that does.
    pub(super) fn put(&self, thing: T) {
        self.things.lock().push_back(thing);
        self.more.notify_one();
    }

    /// Waits for something; `None` if nothing has come in `time`.
    pub(super) fn take(&self, time: Duration) -> Option<T> {
        let end = Instant::now() + time;
        let mut things = self.things.lock();
        loop {
            if let Some(thing) = things.pop_front() {
                return Some(thing);
            }
            if self.more.wait_until(&mut things, end).timed_out() {
                // What came at this moment may have been notified to a thread that has left.
                return things.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::Queue;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn each_thing_is_taken_once_and_in_order() {
        let queue = Queue::new();
        (0..3).for_each(|thing| queue.put(thing));
        let taken = [(); 4].map(|()| queue.take(Duration::ZERO));
        assert_eq!(taken, [Some(0), Some(1), Some(2), None]);
    }

    #[test]
    fn nothing_put_in_is_lost_between_many_threads() {
        let queue = Arc::new(Queue::new());
        let takers = [(); 4].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let mut sum = 0_u64;
                while let Some(thing @ 1..) = queue.take(LONG) {
                    sum += thing;
                }
                sum
            })
        });
        (1..=1000).for_each(|thing| queue.put(thing));
        (0..4).for_each(|_| queue.put(0));
        let sum: u64 =
            takers.into_iter().map(|taker| taker.join().expect("a taker panicked")).sum();
        assert_eq!(sum, 500_500);
    }
}
