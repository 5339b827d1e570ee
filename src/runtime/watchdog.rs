//! What the service manager hears of a run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::Log;
use crate::sys::log::Priority;
use crate::sys::manager::Manager;

/// The manager of a run, if it has one.
#[derive(Debug)]
pub(super) struct Watchdog {
    manager: Option<Manager>,
    log: Arc<Log>,
    /// The next message, and the time between two.
    next: Option<(Instant, Duration)>,
    /// One could not be sent.
    failed: bool,
}

impl Watchdog {
    pub(super) fn new(manager: Option<Manager>, log: Arc<Log>) -> Watchdog {
        Watchdog { manager, log, next: None, failed: false }
    }

    /// Tells the manager that the run serves.
    pub(super) fn ready(&mut self) {
        // Half of the time, as its manual page advises.
        let limit = self.manager.as_ref().and_then(|manager| manager.watchdog);
        self.next = limit.map(|limit| (Instant::now() + limit / 2, limit / 2));
        self.tell("READY=1");
    }

    /// Tells it that the run stops.
    pub(super) fn stopping(&mut self) {
        self.tell("STOPPING=1");
    }

    /// Tells it that the run goes on, if it is time to; how long until it is again.
    pub(super) fn keep_alive(&mut self) -> Option<Duration> {
        let (at, pause) = self.next?;
        let now = Instant::now();
        if at > now {
            return Some(at - now);
        }
        self.next = Some((now + pause, pause));
        self.tell("WATCHDOG=1");
        Some(pause)
    }

    fn tell(&mut self, message: &str) {
        let Some(manager) = &self.manager else { return };
        let Err(error) = manager.tell(message) else { return };
        if !std::mem::replace(&mut self.failed, true) {
            let text = format!("can't tell the service manager {message}: {error}");
            self.log.line(Priority::Warning, &text);
        }
    }
}
