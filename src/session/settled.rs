//! A verdict in the middle of a message holds for the rest of it.
//!
//! Most MTAs send nothing more of a message that a callback has accepted, refused or discarded. Some
//! go on, and so does every MTA to which the verdict could not be told because silence was agreed.
//! Each of their commands gets the reply they wait for, and no callback.

use super::engine::{Flow, Session};
use crate::proto::command::Command;
use crate::proto::state::State;

/// A message with its verdict.
#[derive(Debug)]
pub(super) struct Settled {
    /// What the callback returned.
    result: i32,
    /// The text that goes with it.
    reply: Option<Box<[u8]>>,
    /// How far the message has got.
    place: State,
}

impl Session {
    /// Ends the message under way, if any, with a verdict and its text.
    pub(super) fn settle(&mut self, result: i32, reply: Option<Box<[u8]>>) {
        if self.state.in_message() {
            self.settled = Some(Box::new(Settled { result, reply, place: self.state }));
        }
        self.state = State::Helo;
    }

    /// Repeats the verdict if a command is part of the message it is on; `None` if it is not.
    #[cold]
    pub(super) fn after_verdict(&mut self, command: Command) -> Option<Flow> {
        if command == Command::Unknown {
            // An SMTP command, which may come within a message but is no part of it.
            return None;
        }
        // What begins a message, or an SMTP connection, ends the one before.
        let mut settled = self.settled.take()?;
        let next = State::after(command).filter(|_| command.is_message())?;
        if command == Command::Mail || settled.place.is_before(next, self.agreement.protocol) {
            return None;
        }
        let promised = self.agreement.protocol & command.no_reply_flag();
        let flow = if promised & !self.agreement.faked != 0 {
            Flow::Continue
        } else {
            if settled.reply.is_none() {
                settled.reply = self.verdict_text(settled.result);
            }
            self.send_result(settled.result, settled.reply.as_deref())
        };
        if command != Command::Eom {
            settled.place = settled.place.max(next);
            self.settled = Some(settled);
        }
        Some(flow)
    }

    /// Takes note of macros for a command that can only be part of the next message: MTAs send
    /// them even where the command itself was not asked for.
    #[cold]
    pub(super) fn macros_after_verdict(&mut self, letter: u8) {
        let next = Command::from_letter(letter).and_then(State::after);
        let protocol = self.agreement.protocol;
        self.settled = self
            .settled
            .take()
            .filter(|settled| !next.is_some_and(|next| settled.place.is_before(next, protocol)));
    }
}
