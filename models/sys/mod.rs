//! What the system is to the runtime, in `loom`'s words.

use loom::sync::{Condvar, Mutex};
use std::collections::BTreeSet;

pub mod clock;
pub mod jitter;
pub mod manager;
pub mod poller;
pub mod queue;
pub mod sync;
pub mod thread;
pub mod waker;

/// What can be read or written to, and who watches it.
#[derive(Default)]
struct State {
    sources: usize,
    readable: BTreeSet<usize>,
    full: BTreeSet<usize>,
    /// Of which one turn receives a part only.
    rest: BTreeSet<usize>,
    watched: Vec<poller::Watched>,
}

struct Kernel {
    state: Mutex<State>,
    news: Condvar,
}

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel { state: Mutex::new(State::default()), news: Condvar::new() };
}

/// A number for something that can be watched.
fn number() -> usize {
    let mut state = KERNEL.state.lock().unwrap();
    state.sources += 1;
    state.sources
}

/// Something has arrived.
fn arrive(source: usize) {
    let mut state = KERNEL.state.lock().unwrap();
    state.readable.insert(source);
    state.watched.iter_mut().for_each(|watched| watched.arrived(source));
    drop(state);
    KERNEL.news.notify_all();
}

/// Receives what is there, or a part of it; whether there was something.
fn receive(source: usize) -> bool {
    let mut state = KERNEL.state.lock().unwrap();
    if state.readable.contains(&source) && state.rest.remove(&source) {
        return true;
    }
    state.readable.remove(&source)
}

/// A session's socket.
#[derive(Debug)]
pub struct Socket(usize);

impl Socket {
    pub fn new() -> Socket {
        Socket(number())
    }

    pub fn arrive(&self) {
        arrive(self.0);
    }

    /// What arrives next takes two turns to be received.
    pub fn is_much(&self) {
        KERNEL.state.lock().unwrap().rest.insert(self.0);
    }

    /// Whether there is more to be received.
    pub fn has_more(&self) -> bool {
        KERNEL.state.lock().unwrap().readable.contains(&self.0)
    }

    /// Whether there was something.
    pub fn receive(&self) -> bool {
        receive(self.0)
    }

    /// Takes no more until there is room.
    pub fn fill(&self) {
        KERNEL.state.lock().unwrap().full.insert(self.0);
    }

    pub fn make_room(&self) {
        KERNEL.state.lock().unwrap().full.remove(&self.0);
        KERNEL.news.notify_all();
    }

    pub fn is_full(&self) -> bool {
        KERNEL.state.lock().unwrap().full.contains(&self.0)
    }

    pub fn number(&self) -> usize {
        self.0
    }
}

pub mod socket {
    pub fn is_connection(_: &impl super::poller::Source) -> bool {
        true
    }
}

pub mod log {
    pub enum Priority {
        Error,
    }
}
