//! Asking a run to stop: from a callback, another thread, or a signal handler.

use std::io;

use crate::sys::sync::{AtomicU8, AtomicU32, Ordering};
use crate::sys::waker::{ProcessWaker, Waker};

/// How urgently a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Go on.
    Run = 0,
    /// Messages in hand may be finished.
    Stop = 1,
    /// Messages in hand are broken off.
    Abort = 2,
}

/// The stop request of a process, and what wakes the thread that acts on it.
#[derive(Debug)]
pub struct Control {
    level: AtomicU8,
    /// The process that asked last.
    asked: AtomicU32,
    /// The process that has a run under way, or 0. A forked child finds its parent's here.
    running: AtomicU32,
    /// Each process has its own: a forked child must neither stop nor wake its parent.
    waker: ProcessWaker,
}

impl Control {
    /// No request, no descriptor.
    #[must_use]
    pub const fn new() -> Control {
        Control {
            level: AtomicU8::new(Level::Run as u8),
            asked: AtomicU32::new(0),
            running: AtomicU32::new(0),
            waker: ProcessWaker::new(),
        }
    }

    /// Asks to stop; a request is never lowered. Async-signal-safe, and never waits.
    pub fn request(&self, level: Level) {
        self.asked.store(std::process::id(), Ordering::Relaxed);
        // Release pairs with the acquire in `level`: whatever the caller wrote before asking is
        // seen by the thread that acts on it.
        self.level.fetch_max(level as u8, Ordering::Release);
        self.wake();
    }

    /// Wakes the supervisor to look at its run again.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }

    /// What was asked for.
    pub fn level(&self) -> Level {
        match self.level.load(Ordering::Acquire) {
            0 => Level::Run,
            1 => Level::Stop,
            _ => Level::Abort,
        }
    }

    /// Claims the run, of which a process can have one at a time; `None` if one is under way.
    #[must_use]
    pub fn claim(&self) -> Option<Running<'_>> {
        let process = std::process::id();
        // Whoever comes while a run is under way writes nothing.
        let claim = |before| (before != process).then_some(process);
        let before = self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, claim).ok()?;
        if before != 0 && self.asked.load(Ordering::Relaxed) != process {
            // Forked while its parent's run was under way: what the parent was asked is not the
            // child's affair.
            self.level.store(Level::Run as u8, Ordering::Release);
        }
        Some(Running { control: self, served: false })
    }

    /// What the supervisor waits for.
    pub(super) fn waker(&self) -> Option<&Waker> {
        self.waker.get()
    }
}

impl Default for Control {
    fn default() -> Control {
        Control::new()
    }
}

/// A run under way; when dropped, another one may begin.
#[derive(Debug)]
pub struct Running<'a> {
    control: &'a Control,
    served: bool,
}

impl<'a> Running<'a> {
    /// Makes sure that this process has a descriptor to be woken by.
    ///
    /// It stays for later runs, so that a signal handler never finds it closed or reused.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn prepare(&mut self) -> io::Result<&'a Control> {
        self.control.waker.renew()?.clear();
        Ok(self.control)
    }

    /// Takes note that the run has come to its end, and with it any request to stop it.
    pub(super) fn served(&mut self) {
        self.served = true;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // A run that could not begin leaves the request to the next one.
        if self.served {
            self.control.level.store(Level::Run as u8, Ordering::Release);
        }
        self.control.running.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_only_raised_and_end_with_the_run_that_has_served() {
        let control = Control::new();
        control.request(Level::Abort);
        control.request(Level::Stop);
        assert_eq!(control.level(), Level::Abort);
        let mut running = control.claim().unwrap();
        assert_eq!(control.level(), Level::Abort, "a request before the run counts");
        assert!(control.claim().is_none());
        running.prepare().unwrap();
        drop(running);
        assert_eq!(control.level(), Level::Abort, "a run that could not begin leaves it");
        let mut running = control.claim().unwrap();
        running.served();
        drop(running);
        assert_eq!(control.level(), Level::Run);
        assert!(control.claim().is_some());
    }

    #[test]
    fn a_run_of_the_parent_is_none_of_the_child() {
        let control = Control::new();
        let parent = std::process::id() + 1;
        control.request(Level::Stop);
        control.asked.store(parent, Ordering::Relaxed);
        control.running.store(parent, Ordering::Relaxed);
        let running = control.claim();
        assert!(running.is_some());
        assert_eq!(control.level(), Level::Run);
        drop(running);
        control.running.store(parent, Ordering::Relaxed);
        control.request(Level::Stop);
        let running = control.claim();
        assert!(running.is_some());
        assert_eq!(control.level(), Level::Stop, "what the child was asked is");
    }
}
