//! Descriptors of a run that the filter has closed: the end of the run.
//!
//! A filter that closes descriptors it does not own takes away what the run waits with, and nothing
//! tells: a closed descriptor is not watched any more, and one that is waited for goes on being waited
//! for. So the supervisor looks at them now and then, and whoever gets an error from one says so.

use std::time::Duration;

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
