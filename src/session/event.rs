//! What whoever watches a session hears: packets, callbacks, calls.

use super::mistake::Why;
use crate::proto::command::Command;
use crate::proto::describe::Argument;

/// Something that happens in a session, beside what it sends and reports.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A packet has come: its letter and its payload.
    Packet(u8, &'a [u8]),
    /// Bytes have come that are no packet.
    Bytes(&'a [u8]),
    /// The callback that serves a command is called; what the MTA waits for meanwhile.
    Enter(Command, Due),
    /// It has returned this.
    Return(Command, i32),
    /// The filter has called a function: its name and arguments, and what came of it.
    Call(&'static str, &'a [Argument<'a>], Outcome<'a>),
    /// The MTA has closed the connection.
    HungUp,
    /// The session is over, and its connection is closed.
    End,
}

/// What a function gives its caller.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// `MI_SUCCESS`, or `MI_FAILURE` for this reason.
    Status(Result<(), Why>),
    /// A value.
    Value(Argument<'a>),
}

/// What an MTA waits for while a callback runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing, and nothing comes of the callback: the session, or a message, has ended.
    Nothing,
    /// Nothing, as was negotiated; but what the callback returns may be a verdict.
    Silence,
    /// The answer to its offer.
    Agreement,
    /// A reply.
    Reply,
    /// The reply at the end of a message, before which there may be progress and changes.
    Verdict,
}
