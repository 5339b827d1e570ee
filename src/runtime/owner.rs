//! The thread that owns a loop, for others to look at, and to be woken.

use super::tenure::{Seat, Tenure};
use super::wake_up::WakeUp;
use crate::sys::jitter::Mutex;
use crate::sys::poller::Poller;
use crate::sys::sync::{AtomicBool, Ordering};
use crate::sys::thread::StateView;

/// The owner of a loop.
#[derive(Debug)]
pub(super) struct Owner {
    wake_up: WakeUp,
    /// Whether there is one.
    seat: Seat,
    /// It has found that its poller is lost, and looks at the phase every now and then.
    polls: AtomicBool,
    /// Its state, where that can be seen.
    view: Mutex<Option<StateView>>,
}

impl Owner {
    /// Nobody yet; whoever it will be is woken by the poller.
    pub(super) fn new(poller: &Poller) -> std::io::Result<Owner> {
        let owner = Owner {
            wake_up: WakeUp::new()?,
            seat: Seat::default(),
            polls: AtomicBool::new(false),
            view: Mutex::new(None),
        };
        owner.wake_up.watch(poller)?;
        Ok(owner)
    }

    /// For the thread that becomes the owner.
    pub(super) fn enter(&self) {
        *self.view.lock() = StateView::own();
        self.seat.set(Tenure::Owned);
    }

    /// From now on the loop waits for another thread.
    pub(super) fn leave(&self) {
        self.seat.set(Tenure::Vacant);
    }

    /// For the supervisor, that a thread will own the loop, or that it has to do without.
    pub(super) fn expect(&self, tenure: Tenure) {
        self.seat.set(tenure);
    }

    /// Whether the loop has a thread.
    pub(super) fn tenure(&self) -> Tenure {
        self.seat.get()
    }

    /// Whether a thread owns the loop, rather than none could be had for it.
    pub(super) fn is_present(&self) -> bool {
        self.tenure() == Tenure::Owned
    }

    /// Whether it could run if the system let it, rather than waits for something.
    pub(super) fn could_run(&self) -> bool {
        self.view.lock().as_ref().is_some_and(StateView::could_run)
    }

    /// Wakes it; `false` if it can't be: the filter has closed our descriptors, or the system refuses.
    pub(super) fn wake(&self, poller: &Poller) -> bool {
        self.wake_up.wake(poller)
    }

    /// For the owner, that it is awake.
    pub(super) fn woken(&self) {
        self.wake_up.clear();
    }

    /// For the owner, whose poller is lost: from now on it looks at the phase every now and then.
    #[cold]
    pub(super) fn poll(&self) {
        self.polls.store(true, Ordering::Relaxed);
    }

    /// Whether there is one that waits and can't be woken any more.
    pub(super) fn is_unreachable(&self, poller: &Poller) -> bool {
        self.is_present() && !self.polls.load(Ordering::Relaxed) && !self.wake(poller)
    }

    /// Whether what wakes it still is, and has been all the time.
    pub(super) fn is_intact(&self) -> bool {
        self.wake_up.is_intact()
    }
}
