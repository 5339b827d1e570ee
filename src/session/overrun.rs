//! A callback that has run for too long: its MTA has been answered, and nothing of it counts.

use super::context::Context;
use super::core::{Flow, Session};
use super::output::SendError;
use super::refused::Refused;
use crate::proto::codes::status;
use crate::proto::command::Command;

impl Context {
    /// Whether what the callback does may still count.
    ///
    /// # Errors
    /// It has run for too long.
    #[inline]
    pub(super) fn in_time(&self) -> Result<(), Refused> {
        if self.is_watched() && self.output.overran().is_some() {
            return Err(Refused::Late);
        }
        Ok(())
    }

    /// Why something could not be sent.
    #[cold]
    pub(super) fn unsent(&self) -> Refused {
        self.in_time().err().unwrap_or(Refused::Send)
    }

    /// Takes note that the callback that has just returned had run for too long, if so: nothing of it is
    /// kept.
    #[cold]
    pub(super) fn has_overrun(&self) -> bool {
        let overran = self.output.overran();
        if overran.is_some() {
            let mut inner = self.lock();
            inner.changeable = false;
            inner.forget_reply();
            inner.overran = overran;
        }
        overran.is_some()
    }

    /// What came of the answer in place of a callback that had run for too long; once.
    #[inline]
    pub(super) fn take_overrun(&self) -> Option<Result<(), SendError>> {
        if self.is_watched() { self.lock().overran.take() } else { None }
    }
}

impl Session {
    /// Moves on as after a temporary failure, of which the MTA has heard if it waited.
    ///
    /// If it did not, as silence was negotiated, a failure that concerns more than a message ends the
    /// connection, and that of a recipient is one of the message: nothing else can say it any more.
    #[cold]
    pub(super) fn after_overrun(&mut self, command: Command, told: Result<(), SendError>) -> Flow {
        let silent = self.agreement.is_silent(command);
        match command {
            _ if told.is_err() => return Flow::Close,
            Command::Connect | Command::Helo if silent => return Flow::Close,
            Command::Rcpt if silent => self.settle(status::TEMPFAIL, None),
            _ => self.conclude(command, status::TEMPFAIL, None),
        }
        Flow::Continue
    }
}
