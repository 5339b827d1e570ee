//! How far a run has come, and which sessions it has.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::log::Log;
use super::lost::{LOST_PAUSE, Lost};
use super::news::News;
use super::options::CHECK_IDLE;
use super::output::SocketOutput;
use super::stop::{Control, Level};
use crate::sys::clock::{self, Time};
use crate::sys::jitter::{Mutex, jitter};
use crate::sys::log::Priority;
use crate::sys::sync::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

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

/// The phase of a run, its sessions, and why it ends if it has not been asked to.
#[derive(Debug)]
pub(super) struct Lifecycle {
    pub(super) control: &'static Control,
    log: Arc<Log>,
    /// Time between two looks at the clock of deadlines while there are sessions, if they have any.
    beat: Option<Duration>,
    phase: AtomicU8,
    /// Sessions that have not had their close callback yet.
    sessions: AtomicUsize,
    next_session: AtomicU64,
    /// Sessions with a message that have ended.
    served: AtomicU64,
    /// Turns since a stop has begun, after which a session waits for its next command.
    answers: AtomicU64,
    /// Sessions that run on a thread of their own for now, by number.
    detached: Mutex<BTreeMap<u64, Arc<SocketOutput>>>,
    /// A descriptor of the run is lost: why it ends.
    lost: OnceLock<Lost>,
    /// Of log lines that a thread can't wait.
    waits: Mutex<News>,
}

impl Lifecycle {
    pub(super) fn new(
        control: &'static Control,
        log: Arc<Log>,
        beat: Option<Duration>,
    ) -> Lifecycle {
        Lifecycle {
            control,
            log,
            beat,
            phase: AtomicU8::new(Phase::Serve as u8),
            sessions: AtomicUsize::new(0),
            next_session: AtomicU64::new(1),
            served: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            detached: Mutex::default(),
            lost: OnceLock::new(),
            waits: Mutex::default(),
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

    /// Whether this still is the phase.
    #[inline]
    pub(super) fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::SeqCst) == phase as u8
    }

    /// Takes note, once a stop has begun, that an MTA has been answered.
    #[cold]
    pub(super) fn answered(&self) {
        // Relaxed: whoever counts looks again later.
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// How many sessions with a message have ended.
    pub(super) fn served(&self) -> u64 {
        // Relaxed: whoever counts looks again later.
        self.served.load(Ordering::Relaxed)
    }

    /// How many answers there have been since a stop has begun.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Whether no callback but those that end a session may begin.
    pub(super) fn is_aborting(&self) -> bool {
        // Acquire pairs with the store in `enter`.
        self.phase.load(Ordering::Acquire) >= Phase::Abort as u8
    }

    /// Moves on; those who wait are told by the caller.
    pub(super) fn enter(&self, phase: Phase) {
        jitter();
        // SeqCst: see `end_session`.
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::SeqCst)
    }

    /// Sessions that have begun.
    pub(super) fn begun(&self) -> u64 {
        self.next_session.load(Ordering::Relaxed) - 1
    }

    /// A number for a session that begins.
    pub(super) fn begin_session(&self) -> u64 {
        jitter();
        let first = self.sessions.fetch_add(1, Ordering::AcqRel) == 0;
        if first && self.beat.is_some() {
            // From now on there is a clock to keep going, by the supervisor, before it looks by itself.
            // It begins here: the process may be stopped before that thread has got a processor.
            self.keep_time();
            if self.beat < Some(CHECK_IDLE) {
                self.control.wake();
            }
        }
        self.next_session.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks at the clock of deadlines, for the time until now to count, as is due while there are
    /// sessions that have one; how long the next call may take to come.
    pub(super) fn keep_time(&self) -> Option<Duration> {
        clock::beat(|| self.beat.filter(|_| self.sessions() > 0))
    }

    /// Takes note that a session has had its close callback, and whether it had a message.
    pub(super) fn end_session(&self, had_message: bool) {
        jitter();
        if had_message {
            self.served.fetch_add(1, Ordering::Relaxed);
        }
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

    /// Looks at the sessions whose callbacks are running on threads of their own. None can begin or end
    /// meanwhile.
    pub(super) fn each_detached(&self, visit: impl FnMut(&Arc<SocketOutput>)) {
        self.detached.lock().values().for_each(visit);
    }

    /// Ends the run, since a descriptor of it is lost.
    ///
    /// Without the listener, messages in hand can be finished. The reason is logged at once: what sessions
    /// that are broken off log comes after it.
    pub(super) fn lose(&self, what: Lost) {
        if self.lost.set(what).is_ok() {
            self.log.line(Priority::Error, &what.to_string());
        }
        self.control.request(if what == Lost::Listener { Level::Stop } else { Level::Abort });
    }

    /// Has a thread pause that can't wait for news: what it waits with is `lost`, or it is there all the same.
    #[cold]
    pub(super) fn cannot_wait(&self, error: &io::Error, lost: Option<Lost>) {
        if let Some(lost) = lost {
            self.lose(lost);
        } else if let Some(untold) = self.waits.lock().admit(Time::now()) {
            let text = format!(
                "waiting for sessions failed ({error}); it is tried again, with pauses{untold}"
            );
            self.log.line(Priority::Error, &text);
        }
        std::thread::sleep(LOST_PAUSE);
    }

    /// The descriptor that was lost first.
    pub(super) fn lost(&self) -> Option<Lost> {
        self.lost.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not from when the supervisor has woken: the process may be stopped before that.
    #[test]
    fn the_clock_is_kept_from_the_first_session_to_the_last() {
        static CONTROL: Control = Control::new();
        // So long that it leaves nothing out for other tests, which share the clock.
        let beat = Some(Duration::from_secs(3600));
        let lifecycle = Lifecycle::new(&CONTROL, Arc::new(Log::new(b"test")), beat);
        assert_eq!((lifecycle.keep_time(), clock::is_kept()), (None, false));
        lifecycle.begin_session();
        assert!(clock::is_kept());
        assert_eq!(lifecycle.keep_time(), beat);
        lifecycle.end_session(false);
        assert_eq!((lifecycle.keep_time(), clock::is_kept()), (None, false));
    }

    #[test]
    fn sessions_with_a_message_are_counted_at_their_end() {
        static CONTROL: Control = Control::new();
        let lifecycle = Lifecycle::new(&CONTROL, Arc::new(Log::new(b"test")), None);
        for (had_message, served) in [(false, 0), (true, 1), (false, 1), (true, 2)] {
            lifecycle.begin_session();
            lifecycle.end_session(had_message);
            assert_eq!((lifecycle.served(), lifecycle.sessions()), (served, 0));
        }
    }
}
