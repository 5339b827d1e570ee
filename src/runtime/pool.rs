//! Threads: as many as there is work that must not wait, and no more.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::Mutex;

use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::drive::drive;
use super::shared::{Phase, Shared};
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::log::Priority;
use crate::sys::thread::spawn;

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
    limit: usize,
}

#[derive(Debug, Default)]
struct Crew {
    /// Threads that exist.
    live: usize,
    /// Threads that wait for work.
    idle: usize,
    /// Work that no thread has taken yet.
    queued: usize,
    next: u64,
    threads: HashMap<u64, JoinHandle<()>>,
    /// Threads that have nothing left to do but end.
    leaving: Vec<u64>,
    /// That no thread could be started has been logged.
    short: bool,
}

impl Crew {
    /// Whether a thread waits that no queued work counts on.
    fn has_free(&self) -> bool {
        self.idle > self.queued
    }

    /// Counts a thread in that is about to be started and will wait for work; its number.
    fn enlist(&mut self) -> u64 {
        self.live += 1;
        self.idle += 1;
        self.next += 1;
        self.next
    }

    /// Counts a waiting thread out, which has nothing left to do but end.
    fn retire(&mut self, number: u64) {
        self.live -= 1;
        self.leaving.push(number);
    }
}

impl Pool {
    pub(super) fn new(limit: usize) -> Pool {
        let (sender, receiver) = unbounded();
        Pool { sender, receiver, crew: Mutex::default(), limit }
    }

    /// Threads that exist.
    pub(super) fn live(&self) -> usize {
        self.crew.lock().live
    }

    /// Whether work is queued that no thread is free for.
    pub(super) fn is_short(&self) -> bool {
        let crew = self.crew.lock();
        crew.queued > crew.idle
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

    /// Joins the threads that have ended or are about to.
    pub(super) fn join_leaving(&self) {
        let mut handles = Vec::new();
        {
            let mut crew = self.crew.lock();
            let Crew { leaving, threads, .. } = &mut *crew;
            leaving.retain(|number| match threads.remove(number) {
                Some(handle) => {
                    handles.push(handle);
                    false
                }
                // The thread that started it has not entered its handle yet.
                None => true,
            });
        }
        for handle in handles {
            let _panicked = handle.join();
        }
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
            if crew.live >= self.pool.limit {
                return false;
            }
            crew.queued += 1;
            crew.enlist()
        };
        let started = self.start(number);
        if !started {
            self.pool.crew.lock().queued -= 1;
        }
        started
    }

    /// Tries again to start a thread if there was none for queued work.
    pub(super) fn reinforce(self: &Arc<Self>) {
        let number = {
            let mut crew = self.pool.crew.lock();
            if crew.queued <= crew.idle || crew.live >= self.pool.limit {
                return;
            }
            crew.enlist()
        };
        self.start(number);
    }

    /// Starts a thread that was enlisted.
    fn start(self: &Arc<Self>, number: u64) -> bool {
        let shared = Arc::clone(self);
        let started = spawn("milter", move || work_on(&shared, number));
        let mut crew = self.pool.crew.lock();
        match started {
            Ok(handle) => {
                crew.short = false;
                crew.threads.insert(number, handle);
                true
            }
            Err(error) => {
                crew.live -= 1;
                crew.idle -= 1;
                let logged = std::mem::replace(&mut crew.short, true);
                let threads = crew.live;
                drop(crew);
                if !logged {
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
                connection.finish(self);
            }
        }
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
                shared.pool.crew.lock().retire(number);
                // Another session may wait for a thread.
                shared.reinforce();
                break;
            }
            Work::End(mut connection) => connection.finish(shared),
            Work::Leave => {}
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
