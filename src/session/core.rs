//! What a session consists of.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::context::Context;
use super::output::Output;
use super::report::Report;
use super::settled::Settled;
use crate::proto::command::Command;
use crate::proto::negotiate::{Agreement, FilterTraits};
use crate::proto::state::State;

/// Whether the connection stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Wait for the next packet.
    Continue,
    /// Call [`Session::finish`] and close the connection. The reason has been reported, but for a lack
    /// of memory, of which the caller knows.
    Close,
}

/// One connection of an MTA, which may serve several SMTP connections and messages.
#[derive(Debug)]
pub struct Session {
    pub(super) context: Arc<Context>,
    pub(super) state: State,
    pub(super) agreement: Agreement,
    /// The verdict on the message that was under way; an MTA that goes on with it hears it again.
    pub(super) settled: Option<Box<Settled>>,
    /// `xxfi_body` wants no more of this message, and the MTA does not know SKIP.
    pub(super) skip_body: bool,
    /// A message has come to its end.
    pub(super) had_message: bool,
    /// `xxfi_close` was called, or is not to be, and no command that could be used has come since.
    pub(super) closed: bool,
    /// Some debug output was asked for, or the session is watched.
    pub(super) verbose: bool,
    /// What the filter does wrong and was reported, as bits by kind.
    pub(super) complaints: u8,
}

impl Session {
    /// A session that was just accepted.
    ///
    /// `max_data_size` is the process-wide limit, in bytes. `quiet`: the close callback is not called if no
    /// command has come that could be used.
    #[must_use]
    pub fn new(
        filter: FilterTraits,
        output: Arc<dyn Output>,
        max_data_size: Arc<AtomicUsize>,
        quiet: bool,
    ) -> Session {
        Session {
            verbose: output.debugs(0) || output.watches(),
            context: Arc::new(Context::new(output, max_data_size)),
            state: State::Init,
            agreement: Agreement::without_negotiation(filter),
            settled: None,
            skip_body: false,
            had_message: false,
            closed: quiet,
            complaints: 0,
        }
    }

    /// What the session's callbacks get.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Whether the MTA has negotiated, or gone without.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.state != State::Init
    }

    /// Bytes of macros that are kept.
    #[must_use]
    pub fn macro_bytes(&self) -> usize {
        self.context.lock().macros.size()
    }

    /// Whether a message is under way, so that ending the session now would break it off.
    #[inline]
    #[must_use]
    pub fn in_message(&self) -> bool {
        self.state.in_message()
    }

    /// Whether a message has come to its end in it.
    #[must_use]
    pub fn had_message(&self) -> bool {
        self.had_message
    }

    /// Goes to the state of a command that is well formed.
    #[inline]
    pub(super) fn enter(&mut self, next: State) {
        self.state = next;
        self.closed = false;
    }

    /// Gives the session up.
    #[cold]
    pub(super) fn give_up(&self, report: Report<'_>) -> Flow {
        self.context.output.report(report);
        Flow::Close
    }

    /// Gives the session up for a command whose payload breaks its rules.
    #[cold]
    pub(super) fn malformed(&self, command: Command, why: &'static str) -> Flow {
        self.give_up(Report::Malformed(command, why))
    }

    /// Writes debug output; the line is put together only if it was asked for.
    #[inline]
    pub(super) fn debug(&self, level: i32, write: impl FnOnce(&dyn Fn(std::fmt::Arguments<'_>))) {
        if self.verbose && self.context.output.debugs(level) {
            write(&|line| self.context.output.debug(line));
        }
    }
}
