//! The listening socket of a run, and what has gone wrong with it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::event_loop::EventLoop;
use super::news::{News, Untold};
use crate::net::listener::Listener;
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;

/// Consecutive errors of `accept` after which the run is given up, as in the reference.
const FAILURES_MAX: u32 = 16;
/// Consecutive errors of `accept` that are a peer's, each passed over at once, after which accepting pauses:
/// so many peers do not fail without one that succeeds. A seccomp filter can make each call fail.
pub(super) const PASSING_MAX: u32 = 256;

/// The listening socket.
#[derive(Debug)]
pub(super) struct Entrance {
    /// `None` once the run is stopping.
    listener: Mutex<Option<Arc<Listener>>>,
    /// Consecutive errors of `accept` that are not the peer's.
    failures: AtomicU32,
    /// Consecutive errors of `accept` that are a peer's, since the last pause for them.
    passed: AtomicU32,
    /// Of log lines about pauses in accepting: a filter that has run out of descriptors or memory runs
    /// out again with each session that ends and lets the next one in.
    pauses: Mutex<News>,
}

impl Entrance {
    pub(super) fn new(listener: Listener) -> Entrance {
        Entrance {
            listener: Mutex::new(Some(Arc::new(listener))),
            failures: AtomicU32::new(0),
            passed: AtomicU32::new(0),
            pauses: Mutex::default(),
        }
    }

    /// The listening socket, unless the run is stopping.
    pub(super) fn listener(&self) -> Option<Arc<Listener>> {
        self.listener.lock().clone()
    }

    /// Has a loop accept connections, unless the run is stopping.
    pub(super) fn open(&self, event_loop: &EventLoop) -> io::Result<()> {
        // Under the lock, so that no loop watches the socket after `close`.
        self.listener.lock().as_deref().map_or(Ok(()), |listener| event_loop.listen(listener))
    }

    /// Closes the listening socket, which these loops may be watching, and removes its file.
    pub(super) fn close(&self, loops: &[EventLoop]) {
        let Some(listener) = self.listener.lock().take() else { return };
        // Another process may have it as well; closing it here does not end its being watched then.
        for event_loop in loops {
            event_loop.ignore(&listener);
        }
        listener.remove_file();
    }

    /// Takes note of a connection.
    pub(super) fn accepted(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.passed.store(0, Ordering::Relaxed);
    }

    /// Takes note of an error that is a peer's; `false` if accepting is to pause for once.
    pub(super) fn passes_over(&self) -> bool {
        let too_many = self.passed.fetch_add(1, Ordering::Relaxed) + 1 >= PASSING_MAX;
        if too_many {
            self.passed.store(0, Ordering::Relaxed);
        }
        !too_many
    }

    /// Takes note of an error that is not the peer's; how many there have been without a connection.
    pub(super) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether accepting has failed for good.
    pub(super) fn has_failed(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES_MAX
    }

    /// Whether a pause in accepting is to be logged, and how many were not since the last one that was.
    pub(super) fn pause_is_news(&self, now: Time) -> Option<Untold> {
        self.pauses.lock().admit(now)
    }
}
