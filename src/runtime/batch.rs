//! What an owner's last wait has found, and what of it is still to be served.

use crate::sys::poller::{Events, Ready};

/// The events of a loop. They are told once, so they stay with the loop when its owner changes.
#[derive(Default)]
pub(super) struct Batch {
    events: Events,
    /// How many of them have been served.
    served: usize,
    /// Served, but with something left to be received: to be served again after the next wait, so that
    /// nobody who sends without end keeps others from their turns.
    again: Vec<Ready>,
    /// What was to be served again when the events came.
    rest: Vec<Ready>,
}

impl Batch {
    /// The next one to serve.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Ready> {
        let ready = self.events.get(self.served);
        self.served += usize::from(ready.is_some());
        ready.or_else(|| self.rest.pop())
    }

    /// Takes note of one that is to be served again.
    #[cold]
    pub(super) fn again(&mut self, ready: Ready) {
        self.again.push(ready);
    }

    /// Whether the next wait is not to wait, since there is something to serve again.
    pub(super) fn is_pending(&self) -> bool {
        !self.again.is_empty()
    }

    /// Takes in what a wait has found, when all before has been served.
    pub(super) fn refill(&mut self, found: &mut Events) {
        std::mem::swap(&mut self.events, found);
        self.served = 0;
        self.rest.append(&mut self.again);
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("served", &self.served).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poller::{Poller, Timeout, Watch};
    use crate::sys::waker::Waker;

    #[test]
    fn what_is_left_is_served_after_the_next_wait() {
        let poller = Poller::new().unwrap();
        let wakers = [Waker::new().unwrap(), Waker::new().unwrap()];
        for (key, waker) in (0..).zip(&wakers) {
            poller.add(waker, key, Watch::Edge).unwrap();
            waker.wake();
        }
        let (mut batch, mut room) = (Batch::default(), Events::default());
        assert_eq!(batch.next(), None);
        poller.wait(&mut room, &Timeout::NOW).unwrap();
        batch.refill(&mut room);
        let first = batch.next().unwrap();
        batch.again(first);
        assert!(batch.is_pending());
        assert_ne!(batch.next().map(|ready| ready.key), Some(first.key));
        assert_eq!(batch.next(), None, "not before others had a chance to be found");
        poller.wait(&mut room, &Timeout::NOW).unwrap();
        batch.refill(&mut room);
        assert!(!batch.is_pending());
        assert_eq!([batch.next(), batch.next()], [Some(first), None]);
    }
}
