//! What an owner's last wait has told of, and what of it is still to be served.

use crate::sys::poller::{BATCH, Events, Ready};
use crate::sys::sync::{AtomicU64, AtomicUsize, Ordering};

/// What is ready in a loop, in the order in which the system told of it. It tells once; so this is the
/// loop's, and whoever owns it next goes on with what is left.
///
/// For the owner only. All accesses are relaxed: what hands the loop over, the end of a turn or a change of
/// tenure, hands this over as well.
#[derive(Debug)]
pub(super) struct Batch {
    /// Those that are left, the next one last.
    ready: [AtomicU64; BATCH],
    left: AtomicUsize,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch { ready: [(); BATCH].map(|()| AtomicU64::new(0)), left: AtomicUsize::new(0) }
    }
}

impl Batch {
    /// Takes in what a wait has told of, when nothing is left of the one before, and gives the first.
    #[inline]
    pub(super) fn fill(&self, events: &Events) -> Option<Ready> {
        let mut found = events.ready();
        let first = found.next();
        if found.len() > 0 {
            self.keep(found);
        }
        first
    }

    fn keep(&self, found: impl DoubleEndedIterator<Item = Ready> + ExactSizeIterator) {
        self.left.store(found.len(), Ordering::Relaxed);
        for (place, ready) in self.ready.iter().zip(found.rev()) {
            place.store(ready.0, Ordering::Relaxed);
        }
    }

    /// The next one.
    #[inline]
    pub(super) fn next(&self) -> Option<Ready> {
        let left = self.left.load(Ordering::Relaxed).checked_sub(1)?;
        self.left.store(left, Ordering::Relaxed);
        Some(Ready(self.ready.get(left)?.load(Ordering::Relaxed)))
    }

    /// The next one, if its key is that or higher. Not what [`Batch::next`] is made of: a message would take
    /// 300 instructions more.
    #[inline]
    pub(super) fn next_from(&self, key: u64) -> Option<Ready> {
        let left = self.left.load(Ordering::Relaxed).checked_sub(1)?;
        let ready = Ready(self.ready.get(left)?.load(Ordering::Relaxed));
        if ready.key() < key {
            return None;
        }
        self.left.store(left, Ordering::Relaxed);
        Some(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poller::{Poller, Timeout, Watch};
    use crate::sys::waker::Waker;
    use std::time::Duration;

    #[test]
    fn events_are_served_in_the_order_in_which_the_system_tells_of_them() {
        let poller = Poller::new().unwrap();
        let wakers = [(); 3].map(|()| Waker::new().unwrap());
        let (batch, mut events) = (Batch::default(), Events::default());
        for (key, waker) in (0..).zip(&wakers) {
            poller.add(waker, key, Watch::Level).unwrap();
            waker.wake();
            poller.wait(&mut events, &Timeout::new(Some(Duration::ZERO))).unwrap();
            let found: Vec<_> = events.ready().collect();
            assert_eq!(found.len() as u64, key + 1);
            assert_eq!(batch.next(), None);
            let first = batch.fill(&events);
            // Which is asked for by its key, or whatever it is.
            let mut from = 0..;
            let rest = std::iter::from_fn(|| {
                assert_eq!(batch.next_from(key + 1), None, "it stays");
                batch.next_from(from.next()? + 1)
            });
            assert_eq!(first.into_iter().chain(rest).collect::<Vec<_>>(), found);
        }
    }
}
