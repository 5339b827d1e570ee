//! One MTA connection, pure over two traits: [`Filter`] has the callbacks, [`Output`] takes what
//! goes back to the MTA and to the log.
//!
//! [`Session::handle`] is given one packet at a time; it never waits and knows no clock, so that
//! tests and fuzzers drive a whole session without a socket or a thread.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod call;
mod changes;
mod context;
mod engine;
mod report;
mod respond;
mod settled;
#[cfg(test)]
mod tests;

pub use context::{Context, Refused};
pub use engine::{Flow, Session};
pub use report::{Report, Severity};

use crate::proto::address::Address;
use crate::proto::command::Command;
use crate::proto::negotiate::{FilterTraits, Offer, Request};
use crate::proto::response::Payload;

/// A response could not be sent: it is over the data size limit, or the connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendError;

/// Where responses, log lines and debug output of a session go.
///
/// All methods may be called from any thread while a callback runs.
pub trait Output: Send + Sync {
    /// Sends one response packet: at once if `now`, else with the next one that is sent at once.
    ///
    /// Replies and progress are sent at once, changes are always followed by a reply.
    ///
    /// # Errors
    /// The packet, or one before it that had been held back, could not be written.
    fn send(&self, letter: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError>;

    /// Logs something an operator should know.
    fn report(&self, report: Report<'_>);

    /// Whether debug output of this level was asked for (`smfi_setdbg`).
    fn debugs(&self, level: i32) -> bool;

    /// Writes one line of debug output.
    fn debug(&self, line: std::fmt::Arguments<'_>);
}

/// The callbacks of a filter.
///
/// Strings are handed over within a buffer the callback may write to; each ends in NUL. Results
/// are those of the C callbacks, unchecked.
pub trait Filter: Send + Sync {
    /// What negotiation needs to know.
    fn traits(&self) -> FilterTraits;

    /// Whether the callback that serves a command is set (and its version allows to call it).
    fn serves(&self, command: Command) -> bool;

    /// `xxfi_negotiate`: `request` holds the defaults and is changed in place.
    fn negotiate(&self, context: &Context, offer: &Offer, request: &mut Request) -> i32;

    /// `xxfi_connect`.
    fn connect(&self, context: &Context, host: &mut [u8], address: &Address) -> i32;

    /// `xxfi_helo`.
    fn helo(&self, context: &Context, name: &mut [u8]) -> i32;

    /// `xxfi_envfrom` and `xxfi_envrcpt`: one or more strings, one after the other.
    fn envelope(&self, context: &Context, command: Command, strings: &mut [u8]) -> i32;

    /// `xxfi_header`: the name, and from `value` on the value.
    fn header(&self, context: &Context, strings: &mut [u8], value: usize) -> i32;

    /// `xxfi_body`: at least one byte, without NUL at the end.
    fn body(&self, context: &Context, chunk: &mut [u8]) -> i32;

    /// `xxfi_unknown`.
    fn unknown(&self, context: &Context, text: &mut [u8]) -> i32;

    /// `xxfi_data`, `xxfi_eoh`, `xxfi_eom`, `xxfi_abort` and `xxfi_close`, by command.
    fn event(&self, context: &Context, command: Command) -> i32;
}
