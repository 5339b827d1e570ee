//! Threads: as many as there is work that must not wait, and no more.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::crew::Crew;
use super::drive::drive;
use super::shared::{Phase, Shared};
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;
use crate::sys::log::Priority;
use crate::sys::thread::{self, Thread, spawn};

/// How long a thread without work stays.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Something a thread can take on.
#[derive(Debug)]
pub(super) enum Work {
    /// To own a loop, by number.
    Loop(usize),
    /// To run a session's slow callback; the number of the loop it came from.
    Connection(Box<Connection>, usize),
    /// To serve a session from its beginning to its end, and leave.
    Session(Box<Connection>),
    /// To end a session.
    End(Box<Connection>),
    /// To leave the pool.
    Leave,
}

/// The threads that own loops or run slow callbacks.
#[derive(Debug)]
pub(super) struct Pool {
    sender: Sender<Work>,
    receiver: Receiver<Work>,
    crew: Mutex<Crew>,
    /// Threads that run what the filter has registered for their end, which may take long.
    ending: Mutex<Vec<Thread>>,
    limit: usize,
}

impl Pool {
    pub(super) fn new(limit: usize) -> Pool {
        let (sender, receiver) = unbounded();
        Pool { sender, receiver, crew: Mutex::default(), ending: Mutex::default(), limit }
    }

    /// Threads that exist.
    pub(super) fn live(&self) -> usize {
        self.crew.lock().live
    }

    /// Whether work is queued that no thread is free for.
    pub(super) fn is_short(&self) -> bool {
        self.crew.lock().is_short()
    }

    /// Lets the threads end that wait for work.
    pub(super) fn dismiss(&self) {
        let mut crew = self.crew.lock();
        for _ in 0..crew.live {
            crew.queued += 1;
            // The receiver lives as long as the pool.
            let _sent = self.sender.send(Work::Leave);
        }
    }

    /// Joins the threads that have ended; how many are about to.
    pub(super) fn join_ended(&self) -> usize {
        let mut ending = self.ending.lock();
        ending.append(&mut self.crew.lock().take_leaving());
        *ending = ending.drain(..).filter_map(|thread| thread.try_join().err()).collect();
        ending.len()
    }

    /// Waits for work; `None` when it is time to end. The thread is counted as idle already.
    fn next(&self, number: u64) -> Option<Work> {
        loop {
            match self.receiver.recv_timeout(IDLE_MAX) {
                Ok(work) => {
                    let mut crew = self.crew.lock();
                    crew.idle -= 1;
                    crew.queued -= 1;
                    if matches!(work, Work::Leave) {
                        crew.retire(number);
                        return None;
                    }
                    return Some(work);
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
}

impl<F: Filter + 'static> Shared<F> {
    /// Gives work to a thread at once: one that waits, or a new one.
    ///
    /// If no thread can be had, the work waits for the first that becomes free.
    pub(super) fn dispatch(self: &Arc<Self>, work: Work) {
        if !self.reserve() {
            self.pool.crew.lock().queued += 1;
        }
        self.send(work);
    }

    /// Sends work for which a thread was reserved.
    pub(super) fn send(&self, work: Work) {
        // The receiver lives as long as the pool.
        let _sent = self.pool.sender.send(work);
    }

    /// Reserves a thread for work that will be sent: one that waits, or a new one.
    ///
    /// `false` if none can be had.
    pub(super) fn reserve(self: &Arc<Self>) -> bool {
        let number = {
            let mut crew = self.pool.crew.lock();
            if crew.has_free() {
                crew.queued += 1;
                return true;
            }
            let Some(number) = crew.enlist(self.pool.limit) else { return false };
            crew.queued += 1;
            number
        };
        let started = self.start(number);
        if !started {
            self.pool.crew.lock().queued -= 1;
        }
        started
    }

    /// Tries again to start a thread if there was none for queued work.
    pub(super) fn reinforce(self: &Arc<Self>) {
        let number = self.enlist_for_queue(&mut self.pool.crew.lock());
        if let Some(number) = number {
            self.start(number);
        }
    }

    /// Counts a thread out that is about to end, and starts another one if work waits for that.
    fn make_room(self: &Arc<Self>, number: u64) {
        let next = {
            // At once: whoever waits for threads to end must see one of the two.
            let mut crew = self.pool.crew.lock();
            crew.retire(number);
            self.enlist_for_queue(&mut crew)
        };
        if let Some(next) = next {
            self.start(next);
        }
    }

    /// Counts a thread in for queued work that none is free for, if there may be one more.
    fn enlist_for_queue(&self, crew: &mut Crew) -> Option<u64> {
        // When the run is over, what is queued is for threads to leave.
        let wanted = crew.is_short() && self.phase() < Phase::Over;
        wanted.then(|| crew.enlist(self.pool.limit)).flatten()
    }

    /// Starts a thread that was enlisted.
    fn start(self: &Arc<Self>, number: u64) -> bool {
        let shared = Arc::clone(self);
        let started = spawn("milter", move || work_on(&shared, number));
        let mut crew = self.pool.crew.lock();
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
                    self.short_of_threads(threads, &error);
                }
                false
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

    /// Takes a session on from a thread that has just ended its turn without owning a loop.
    pub(super) fn settle(
        self: &Arc<Self>,
        mut connection: Box<Connection>,
        mut end: TurnEnd,
        home: usize,
        scratch: &mut Scratch,
    ) {
        while end == TurnEnd::HandOver {
            end = connection.turn(self, scratch, Job::Resume, Place::Spare);
        }
        self.undetach(connection.output.session);
        connection.wait_from(Time::now());
        if end == TurnEnd::Wait {
            if let Err(mut connection) = self.attach(connection, home, false) {
                self.end(&mut connection);
            }
        }
    }

    /// Ends a session that is in no loop.
    fn end(&self, connection: &mut Connection) {
        self.detach(&connection.output);
        connection.finish(self);
        self.undetach(connection.output.session);
    }
}

/// The life of a thread.
fn work_on<F: Filter + 'static>(shared: &Arc<Shared<F>>, number: u64) {
    let mut scratch = Scratch::new();
    while let Some(work) = shared.pool.next(number) {
        match work {
            Work::Loop(index) => drive(shared, index, &mut scratch),
            Work::Connection(connection, home) => {
                shared.settle(connection, TurnEnd::HandOver, home, &mut scratch);
            }
            Work::Session(connection) => {
                shared.accompany(connection, &mut scratch);
                // Another session may wait for a thread.
                shared.make_room(number);
                break;
            }
            Work::End(mut connection) => shared.end(&mut connection),
            Work::Leave => {}
        }
        if thread::is_leaving() {
            shared.make_room(number);
            break;
        }
        let mut crew = shared.pool.crew.lock();
        // Threads that do not wait when the run is over, or come later, see it here.
        if shared.phase() == Phase::Over {
            crew.retire(number);
            break;
        }
        crew.idle += 1;
    }
    // The supervisor may be waiting for threads to end.
    shared.control.wake();
}
