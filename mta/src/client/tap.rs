//! Listening in on a connection.

use std::fmt;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the milter.
    Sent,
    /// From the milter.
    Received,
}

/// Is told what goes over a connection, as soon as the system has taken or given it.
pub trait Tap: fmt::Debug + Send {
    /// These bytes went over, whole packets or not.
    fn bytes(&mut self, direction: Direction, bytes: &[u8]);

    /// Nothing more goes that way.
    fn closed(&mut self, direction: Direction);
}

/// A tap, or none.
pub(super) type MaybeTap = Option<Box<dyn Tap>>;

/// Tells the tap, if there is one.
pub(super) fn tell(tap: &mut MaybeTap, direction: Direction, bytes: &[u8]) {
    if let Some(tap) = tap {
        tap.bytes(direction, bytes);
    }
}

/// Tells the tap, if there is one.
pub(super) fn tell_closed(tap: &mut MaybeTap, direction: Direction) {
    if let Some(tap) = tap {
        tap.closed(direction);
    }
}
