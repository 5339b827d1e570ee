//! Scripts of an MTA: bytes to write, and the exact bytes to expect.

use milter_mta::wire::{Command, frame};
use std::ops::Range;

/// One write of an MTA, and what the filter answers.
#[derive(Clone, Debug)]
pub struct Step {
    /// What to send, as a range of [`Script::bytes`].
    pub send: Range<usize>,
    /// What comes back, as a range of [`Script::bytes`]; empty if nothing does.
    pub expect: Range<usize>,
    /// The SMTP client acts here: a client that pauses does so before this step.
    pub turn: bool,
    /// The reply ends a message.
    pub ends: bool,
    /// The connection is closed once this is sent.
    pub hangup: bool,
    /// Letter of the last command sent, for error messages.
    pub letter: u8,
}

/// What an MTA sends on one connection.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// All bytes, which steps refer to.
    pub bytes: Vec<u8>,
    /// The first message's session from negotiation to the end, then the steps of one more message.
    pub steps: Vec<Step>,
    /// The step that begins another message on the same connection.
    pub again: usize,
}

/// A script in the making.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) script: Script,
    /// Bytes of the step being built.
    pending: Vec<u8>,
    letter: u8,
    turn: bool,
}

impl Builder {
    pub(super) fn command(&mut self, command: Command<'_>) {
        self.letter = command.letter();
        command.encode(&mut self.pending);
    }

    pub(super) fn macros(&mut self, target: u8, pairs: &[(&[u8], &[u8])]) {
        Command::Macros { target, pairs }.encode(&mut self.pending);
    }

    /// The next step begins with an action of the SMTP client.
    pub(super) fn turn(&mut self) {
        self.turn = true;
    }

    /// Ends a step; these packets, each a letter and its payload, are the reply.
    pub(super) fn step(&mut self, reply: &[(u8, &[u8])]) {
        let bytes = &mut self.script.bytes;
        let send = bytes.len()..bytes.len() + self.pending.len();
        bytes.append(&mut self.pending);
        for (letter, payload) in reply {
            frame::put(bytes, *letter, payload);
        }
        let expect = send.end..bytes.len();
        let turn = std::mem::take(&mut self.turn);
        let letter = self.letter;
        self.script.steps.push(Step { send, expect, turn, ends: false, hangup: false, letter });
    }

    /// The reply of the last step ends a message.
    pub(super) fn ends(&mut self) {
        if let Some(step) = self.script.steps.last_mut() {
            step.ends = true;
        }
    }

    /// The connection is closed after the last step.
    pub(super) fn hangup(&mut self) {
        if let Some(step) = self.script.steps.last_mut() {
            step.hangup = true;
        }
    }
}
