//! The thread that waits for HUP, INT and TERM while a run is under way.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::log::Log;
use super::stop::{Control, Level};
use crate::sys::log::Priority;
use crate::sys::signal::{StopSignal, interrupt, wait_for_stop_signal};
use crate::sys::thread::{Thread, spawn};

/// Consecutive errors of `sigwait` after which the run is given up, as in the reference.
const ERRORS_MAX: u32 = 16;

/// The signal thread; it ends when this is dropped.
///
/// It goes on after the first signal, so that INT can follow TERM.
#[derive(Debug)]
pub(super) struct SignalThread {
    done: Arc<AtomicBool>,
    thread: Option<Thread>,
}

impl SignalThread {
    /// Starts it; the signals must be blocked in the calling thread.
    pub(super) fn start(control: &'static Control, log: Arc<Log>) -> io::Result<SignalThread> {
        let done = Arc::new(AtomicBool::new(false));
        let finished = Arc::clone(&done);
        let thread = spawn("milter-signal", move || {
            let mut errors = 0;
            while !finished.load(Ordering::Acquire) {
                match wait_for_stop_signal() {
                    _ if finished.load(Ordering::Acquire) => {}
                    Ok(StopSignal::Stop) => control.request(Level::Stop),
                    Ok(StopSignal::Abort) => control.request(Level::Abort),
                    Err(error) => {
                        log.line(Priority::Error, &format!("sigwait returned error: {error}"));
                        errors += 1;
                        if errors > ERRORS_MAX {
                            control.request(Level::Abort);
                            return;
                        }
                        continue;
                    }
                }
                errors = 0;
            }
        })?;
        Ok(SignalThread { done, thread: Some(thread) })
    }
}

impl Drop for SignalThread {
    fn drop(&mut self) {
        // Release pairs with the acquire loads above: the signal that follows is our own.
        self.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            interrupt(&thread);
            thread.join();
        }
    }
}
