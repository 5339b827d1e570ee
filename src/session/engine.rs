//! A session at work: packets in, callbacks called in order, responses out.

use super::core::{Flow, Session};
use super::event::{Due, Event};
use super::filter::Filter;
use super::mistake::Mistake;
use super::report::Report;
use super::watch::Watched;
use crate::proto::command::Command;
use crate::proto::macros;
use crate::proto::planted::{Bug, planted};
use crate::proto::state::State;

impl Session {
    /// Processes one packet.
    ///
    /// `bytes` is the payload with one NUL behind it, which is not part of the packet: callbacks
    /// get strings in place and must never read beyond them.
    pub fn handle<F: Filter>(&mut self, filter: &F, letter: u8, bytes: &mut [u8]) -> Flow {
        if let Some(command) = Command::from_letter(letter) {
            return self.process(filter, command, bytes);
        }
        if self.context.is_watched() {
            self.note_packet(letter, bytes);
        }
        self.debug(1, |line| line(format_args!("cmd '{}' unknown", letter.escape_ascii())));
        self.give_up(Report::UnknownCommand(letter))
    }

    /// Processes one packet whose letter is known; see [`Session::handle`].
    #[expect(clippy::inline_always, reason = "each packet's way; other callers are cold")]
    #[inline(always)]
    pub fn process<F: Filter>(&mut self, filter: &F, command: Command, bytes: &mut [u8]) -> Flow {
        if self.verbose {
            return self.process_watched(filter, command, bytes);
        }
        self.dispatch(filter, command, bytes)
    }

    /// As [`Session::process`], for a session of which somebody wants to hear.
    #[cold]
    fn process_watched<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        bytes: &mut [u8],
    ) -> Flow {
        self.debug_packet(command, bytes.len().saturating_sub(1));
        if self.context.is_watched() {
            self.note_packet(command.letter(), bytes);
        }
        let due = self.due(command);
        self.dispatch(&Watched { filter, due }, command, bytes)
    }

    /// What the MTA waits for when it has sent a command.
    fn due(&self, command: Command) -> Due {
        match command {
            Command::Negotiate => Due::Agreement,
            Command::Eom => Due::Verdict,
            Command::Macro | Command::Quit | Command::Abort | Command::QuitNc => Due::Nothing,
            _ if self.agreement.is_silent(command) => Due::Silence,
            _ => Due::Reply,
        }
    }

    /// Processes a command that ends a message or an SMTP connection and has no answer.
    #[cold]
    pub(super) fn end_early<F: Filter>(&mut self, filter: &F, command: Command) -> Flow {
        self.end_message(filter);
        if command == Command::QuitNc {
            self.close(filter);
            if !planted(Bug::ReplyKept) {
                self.context.lock().forget_reply();
            }
            self.state = State::QuitNc;
        }
        Flow::Continue
    }

    /// Whether somebody may want to hear of packets.
    #[inline]
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Takes macros in, of a packet as [`Session::handle`] gets: half of an MTA's packets are of this kind,
    /// and most of these for commands that have no stage of their own. Calls no callback.
    #[inline]
    pub fn take_macros(&mut self, bytes: &[u8]) -> Flow {
        let [letter, strings @ .., _] = bytes else {
            return self.malformed(Command::Macro, "no payload");
        };
        if self.settled.is_some() {
            self.macros_after_verdict(*letter);
        }
        match macros::stage_of(*letter) {
            Some(stage) => self.store_macros(stage, strings),
            None => Flow::Continue,
        }
    }

    /// Stores macros until a callback asks for them.
    #[inline(never)]
    fn store_macros(&mut self, stage: usize, strings: &[u8]) -> Flow {
        match self.context.lock().macros.store(stage, strings) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Close,
        }
    }

    /// Ends the session: the abort callback if a message is under way, then the close callback.
    pub fn finish<F: Filter>(&mut self, filter: &F) {
        if self.context.is_watched() {
            self.end(&Watched { filter, due: Due::Nothing });
        } else {
            self.end(filter);
        }
        if !self.context.private().is_null() {
            self.context.output.report(Report::PrivateData);
            self.context.complain(None, Mistake::PrivateData);
        }
    }

    fn end<F: Filter>(&mut self, filter: &F) {
        self.end_message(filter);
        self.close(filter);
    }

    /// Calls the close callback, once for each SMTP connection.
    fn close<F: Filter>(&mut self, filter: &F) {
        if !std::mem::replace(&mut self.closed, true) || planted(Bug::CloseTwice) {
            if filter.serves(Command::Quit) {
                let _ignored = filter.event(&self.context, Command::Quit);
            }
            self.context.lock().macros.clear_from(0);
        }
    }

    #[cold]
    fn note_packet(&self, letter: u8, bytes: &[u8]) {
        let payload = bytes.split_last().map(|(_behind, payload)| payload).unwrap_or_default();
        self.context.note(Event::Packet(letter, payload));
    }

    #[cold]
    fn debug_packet(&self, command: Command, size: usize) {
        self.debug(4, |line| line(format_args!("got cmd {command:?} len {size}")));
    }
}
