//! The commands that come once a connection, if at all, and those that have no place in the order of
//! states.

use super::commands::{flow, payload};
use super::core::{Flow, Session};
use super::filter::Filter;
use super::origin;
use crate::proto::command::Command;
use crate::proto::state::State;

impl Session {
    /// As [`Session::dispatch`], for what is seldom.
    #[inline(never)]
    pub(super) fn seldom<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        bytes: &mut [u8],
    ) -> Flow {
        match command {
            Command::Macro => self.take_macros(bytes),
            Command::Quit => Flow::Close,
            Command::Abort | Command::QuitNc => self.end_early(filter, command),
            Command::Helo => flow(self.helo(filter, bytes)),
            Command::Connect => flow(self.connect(filter, bytes)),
            Command::Negotiate => flow(self.offer(filter, bytes)),
            _ => flow(self.unknown(filter, bytes)),
        }
    }

    #[inline(never)]
    fn offer<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Result<Flow, Flow> {
        let next = self.begin(filter, Command::Negotiate, State::Opts, bytes)?;
        self.enter(next);
        Ok(self.negotiate(filter, payload(bytes)))
    }

    #[inline(never)]
    fn connect<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Result<Flow, Flow> {
        let next = self.begin(filter, Command::Connect, State::Conn, bytes)?;
        if !filter.serves(Command::Connect) {
            return Ok(self.pass(Command::Connect, next));
        }
        let payload = payload(bytes);
        let (end, address) = origin::parse(payload).map_err(|report| self.give_up(report))?;
        self.enter(next);
        let host = payload.get_mut(..end).unwrap_or_default();
        let result = filter.connect(&self.context, host, &address);
        Ok(self.respond(Command::Connect, result, Command::Connect))
    }

    #[inline(never)]
    fn helo<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Result<Flow, Flow> {
        let next = self.begin(filter, Command::Helo, State::Helo, bytes)?;
        if !filter.serves(Command::Helo) {
            return Ok(self.pass(Command::Helo, next));
        }
        let name = payload(bytes);
        if name.last() != Some(&0) {
            return Err(self.malformed(Command::Helo, "the name is not terminated"));
        }
        self.enter(next);
        let result = filter.helo(&self.context, name);
        Ok(self.respond(Command::Helo, result, Command::Helo))
    }

    /// An SMTP command that the MTA does not know; it has no state of its own.
    #[inline(never)]
    fn unknown<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Result<Flow, Flow> {
        if self.settled.is_some() {
            if let Some(flow) = self.after_verdict(Command::Unknown) {
                return Err(flow);
            }
        }
        let next = self.step_over(filter, Command::Unknown)?;
        self.prepare(Command::Unknown, bytes)?;
        if !filter.serves(Command::Unknown) {
            return Ok(self.pass(Command::Unknown, next));
        }
        self.enter(next);
        // The NUL behind the text belongs to it.
        let result = filter.unknown(&self.context, bytes);
        Ok(self.respond(Command::Unknown, result, Command::Unknown))
    }
}
