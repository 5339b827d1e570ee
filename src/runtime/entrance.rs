//! The listening sockets of a run, and what has gone wrong with them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::event_loop::EventLoop;
use super::news::{News, Untold};
use crate::net::listener::Listener;
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;

/// Consecutive errors of `accept` after which the run is given up, as in the reference.
pub(super) const FAILURES_MAX: u32 = 16;
/// Consecutive errors of `accept` that are a peer's, each passed over at once, after which accepting pauses:
/// so many peers do not fail without one that succeeds. A seccomp filter can make each call fail.
pub(super) const PASSING_MAX: u32 = 256;

/// The listening sockets.
#[derive(Debug)]
pub(super) struct Entrance {
    /// `None` once the run is stopping.
    doors: Mutex<Option<Arc<[Door]>>>,
    /// Accepting has failed for good at one of them.
    failed: AtomicBool,
    /// Of log lines about pauses in accepting: a filter that has run out of descriptors or memory runs
    /// out again with each session that ends and lets the next one in.
    pauses: Mutex<News>,
}

impl Entrance {
    pub(super) fn new(listeners: Vec<Listener>) -> Entrance {
        Entrance {
            doors: Mutex::new(Some(listeners.into_iter().map(Door::new).collect())),
            failed: AtomicBool::new(false),
            pauses: Mutex::default(),
        }
    }

    /// The listening sockets, unless the run is stopping.
    pub(super) fn doors(&self) -> Option<Arc<[Door]>> {
        self.doors.lock().clone()
    }

    /// Whether each still is what was opened.
    pub(super) fn is_intact(&self) -> bool {
        let doors = self.doors();
        doors.is_none_or(|doors| doors.iter().all(|door| door.listener.is_intact()))
    }

    /// Has a loop accept connections, unless the run is stopping.
    pub(super) fn open(&self, event_loop: &EventLoop) -> io::Result<()> {
        // Under the lock, so that no loop watches a socket after `close`.
        let doors = self.doors.lock();
        let mut all = doors.iter().flat_map(|doors| doors.iter()).zip(0..);
        all.try_for_each(|(door, number)| event_loop.listen(&door.listener, number))
    }

    /// Has a loop that may not have been woken for connections look for them, unless it pauses.
    pub(super) fn open_again(&self, event_loop: &EventLoop) {
        if event_loop.accepts() {
            self.doors().iter().for_each(|doors| ignore(event_loop, doors));
            // If the system has no memory for it, the next connection wakes it, or another loop.
            let _listens = self.open(event_loop);
        }
    }

    /// Closes the listening sockets, which these loops may be watching, and removes their files.
    pub(super) fn close(&self, loops: &[EventLoop]) {
        let Some(doors) = self.doors.lock().take() else { return };
        // Another process may have them as well; closing them here does not end their being watched then.
        for event_loop in loops {
            ignore(event_loop, &doors);
        }
        for door in &*doors {
            door.listener.remove_file();
        }
    }

    /// Takes note that accepting has failed for good.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether accepting has failed for good.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Whether a pause in accepting is to be logged, and how many were not since the last one that was.
    pub(super) fn pause_is_news(&self, now: Time) -> Option<Untold> {
        self.pauses.lock().admit(now)
    }
}

/// Has a loop accept no connections.
pub(super) fn ignore(event_loop: &EventLoop, doors: &[Door]) {
    doors.iter().for_each(|door| event_loop.ignore(&door.listener));
}

/// One listening socket.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listener: Listener,
    /// Consecutive errors of `accept` that are not the peer's.
    failures: AtomicU32,
    /// Consecutive errors of `accept` that are a peer's, since the last pause for them.
    passed: AtomicU32,
}

impl Door {
    fn new(listener: Listener) -> Door {
        Door { listener, failures: AtomicU32::new(0), passed: AtomicU32::new(0) }
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
}
