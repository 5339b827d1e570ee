//! What a loop has to do, and what it does not take on.

use super::connection::{Connection, Job};
use crate::sys::clock::Time;

/// What is to be done besides events.
pub(super) enum Due {
    /// A session has to end, for its deadline or for the phase.
    Session(u32, Job),
    /// The pause in accepting is over.
    Accepting,
    /// Nothing until then.
    Nothing(Option<Time>),
}

/// A session that a loop does not take in.
pub(super) enum Refused {
    /// The loop has no thread; another one may take it.
    Parked(Box<Connection>),
    /// It is to end rather than to wait, or can't be watched.
    ToEnd(Box<Connection>),
}
