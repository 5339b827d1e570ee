//! Asking a run to stop: from a callback, another thread, or a signal handler.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use crate::sys::waker::Waker;

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
    running: AtomicBool,
    /// The process the waker belongs to: a forked child must not stop its parent.
    process: AtomicU32,
    waker: OnceLock<Waker>,
}

impl Control {
    /// No request, no descriptor.
    #[must_use]
    pub const fn new() -> Control {
        Control {
            level: AtomicU8::new(Level::Run as u8),
            running: AtomicBool::new(false),
            process: AtomicU32::new(0),
            waker: OnceLock::new(),
        }
    }

    /// Asks to stop; a request is never lowered. Async-signal-safe, and never waits.
    pub fn request(&self, level: Level) {
        // Release pairs with the acquire in `level`: whatever the caller wrote before asking is
        // seen by the thread that acts on it.
        self.level.fetch_max(level as u8, Ordering::Release);
        if self.process.load(Ordering::Acquire) == std::process::id() {
            self.wake();
        }
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

    /// Begins a run, of which there can be one at a time; `None` if one is under way.
    ///
    /// The descriptor made by the first run stays for later ones, so that a signal handler never
    /// finds it closed or reused.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn begin(&self) -> io::Result<Option<Running<'_>>> {
        if self.running.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        let running = Running { control: self };
        let waker = match self.waker.get() {
            Some(waker) => waker,
            None => {
                let made = Waker::new()?;
                self.waker.get_or_init(|| made)
            }
        };
        waker.clear();
        self.process.store(std::process::id(), Ordering::Release);
        Ok(Some(running))
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
pub(super) struct Running<'a> {
    control: &'a Control,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.control.level.store(Level::Run as u8, Ordering::Release);
        self.control.running.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_only_raised_and_end_with_the_run() {
        let control = Control::new();
        control.request(Level::Abort);
        control.request(Level::Stop);
        assert_eq!(control.level(), Level::Abort);
        let running = control.begin().unwrap().unwrap();
        assert_eq!(control.level(), Level::Abort, "a request before the run counts");
        assert!(control.begin().unwrap().is_none());
        drop(running);
        assert_eq!(control.level(), Level::Run);
        assert!(control.begin().unwrap().is_some());
    }
}
