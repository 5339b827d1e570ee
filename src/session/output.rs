//! The way back to the MTA and to the log, as a session sees it.

use super::event::Event;
use super::report::Report;
use crate::proto::command::Command;
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

    /// Sends a reply without payload, at once: nearly all packets that are sent.
    ///
    /// # Errors
    /// As [`Output::send`].
    fn reply(&self, letter: u8) -> Result<(), SendError> {
        self.send(letter, Payload::None, true)
    }

    /// Logs something an operator should know.
    fn report(&self, report: Report<'_>);

    /// For somebody who wants to hear of the session: the way on, which this one stands in.
    ///
    /// What is not told otherwise goes there, so that whoever listens says only what is its own.
    fn inside(&self) -> Option<&dyn Output> {
        None
    }

    /// The command whose callback runs; nothing where that is not known.
    fn callback(&self) -> Option<Command> {
        self.inside()?.callback()
    }

    /// Whether the callback that runs, or has just returned, has run for too long: nothing more of it is
    /// sent, and if the MTA waited for a reply, it was sent a temporary failure. What came of that.
    fn overran(&self) -> Option<Result<(), SendError>> {
        self.inside()?.overran()
    }

    /// Whether debug output of this level was asked for (`smfi_setdbg`).
    fn debugs(&self, level: i32) -> bool {
        self.inside().is_some_and(|inside| inside.debugs(level))
    }

    /// Writes one line of debug output.
    fn debug(&self, line: std::fmt::Arguments<'_>) {
        if let Some(inside) = self.inside() {
            inside.debug(line);
        }
    }

    /// Whether somebody wants to hear of all that happens in the session; does not change.
    fn watches(&self) -> bool {
        self.inside().is_some()
    }

    /// Something has happened in a session that is watched.
    fn note(&self, event: Event<'_>) {
        if let Some(inside) = self.inside() {
            inside.note(event);
        }
    }
}
