//! What all threads of a run share.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::connection::Connection;
use super::estimates::Estimates;
use super::event_loop::EventLoop;
use super::log::Log;
use super::lost::Lost;
use super::options::{CHECK_IDLE, Options, Threads};
use super::output::{OutputSettings, SocketOutput};
use super::own_thread::Stops;
use super::pool::Pool;
use super::stop::Control;
use crate::net::listener::Listener;
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::jitter::{Mutex, jitter};

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Phase {
    /// Serving.
    #[default]
    Serve = 0,
    /// No new connections; sessions between messages are closed that have been silent for a while.
    Linger = 1,
    /// Messages in hand are finished, other sessions are closed.
    Drain = 2,
    /// Messages in hand are broken off.
    Abort = 3,
    /// Threads leave.
    Over = 4,
}

/// How long a stop waits for the next command of an MTA that has just been answered. Those in the
/// middle of a conversation send it within that time.
pub(super) const LINGER: Duration = Duration::from_millis(50);

/// One run of `smfi_main`.
pub(super) struct Shared<F> {
    pub(super) filter: F,
    pub(super) options: Options,
    pub(super) log: Arc<Log>,
    pub(super) output_settings: Arc<OutputSettings>,
    pub(super) control: &'static Control,
    /// `None` once the run is stopping.
    listener: Mutex<Option<Arc<Listener>>>,
    pub(super) loops: Vec<EventLoop>,
    /// Where sessions have threads of their own.
    pub(super) stops: Option<Stops>,
    pub(super) pool: Pool,
    pub(super) estimates: Estimates,
    phase: AtomicU8,
    /// Sessions that have not had their close callback yet.
    sessions: AtomicUsize,
    next_session: AtomicU64,
    /// The supervisor sleeps until a turn begins.
    pub(super) supervisor_parked: AtomicBool,
    /// Sessions that run on a thread of their own for now, by number.
    detached: Mutex<HashMap<u64, Arc<SocketOutput>>>,
    /// A descriptor of the run is lost: why it ends.
    pub(super) lost: OnceLock<Lost>,
    /// Consecutive errors of `accept` that are not the peer's.
    pub(super) accept_failures: AtomicU32,
    /// Running out of descriptors is not logged before.
    pub(super) exhaustion_log_after: Mutex<Option<Time>>,
}

impl<F: Filter> Shared<F> {
    pub(super) fn new(
        filter: F,
        options: Options,
        log: Arc<Log>,
        control: &'static Control,
        listener: Listener,
        loops: Vec<EventLoop>,
        stops: Option<Stops>,
    ) -> Shared<F> {
        let limit = match options.threads {
            Threads::Pool => options.max_threads,
            // The loops, which accept connections, are beside them.
            Threads::Session => options.max_threads.saturating_add(loops.len()),
        };
        let pool = Pool::new(limit);
        let output_settings = Arc::new(OutputSettings {
            log: Arc::clone(&log),
            debug: options.debug,
            limit: options.packet_limit(),
        });
        Shared {
            filter,
            options,
            log,
            output_settings,
            control,
            listener: Mutex::new(Some(Arc::new(listener))),
            loops,
            stops,
            pool,
            estimates: Estimates::default(),
            phase: AtomicU8::new(Phase::Serve as u8),
            sessions: AtomicUsize::new(0),
            next_session: AtomicU64::new(1),
            supervisor_parked: AtomicBool::new(false),
            detached: Mutex::default(),
            lost: OnceLock::new(),
            accept_failures: AtomicU32::new(0),
            exhaustion_log_after: Mutex::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Serve,
            1 => Phase::Linger,
            2 => Phase::Drain,
            3 => Phase::Abort,
            _ => Phase::Over,
        }
    }

    /// Whether no callback but those that end a session may begin.
    pub(super) fn is_aborting(&self) -> bool {
        // Acquire pairs with the store in `enter_phase`.
        self.phase.load(Ordering::Acquire) >= Phase::Abort as u8
    }

    /// Moves on, and lets every loop and every session's own thread know.
    pub(super) fn enter_phase(&self, phase: Phase) {
        jitter();
        // SeqCst: see `end_session`.
        self.phase.store(phase as u8, Ordering::SeqCst);
        for event_loop in &self.loops {
            if !event_loop.wake() {
                self.lose(Lost::Loop);
            }
        }
        if self.stops.as_ref().is_some_and(|stops| !stops.enter(phase)) {
            self.lose(Lost::Stops);
            if phase >= Phase::Abort {
                for output in self.detached() {
                    output.hang_up();
                }
            }
        }
    }

    /// Loops whose owners wait and can't be woken any more.
    pub(super) fn unreachable(&self) -> impl Iterator<Item = &EventLoop> {
        self.loops.iter().filter(|l| l.is_owned() && !l.polls.load(Ordering::Relaxed) && !l.wake())
    }

    /// The listening socket, unless the run is stopping.
    pub(super) fn listener(&self) -> Option<Arc<Listener>> {
        self.listener.lock().clone()
    }

    /// Has a loop accept connections again, unless the run is stopping.
    pub(super) fn resume_accepting(&self, event_loop: &EventLoop) -> io::Result<()> {
        // Under the lock, so that no loop watches the socket after `close_listener`.
        self.listener.lock().as_deref().map_or(Ok(()), |listener| event_loop.listen(listener))
    }

    /// Closes the listening socket and removes its file.
    pub(super) fn close_listener(&self) {
        let Some(listener) = self.listener.lock().take() else { return };
        // Another process may have it as well; closing it here does not end its being watched then.
        for event_loop in &self.loops {
            event_loop.poller.delete(&*listener);
        }
        listener.remove_file();
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }

    /// A number for a session that begins.
    pub(super) fn begin_session(&self) -> u64 {
        jitter();
        let first = self.sessions.fetch_add(1, Ordering::AcqRel) == 0;
        if first && self.options.beat().is_some_and(|beat| beat < CHECK_IDLE) {
            // From now on the supervisor has a clock to keep going, before it looks by itself.
            self.control.wake();
        }
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes note that a session has had its close callback.
    pub(super) fn end_session(&self) {
        jitter();
        // SeqCst: the supervisor enters a phase and then looks at the sessions, this does it the
        // other way round, and one of the two must see the other.
        if self.sessions.fetch_sub(1, Ordering::SeqCst) == 1 && self.phase() > Phase::Serve {
            self.control.wake();
        }
    }

    /// Takes note of a session that runs on a thread of its own.
    pub(super) fn detach(&self, output: &Arc<SocketOutput>) {
        self.detached.lock().insert(output.session, Arc::clone(output));
    }

    pub(super) fn undetach(&self, session: u64) {
        self.detached.lock().remove(&session);
    }

    /// Sessions whose callbacks are running on threads of their own.
    pub(super) fn detached(&self) -> Vec<Arc<SocketOutput>> {
        self.detached.lock().values().cloned().collect()
    }

    /// Puts a session that waits for its MTA into the loop that has fewest, of those with a thread.
    ///
    /// `home` is preferred among equals; `own` if the calling thread owns that loop. Gives the session
    /// back if it is to end rather than to wait: the run is stopping, or it can't be watched.
    pub(super) fn attach(
        &self,
        connection: Box<Connection>,
        home: usize,
        own: bool,
    ) -> Result<(), Box<Connection>> {
        let candidates = self.loops.iter().enumerate();
        match candidates.min_by_key(|(n, l)| (!l.is_owned(), l.sessions(), *n != home)) {
            Some((n, event_loop)) => {
                event_loop.insert(connection, &self.options, &self.log, own && n == home)
            }
            None => Err(connection),
        }
    }
}
