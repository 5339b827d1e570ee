//! What wakes the owner of a loop.

use std::io;

use crate::sys::jitter::Mutex;
use crate::sys::poller::{Poller, Watch};
use crate::sys::sync::{AtomicBool, Ordering};
use crate::sys::waker::Waker;

/// The key of its events.
pub(super) const WAKER_KEY: u64 = 0;

/// A waker that a poller watches, and another one should the filter close it.
#[derive(Debug)]
pub(super) struct WakeUp {
    waker: Mutex<Waker>,
    /// The waker was lost, and another one took its place.
    lost: AtomicBool,
}

impl WakeUp {
    pub(super) fn new() -> io::Result<WakeUp> {
        Ok(WakeUp { waker: Mutex::new(Waker::new()?), lost: AtomicBool::new(false) })
    }

    /// Has the poller watch it.
    pub(super) fn watch(&self, poller: &Poller) -> io::Result<()> {
        poller.add(&*self.waker.lock(), WAKER_KEY, Watch::Level)
    }

    /// Wakes the owner; `false` if it can't be: the filter has closed our descriptors, or the system
    /// refuses.
    ///
    /// If only the waker is gone, or can't be written to, the owner gets another one, so that it can end
    /// its sessions; if it is gone, the run ends all the same, when the supervisor next looks.
    pub(super) fn wake(&self, poller: &Poller) -> bool {
        let mut waker = self.waker.lock();
        waker.wake() || self.renew(&mut waker, poller)
    }

    #[cold]
    fn renew(&self, waker: &mut Waker, poller: &Poller) -> bool {
        if !waker.is_intact() {
            self.lost.store(true, Ordering::Relaxed);
        }
        let another = || {
            let another = Waker::woken().ok().filter(|_| poller.is_intact())?;
            poller.add(&another, WAKER_KEY, Watch::Level).ok()?;
            Some(another)
        };
        let another = another();
        let woken = another.is_some();
        if let Some(another) = another {
            *waker = another;
        }
        woken
    }

    /// For the owner, that it is awake.
    pub(super) fn clear(&self) {
        self.waker.lock().clear();
    }

    /// Whether it still is, and has been all the time.
    pub(super) fn is_intact(&self) -> bool {
        self.waker.lock().is_intact() && !self.lost.load(Ordering::Relaxed)
    }
}
