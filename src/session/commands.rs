//! The commands that have a place in the order of states, one by one: each has code of its own, in
//! which what holds for the command is known when it is compiled.

use super::core::{Flow, Session};
use super::filter::Filter;
use super::report::Report;
use crate::proto::codes::status;
use crate::proto::command::{self, Command};
use crate::proto::planted::{Bug, planted};
use crate::proto::state::{self, State, Transition};

/// The payload of a packet, without the byte behind it.
#[inline]
pub(super) fn payload(bytes: &mut [u8]) -> &mut [u8] {
    bytes.split_last_mut().map(|(_behind, payload)| payload).unwrap_or_default()
}

/// What becomes of the session, whether the command was processed or not.
#[inline]
pub(super) fn flow(done: Result<Flow, Flow>) -> Flow {
    done.unwrap_or_else(|flow| flow)
}

impl Session {
    /// As [`Session::process`], for a session that is not verbose.
    #[expect(clippy::inline_always, reason = "each packet's way; the other caller is cold")]
    #[inline(always)]
    pub fn dispatch<F: Filter>(&mut self, filter: &F, command: Command, bytes: &mut [u8]) -> Flow {
        match command {
            Command::Header => flow(self.header(filter, bytes)),
            Command::Rcpt => self.rcpt(filter, bytes),
            Command::Body => self.body(filter, bytes),
            Command::Eoh => self.eoh(filter, bytes),
            Command::Data => self.data(filter, bytes),
            Command::Eom => self.eom(filter, bytes),
            Command::Mail => self.mail(filter, bytes),
            _ => self.seldom(filter, command, bytes),
        }
    }

    /// What comes before each command: whether it may come now; the state it leads to. Else what
    /// becomes of the session.
    #[expect(clippy::inline_always, reason = "the command is a constant where it is called")]
    #[inline(always)]
    pub(super) fn begin<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        next: State,
        bytes: &[u8],
    ) -> Result<State, Flow> {
        if self.settled.is_some() {
            if let Some(flow) = self.after_verdict(command) {
                return Err(flow);
            }
        }
        let next = match self.state.leads_to(next) {
            true => next,
            false => self.step_over(filter, command)?,
        };
        self.prepare(command, bytes)?;
        Ok(next)
    }

    /// The state that a command leads to which does not follow directly; a message under way is broken
    /// off if need be.
    #[cold]
    pub(super) fn step_over<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
    ) -> Result<State, Flow> {
        let Transition { reset, next } =
            state::transition(self.state, command, self.agreement.protocol);
        let before = self.state;
        if reset {
            self.debug(1, |line| line(format_args!("abort: cur {} cmd {command:?}", before as u8)));
            if self.state.in_message() {
                self.end_message(filter);
            }
        }
        next.ok_or_else(|| self.give_up(Report::OutOfOrder(command, before)))
    }

    /// Checks that there is a payload, if one is needed, and forgets what a command outdates.
    #[expect(clippy::inline_always, reason = "the command is a constant where it is called")]
    #[inline(always)]
    pub(super) fn prepare(&mut self, command: Command, bytes: &[u8]) -> Result<(), Flow> {
        if command.needs_payload() && bytes.len() <= 1 {
            return Err(self.without_payload(command));
        }
        if !matches!(command, Command::Body | Command::Eom) {
            self.skip_body = false;
        }
        let keeps = planted(Bug::RecipientMacrosKept) && command == Command::Rcpt;
        if let Some(stage) = command.clears_macros_from().filter(|_| !keeps) {
            self.context.lock().macros.clear_from(stage);
        }
        Ok(())
    }

    #[cold]
    fn without_payload(&self, command: Command) -> Flow {
        self.debug(1, |line| line(format_args!("cmd={command:?}, buf=NULL")));
        self.malformed(command, "no payload")
    }

    /// Enters a state and replies for a command that has no callback, or none now.
    #[cold]
    pub(super) fn pass(&mut self, command: Command, next: State) -> Flow {
        self.enter(next);
        self.respond(command, status::CONTINUE, command)
    }

    #[expect(clippy::inline_always, reason = "most of all commands")]
    #[inline(always)]
    fn header<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Result<Flow, Flow> {
        let next = self.begin(filter, Command::Header, State::Hdrs, bytes)?;
        if !filter.serves(Command::Header) {
            return Ok(self.pass(Command::Header, next));
        }
        let strings = payload(bytes);
        let Some(value) = command::header_value(strings) else {
            return Err(self.malformed(Command::Header, "it is not two terminated strings"));
        };
        self.enter(next);
        let result = filter.header(&self.context, strings, value);
        Ok(self.respond(Command::Header, result, Command::Header))
    }

    #[inline(never)]
    fn rcpt<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Flow {
        flow(self.envelope(filter, Command::Rcpt, State::Rcpt, bytes))
    }

    #[inline(never)]
    fn mail<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Flow {
        flow(self.envelope(filter, Command::Mail, State::Mail, bytes))
    }

    #[inline(never)]
    fn data<F: Filter>(&mut self, filter: &F, _bytes: &mut [u8]) -> Flow {
        flow(self.event(filter, Command::Data, State::Data))
    }

    #[inline(never)]
    fn eoh<F: Filter>(&mut self, filter: &F, _bytes: &mut [u8]) -> Flow {
        flow(self.event(filter, Command::Eoh, State::Eohs))
    }

    /// MAIL and RCPT.
    #[expect(clippy::inline_always, reason = "the command is a constant where it is called")]
    #[inline(always)]
    fn envelope<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        next: State,
        bytes: &mut [u8],
    ) -> Result<Flow, Flow> {
        let next = self.begin(filter, command, next, bytes)?;
        if !filter.serves(command) {
            return Ok(self.pass(command, next));
        }
        let payload = payload(bytes);
        let Some(end) = command::strings(payload) else {
            return Err(self.malformed(command, "the address is not terminated"));
        };
        self.enter(next);
        let strings = payload.get_mut(..end).unwrap_or_default();
        match filter.envelope(&self.context, command, strings) {
            Some(result) => Ok(self.respond(command, result, command)),
            None => Err(Flow::Close),
        }
    }

    /// DATA and the end of the headers.
    #[expect(clippy::inline_always, reason = "the command is a constant where it is called")]
    #[inline(always)]
    fn event<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        next: State,
    ) -> Result<Flow, Flow> {
        let next = self.begin(filter, command, next, &[])?;
        if !filter.serves(command) {
            return Ok(self.pass(command, next));
        }
        self.enter(next);
        let result = filter.event(&self.context, command);
        Ok(self.respond(command, result, command))
    }

    #[inline(never)]
    fn body<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Flow {
        flow(self.try_body(filter, bytes))
    }

    #[inline]
    fn try_body<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Result<Flow, Flow> {
        let next = self.begin(filter, Command::Body, State::Body, bytes)?;
        if !filter.serves(Command::Body) || self.skip_body {
            return Ok(self.pass(Command::Body, next));
        }
        self.enter(next);
        let result = filter.body(&self.context, payload(bytes));
        Ok(self.respond(Command::Body, result, Command::Body))
    }

    /// The end of a message, perhaps with a last body chunk: one reply in any case.
    #[inline(never)]
    fn eom<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Flow {
        flow(self.try_eom(filter, bytes))
    }

    #[inline]
    fn try_eom<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Result<Flow, Flow> {
        let next = self.begin(filter, Command::Eom, State::Endm, bytes)?;
        self.enter(next);
        self.had_message = true;
        self.context.lock().changeable = true;
        let chunk = payload(bytes);
        let mut verdict = None;
        let skip_body = std::mem::take(&mut self.skip_body);
        if !chunk.is_empty() && filter.serves(Command::Body) && !skip_body {
            match filter.body(&self.context, chunk) {
                status::CONTINUE | status::SKIP | status::NOREPLY => {}
                result => verdict = Some(result),
            }
        }
        let (result, callback) = match verdict {
            Some(result) => (result, Command::Body),
            None if filter.serves(Command::Eom) => {
                (filter.event(&self.context, Command::Eom), Command::Eom)
            }
            None => (status::CONTINUE, Command::Eom),
        };
        if planted(Bug::EndAnsweredTwice) && callback == Command::Body {
            let _second = self.respond(Command::Eom, status::CONTINUE, callback);
        }
        let flow = self.respond(Command::Eom, result, callback);
        self.context.lock().changeable = planted(Bug::ChangedLate);
        Ok(flow)
    }
}
