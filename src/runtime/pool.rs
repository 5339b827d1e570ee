//! Threads: as many as there is work that must not wait, and no more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::crew::Crew;
use super::log::Log;
use super::stop::Control;
use crate::sys::jitter::Mutex;
use crate::sys::log::Priority;
use crate::sys::queue::{Receiver, RecvTimeoutError, Sender, unbounded};
use crate::sys::thread::{self, Thread, spawn};

/// How long a thread without work stays.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// What a thread is sent.
#[derive(Debug)]
enum Order<W> {
    Do(W),
    /// To leave the pool.
    Leave,
}

/// What a thread does after work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Waits for more.
    Stay,
    /// Ends; another thread takes on what waits.
    Leave,
}

/// The threads that do the work of one kind.
#[derive(Debug)]
pub(super) struct Pool<W> {
    sender: Sender<Order<W>>,
    receiver: Receiver<Order<W>>,
    crew: Mutex<Crew>,
    /// Threads that run what the filter has registered for their end, which may take long.
    ending: Mutex<Vec<Thread>>,
    limit: usize,
    log: Arc<Log>,
    /// Woken when a thread ends.
    control: &'static Control,
}

impl<W> Pool<W> {
    /// A pool of `limit` threads at most.
    pub(super) fn new(limit: usize, log: Arc<Log>, control: &'static Control) -> Pool<W> {
        let (sender, receiver) = unbounded();
        let (crew, ending) = (Mutex::default(), Mutex::default());
        Pool { sender, receiver, crew, ending, limit, log, control }
    }

    /// Threads that exist.
    pub(super) fn live(&self) -> usize {
        self.crew.lock().live
    }

    /// Threads that exist, those that wait for work, and work that none has taken yet.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let crew = self.crew.lock();
        (crew.live, crew.idle, crew.queued)
    }

    /// Whether work is queued that no thread is free for.
    pub(super) fn is_short(&self) -> bool {
        self.crew.lock().is_short()
    }

    /// Lets all threads end: those that wait for work at once, others when they have done theirs.
    pub(super) fn dismiss(&self) {
        let mut crew = self.crew.lock();
        crew.dismissed = true;
        for _ in 0..crew.live {
            crew.queued += 1;
            // The receiver lives as long as the pool.
            let _sent = self.sender.send(Order::Leave);
        }
    }

    /// Joins the threads that have ended; how many are about to.
    pub(super) fn join_ended(&self) -> usize {
        let mut ending = self.ending.lock();
        {
            let mut crew = self.crew.lock();
            if ending.is_empty() && crew.leaving() == 0 {
                return 0;
            }
            ending.append(&mut crew.take_leaving());
        }
        *ending = ending.drain(..).filter_map(|thread| thread.try_join().err()).collect();
        // Looked at last: one that has just been joined may have started another, and entered its handle.
        ending.len() + self.crew.lock().leaving()
    }

    /// Waits for work; `None` when it is time to end. The thread is counted as idle already.
    fn next(&self, number: u64) -> Option<W> {
        loop {
            match self.receiver.recv_timeout(IDLE_MAX) {
                Ok(order) => {
                    let mut crew = self.crew.lock();
                    crew.idle -= 1;
                    crew.queued -= 1;
                    match order {
                        Order::Do(work) => return Some(work),
                        Order::Leave => {
                            crew.retire(number);
                            return None;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let mut crew = self.crew.lock();
                    // Work that has been queued counts on the threads that wait.
                    if crew.has_free() {
                        crew.idle -= 1;
                        crew.retire(number);
                        return None;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn short_of_threads(&self, threads: usize, error: &io::Error) {
        let text = format!(
            "can't start one more thread beside {threads} ({error}); sessions wait for one that is \
             free (see ulimit -u)"
        );
        self.log.line(Priority::Error, &text);
    }
}

/// What the threads of a pool share, and what they do with work.
pub(super) trait Employer: Send + Sync + Sized + 'static {
    type Work: Send;
    /// What a thread has for itself.
    type Desk: Default;

    fn pool(&self) -> &Pool<Self::Work>;

    /// Does work on the calling thread, which belongs to the pool.
    fn perform(self: &Arc<Self>, work: Self::Work, desk: &mut Self::Desk) -> Next;

    /// Takes note that a thread of the pool waits for work.
    fn at_rest(&self) {}

    /// Gives work to a thread at once: one that waits, or a new one.
    ///
    /// If no thread can be had, the work waits for the first that becomes free.
    fn dispatch(self: &Arc<Self>, work: Self::Work) {
        let pool = self.pool();
        let reserved = self.reserve();
        if !reserved {
            pool.crew.lock().queued += 1;
        }
        self.send(work);
        if !reserved && pool.live() < pool.limit {
            // Somebody is to try again.
            pool.control.wake();
        }
    }

    /// Sends work for which a thread was reserved.
    fn send(&self, work: Self::Work) {
        // The receiver lives as long as the pool.
        let _sent = self.pool().sender.send(Order::Do(work));
    }

    /// Reserves a thread for work that will be sent: one that waits, or a new one.
    ///
    /// `false` if none can be had.
    fn reserve(self: &Arc<Self>) -> bool {
        let pool = self.pool();
        let number = {
            let mut crew = pool.crew.lock();
            if crew.has_free() {
                crew.queued += 1;
                return true;
            }
            let Some(number) = crew.enlist(pool.limit) else { return false };
            crew.queued += 1;
            number
        };
        let started = start(self, number);
        if !started {
            pool.crew.lock().queued -= 1;
        }
        started
    }

    /// Tries again to start a thread if there was none for queued work.
    fn reinforce(self: &Arc<Self>) {
        let pool = self.pool();
        let number = pool.crew.lock().enlist_for_queue(pool.limit);
        if let Some(number) = number {
            start(self, number);
        }
    }
}

/// Starts a thread that was enlisted.
fn start<E: Employer>(employer: &Arc<E>, number: u64) -> bool {
    let pool = employer.pool();
    let shared = Arc::clone(employer);
    let started = spawn("milter", move || work_on(&shared, number));
    let mut crew = pool.crew.lock();
    match started {
        Ok(handle) => {
            crew.started(number, handle);
            true
        }
        Err(error) => {
            let first = crew.not_started();
            let threads = crew.live;
            drop(crew);
            if first {
                pool.short_of_threads(threads, &error);
            }
            false
        }
    }
}

/// The life of a thread.
fn work_on<E: Employer>(employer: &Arc<E>, number: u64) {
    let pool = employer.pool();
    let mut desk = E::Desk::default();
    while let Some(work) = pool.next(number) {
        let next = employer.perform(work, &mut desk);
        if next == Next::Leave || thread::is_leaving() {
            make_room(employer, number);
            break;
        }
        let mut crew = pool.crew.lock();
        // Threads that do not wait when all are dismissed, or come later, see it here.
        if crew.dismissed {
            crew.retire(number);
            break;
        }
        crew.idle += 1;
        drop(crew);
        employer.at_rest();
    }
    // The supervisor may be waiting for threads to end.
    pool.control.wake();
}

/// Counts a thread out that is about to end, and starts another one if work waits for that.
fn make_room<E: Employer>(employer: &Arc<E>, number: u64) {
    let pool = employer.pool();
    let next = {
        // At once: whoever waits for threads to end must see one of the two.
        let mut crew = pool.crew.lock();
        crew.retire(number);
        crew.enlist_for_queue(pool.limit)
    };
    if let Some(next) = next {
        start(employer, next);
    }
}
