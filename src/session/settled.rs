//! A verdict in the middle of a message holds for the rest of it.
//!
//! Most MTAs send nothing more of a message that a callback has accepted, refused or discarded. Some
//! go on, and so does every MTA to which the verdict could not be told because silence was agreed.
//! Each of their commands gets the reply they wait for, and no callback.

use crate::proto::command::Command;
use crate::proto::state::State;

/// A message with its verdict.
#[derive(Debug)]
pub(super) struct Settled {
    /// What the callback returned.
    pub(super) result: i32,
    /// The text that goes with it.
    pub(super) reply: Option<Box<[u8]>>,
    /// How far the message has got.
    pub(super) place: State,
}

/// What becomes of a verdict when a command comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// The command is none of the message's, which goes on.
    Aside,
    /// The command ends the message.
    NoMore,
    /// The command is part of the message, which is now in this state.
    For(State),
}

impl Settled {
    /// Whether the verdict holds for a command.
    pub(super) fn holds(&self, command: Command, protocol: u32) -> Holds {
        if command == Command::Unknown {
            // An SMTP command, which may come within a message but is no part of it.
            return Holds::Aside;
        }
        // What begins a message, or an SMTP connection, ends the one before.
        match State::after(command).filter(|_| command.is_message()) {
            Some(next) if command != Command::Mail && !self.place.is_before(next, protocol) => {
                Holds::For(next)
            }
            _ => Holds::NoMore,
        }
    }

    /// Whether macros are for a command that can only be part of the next message: MTAs send them
    /// even where the command itself was not asked for.
    pub(super) fn is_outdated_by(&self, letter: u8, protocol: u32) -> bool {
        let next = Command::from_letter(letter).and_then(State::after);
        next.is_some_and(|next| self.place.is_before(next, protocol))
    }
}
