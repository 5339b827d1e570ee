//! Descriptors of a run that the filter has closed: the end of the run.
//!
//! A filter that closes descriptors it does not own takes away what the run waits with, and nothing
//! tells: a closed descriptor is not watched any more, and one that is waited for goes on being waited
//! for. So the supervisor looks at them now and then, and whoever gets an error from one says so.

use std::time::Duration;

use super::shared::Shared;
use super::stop::Level;
use crate::session::Filter;
use crate::sys::log::Priority;

/// Pause of a thread that has nothing to wait with any more, between two looks at the phase.
pub(super) const LOST_PAUSE: Duration = Duration::from_millis(10);

/// What was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The listening socket.
    Listener,
    /// What an event loop waits with, or is woken by.
    Loop,
    /// What `smfi_main` waits with, or is woken by.
    Supervisor,
    /// What threads of sessions are woken by.
    Stops,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self {
            Lost::Listener => "the listening socket",
            Lost::Loop => "a descriptor that sessions are waited for with",
            Lost::Supervisor => "a descriptor that smfi_main waits with",
            Lost::Stops => "a descriptor that sessions are ended by",
        };
        write!(
            f,
            "{what} is not what it was: the filter has closed a descriptor that it did not open; \
             smfi_main ends"
        )
    }
}

impl<F: Filter> Shared<F> {
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

    /// A descriptor that is lost.
    pub(super) fn find_lost(&self) -> Option<Lost> {
        let waker = self.control.waker();
        if !waker.is_some_and(|waker| waker.is_intact()) {
            return Some(Lost::Supervisor);
        }
        if !self.loops.iter().all(|event_loop| event_loop.is_intact()) {
            return Some(Lost::Loop);
        }
        if !self.stops.as_ref().is_none_or(|stops| stops.is_intact()) {
            return Some(Lost::Stops);
        }
        let listener = self.listener();
        listener.is_some_and(|listener| !listener.is_intact()).then_some(Lost::Listener)
    }
}
