//! What wakes a thread.

use super::{KERNEL, arrive, number, poller::Source, receive};
use std::io;
use std::sync::OnceLock;

#[derive(Debug)]
pub struct Waker(usize);

impl Waker {
    pub fn new() -> io::Result<Waker> {
        Ok(Waker(number()))
    }

    pub fn woken() -> io::Result<Waker> {
        let waker = Waker::new()?;
        waker.wake();
        Ok(waker)
    }

    pub fn wake(&self) -> bool {
        arrive(self.0);
        true
    }

    pub fn clear(&self) {
        let _woken = receive(self.0);
    }

    pub fn is_intact(&self) -> bool {
        true
    }

    /// Waits for a wake-up, and takes it.
    pub fn wait(&self) {
        let mut state = KERNEL.state.lock().unwrap();
        while !state.readable.remove(&self.0) {
            state = KERNEL.news.wait(state).unwrap();
        }
    }
}

impl Source for Waker {
    fn id(&self) -> usize {
        self.0
    }
}

#[derive(Debug)]
pub struct ProcessWaker(OnceLock<Waker>);

impl ProcessWaker {
    pub const fn new() -> ProcessWaker {
        ProcessWaker(OnceLock::new())
    }

    pub fn get(&self) -> Option<&'static Waker> {
        // SAFETY: the models never free what has a waker.
        self.0.get().map(|waker| unsafe { &*std::ptr::from_ref(waker) })
    }

    pub fn renew(&self) -> io::Result<&'static Waker> {
        if self.0.get().is_none() {
            let _first = self.0.set(Waker::new()?);
        }
        self.get().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
