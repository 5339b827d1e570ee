//! The pool: work is done once, by as many threads as may be, and nothing runs after the end.

use super::log::Log;
use super::pool::{Employer, Next, Pool};
use super::stop::Control;
use crate::sys::sync::{AtomicBool, AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("work is done, and nothing runs after the end", work_is_done_and_nothing_runs_after_the_end),
    ("work that waits for a thread gets one that another leaves", work_gets_the_place_of_another),
];

struct House {
    pool: Pool<Next>,
    control: &'static Control,
    done: AtomicUsize,
    at_once: AtomicUsize,
    over: AtomicBool,
}

fn house(limit: usize) -> Arc<House> {
    let control: &'static Control = Box::leak(Box::new(Control::new()));
    let mut running = control.claim().unwrap();
    running.prepare().unwrap();
    std::mem::forget(running);
    Arc::new(House {
        control,
        pool: Pool::new(limit, Arc::new(Log), control),
        done: AtomicUsize::default(),
        at_once: AtomicUsize::default(),
        over: AtomicBool::default(),
    })
}

impl Employer for House {
    type Work = Next;
    type Desk = ();

    fn pool(&self) -> &Pool<Next> {
        &self.pool
    }

    fn perform(self: &Arc<Self>, next: Next, (): &mut ()) -> Next {
        assert_eq!(self.at_once.fetch_add(1, Ordering::Relaxed), 0, "more threads than may be");
        assert!(!self.over.load(Ordering::Acquire), "work after the end");
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        self.done.fetch_add(1, Ordering::Release);
        // Whoever waits for it.
        self.control.wake();
        next
    }
}

impl House {
    /// As the supervisor: waits until all is done, and all threads have left.
    fn end(self: &Arc<Self>, work: usize) {
        let waker = self.control.waker().unwrap();
        while self.done.load(Ordering::Acquire) < work {
            waker.wait();
            self.reinforce();
        }
        self.pool.dismiss();
        while self.pool.live() > 0 {
            waker.wait();
        }
        self.over.store(true, Ordering::Release);
        // Nothing tells of the end of a thread; it looks again after a while.
        while self.pool.join_ended() > 0 {
            thread::yield_now();
        }
    }
}

fn work_is_done_and_nothing_runs_after_the_end() {
    let house = house(1);
    let other = Arc::clone(&house);
    let other = thread::spawn(move || other.dispatch(Next::Stay));
    house.dispatch(Next::Stay);
    other.join().unwrap();
    house.end(2);
}

fn work_gets_the_place_of_another() {
    let house = house(1);
    house.dispatch(Next::Leave);
    house.dispatch(Next::Leave);
    house.end(2);
}
