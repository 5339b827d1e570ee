//! A session: packets in, callbacks called in order, responses out.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::context::Context;
use super::{Filter, Output, Report};
use crate::proto::address;
use crate::proto::codes::{status, step};
use crate::proto::command::{self, Command};
use crate::proto::negotiate::{self, Agreement, FilterTraits, NegotiateError, Offer};
use crate::proto::response::{Payload, letter};
use crate::proto::state::{self, State, Transition};

/// Whether the connection stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Wait for the next packet.
    Continue,
    /// Call [`Session::finish`] and close the connection.
    Close,
}

/// What a callback came to.
enum Outcome {
    /// A result to reply with.
    Reply(i32),
    /// There is no callback for the command.
    NoCallback,
    /// The payload can't be handed to the callback.
    Malformed(&'static str),
}

/// One connection of an MTA, which may serve several SMTP connections and messages.
#[derive(Debug)]
pub struct Session {
    context: Arc<Context>,
    state: State,
    agreement: Agreement,
    /// The message was accepted by a callback; an MTA that goes on with it hears so again.
    accepted: bool,
    /// `xxfi_body` wants no more of this message, and the MTA does not know SKIP.
    skip_body: bool,
    /// `xxfi_close` was called, and nothing has come since.
    closed: bool,
    /// A broken promise of no reply was reported.
    complained: bool,
}

impl Session {
    /// A session that was just accepted.
    ///
    /// `max_data_size` is the process-wide limit, in bytes.
    #[must_use]
    pub fn new(
        filter: FilterTraits,
        output: Arc<dyn Output>,
        max_data_size: Arc<AtomicUsize>,
    ) -> Session {
        Session {
            context: Arc::new(Context::new(output, max_data_size)),
            state: State::Init,
            agreement: Agreement::without_negotiation(filter),
            accepted: false,
            skip_body: false,
            closed: false,
            complained: false,
        }
    }

    /// What the session's callbacks get.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Whether a message is under way, so that ending the session now would break it off.
    #[must_use]
    pub fn in_message(&self) -> bool {
        self.state.in_message()
    }

    /// Processes one packet.
    ///
    /// `bytes` is the payload with one NUL behind it, which is not part of the packet: callbacks
    /// get strings in place and must never read beyond them.
    pub fn handle<F: Filter>(&mut self, filter: &F, letter: u8, bytes: &mut [u8]) -> Flow {
        let size = bytes.len().saturating_sub(1);
        self.debug(4, format_args!("got cmd '{}' len {size}", letter.escape_ascii()));
        let Some(command) = Command::from_letter(letter) else {
            self.debug(1, format_args!("cmd '{}' unknown", letter.escape_ascii()));
            self.context.output.report(Report::UnknownCommand(letter));
            return Flow::Close;
        };
        match command {
            Command::Quit => Flow::Close,
            Command::Abort => {
                self.end_message(filter);
                Flow::Continue
            }
            Command::QuitNc => {
                self.end_message(filter);
                self.close(filter);
                self.context.lock().reply = None;
                self.state = State::QuitNc;
                Flow::Continue
            }
            Command::Macro => match bytes.split_last() {
                Some((_, payload)) if !payload.is_empty() => {
                    self.context.lock().macros.store(payload);
                    Flow::Continue
                }
                _ => self.malformed(command, "no payload"),
            },
            _ => self.advance(filter, command, bytes),
        }
    }

    /// Ends the session: the abort callback if a message is under way, then the close callback.
    pub fn finish<F: Filter>(&mut self, filter: &F) {
        self.end_message(filter);
        self.close(filter);
        if !self.context.private().is_null() {
            self.context.output.report(Report::PrivateData);
        }
    }

    /// Processes a command that has a place in the order of states.
    fn advance<F: Filter>(&mut self, filter: &F, command: Command, bytes: &mut [u8]) -> Flow {
        let Transition { reset, next } =
            state::transition(self.state, command, self.agreement.protocol);
        let before = self.state;
        if reset {
            self.debug(1, format_args!("abort: cur {} cmd {command:?}", before as u8));
            if self.state.in_message() {
                self.end_message(filter);
            }
        }
        let Some(next) = next else {
            return self.refuse(command, before);
        };
        if bytes.len() <= 1 && command.needs_payload() {
            self.debug(1, format_args!("cmd={command:?}, buf=NULL"));
            return self.malformed(command, "no payload");
        }
        self.accepted = false;
        self.closed = false;
        if command != Command::Body {
            self.skip_body = false;
        }
        if let Some(stage) = command.clears_macros_from() {
            self.context.lock().macros.clear_from(stage);
        }
        match command {
            Command::Negotiate => {
                self.state = next;
                self.negotiate(filter, bytes)
            }
            Command::Eom => {
                self.state = next;
                self.end_of_message(filter, bytes)
            }
            _ => match self.call(filter, command, next, bytes) {
                Outcome::Reply(result) => self.respond(command, result, true),
                Outcome::NoCallback => self.respond(command, status::CONTINUE, false),
                Outcome::Malformed(why) => self.malformed(command, why),
            },
        }
    }

    /// A command that can't be processed here and now.
    fn refuse(&mut self, command: Command, before: State) -> Flow {
        if self.accepted && command.is_message() {
            // The message was accepted while the MTA still sends it: the verdict holds.
            self.accepted = command != Command::Eom;
            let promised = self.agreement.protocol & command.no_reply_flag();
            if promised & !self.agreement.faked != 0 {
                return Flow::Continue;
            }
            return self.send(letter::ACCEPT);
        }
        self.context.output.report(Report::OutOfOrder(command, before));
        Flow::Close
    }

    /// Calls the callback of a command, once its payload is known to be well-formed.
    fn call<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        next: State,
        bytes: &mut [u8],
    ) -> Outcome {
        use Outcome::{Malformed, NoCallback, Reply};
        if !filter.serves(command) || (command == Command::Body && self.skip_body) {
            self.state = next;
            return NoCallback;
        }
        let context = Arc::clone(&self.context);
        let size = bytes.len().saturating_sub(1);
        let payload = bytes.get(..size).unwrap_or_default();
        match command {
            Command::Connect => {
                let Some(nul) = payload.iter().position(|&b| b == 0) else {
                    return Malformed("the host name is not terminated");
                };
                let address = match address::parse(payload, nul + 1) {
                    Ok(address) => address,
                    Err(error) => {
                        self.context.output.report(Report::Address(error));
                        return Malformed("the client address can't be used");
                    }
                };
                self.state = next;
                let host = bytes.get_mut(..=nul).unwrap_or_default();
                Reply(filter.connect(&context, host, &address))
            }
            Command::Helo => {
                if payload.last() != Some(&0) {
                    return Malformed("the name is not terminated");
                }
                self.state = next;
                let name = bytes.get_mut(..size).unwrap_or_default();
                Reply(filter.helo(&context, name))
            }
            Command::Mail | Command::Rcpt => {
                let Some(end) = command::strings(payload) else {
                    return Malformed("the address is not terminated");
                };
                self.state = next;
                let strings = bytes.get_mut(..end).unwrap_or_default();
                Reply(filter.envelope(&context, command, strings))
            }
            Command::Header => {
                let Some(value) = command::header_value(payload) else {
                    return Malformed("it is not two terminated strings");
                };
                self.state = next;
                let strings = bytes.get_mut(..size).unwrap_or_default();
                Reply(filter.header(&context, strings, value))
            }
            Command::Body => {
                self.state = next;
                let chunk = bytes.get_mut(..size).unwrap_or_default();
                Reply(filter.body(&context, chunk))
            }
            Command::Unknown => {
                self.state = next;
                Reply(filter.unknown(&context, bytes))
            }
            _ => {
                self.state = next;
                Reply(filter.event(&context, command))
            }
        }
    }

    /// The end of a message, perhaps with a last body chunk: one reply in any case.
    fn end_of_message<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Flow {
        self.context.lock().changeable = true;
        let context = Arc::clone(&self.context);
        let mut verdict = None;
        if bytes.len() > 1 && filter.serves(Command::Body) {
            let chunk = bytes.split_last_mut().map(|(_, chunk)| chunk).unwrap_or_default();
            match filter.body(&context, chunk) {
                status::CONTINUE | status::SKIP | status::NOREPLY => {}
                result => verdict = Some(result),
            }
        }
        let serves = filter.serves(Command::Eom);
        let result = match verdict {
            Some(result) => result,
            None if serves => filter.event(&context, Command::Eom),
            None => status::CONTINUE,
        };
        let flow = self.respond(Command::Eom, result, true);
        self.context.lock().changeable = false;
        flow
    }

    fn negotiate<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Flow {
        let payload = bytes.split_last().map(|(_, payload)| payload).unwrap_or_default();
        match self.agreed(filter, payload) {
            Ok(agreement) => self.agreement = agreement,
            Err(error) => {
                self.context.output.report(Report::Negotiate(error));
                return Flow::Close;
            }
        }
        let agreement = self.agreement;
        self.context.lock().granted = agreement.actions;
        let answer = self.context.symbol_lists(|lists| agreement.encode(lists));
        match self.context.emit(letter::OPTNEG, Payload::Raw(&answer), false) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Close,
        }
    }

    fn agreed<F: Filter>(&self, filter: &F, payload: &[u8]) -> Result<Agreement, NegotiateError> {
        let traits = filter.traits();
        let offer = Offer::parse(payload, traits)?;
        if let Some(size) = offer.max_data_size() {
            self.context.set_max_data_size(size);
        }
        let mut request = offer.defaults(traits);
        let called = filter.serves(Command::Negotiate).then(|| {
            let result = filter.negotiate(&self.context, &offer, &mut request);
            (result, request)
        });
        let agreed = negotiate::agree(&offer, traits, called);
        if let Ok(a) = &agreed {
            self.debug(
                3,
                format_args!(
                    "milter_negotiate: mta_actions=0x{:x}, mta_flags=0x{:x} actions=0x{:x}, flags=0x{:x}",
                    offer.actions, offer.protocol, a.actions, a.answered
                ),
            );
        }
        agreed
    }

    /// Replies with a callback's result, and moves on as the result demands.
    fn respond(&mut self, command: Command, result: i32, from_callback: bool) -> Flow {
        let flag = command.no_reply_flag();
        let promised = self.agreement.protocol & flag != 0;
        let faked = self.agreement.faked & flag != 0;
        let listed = matches!(
            result,
            status::CONTINUE
                | status::REJECT
                | status::DISCARD
                | status::ACCEPT
                | status::TEMPFAIL
                | status::NOREPLY
                | status::SKIP
        );
        if !listed {
            self.context.output.report(Report::Unlisted(command, result));
        }
        if promised {
            if result != status::NOREPLY && from_callback && listed && !self.complained {
                self.complained = true;
                let number = state::log_number(command, self.state);
                self.context.output.report(Report::PromiseBroken(number, result));
            }
            if listed {
                self.conclude(command, result);
            }
            return if faked { self.send(letter::CONTINUE) } else { Flow::Continue };
        }
        let result = match result {
            status::NOREPLY => {
                self.context.output.report(Report::Unpromised(command));
                status::CONTINUE
            }
            status::SKIP if command != Command::Body => {
                self.context.output.report(Report::SkipOutsideBody(command));
                status::CONTINUE
            }
            status::SKIP if self.agreement.answered & step::SKIP == 0 => {
                self.skip_body = true;
                status::CONTINUE
            }
            _ if listed => result,
            _ => status::TEMPFAIL,
        };
        let flow = match result {
            status::REJECT => self.send_verdict(letter::REJECT, b'5'),
            status::TEMPFAIL => self.send_verdict(letter::TEMPFAIL, b'4'),
            status::DISCARD => self.send(letter::DISCARD),
            status::ACCEPT => self.send(letter::ACCEPT),
            status::SKIP => self.send(letter::SKIP),
            _ => self.send(letter::CONTINUE),
        };
        if flow == Flow::Continue {
            self.conclude(command, result);
        }
        flow
    }

    /// Moves to the state that a result leads to.
    fn conclude(&mut self, command: Command, result: i32) {
        match result {
            status::ACCEPT => {
                self.accepted = self.state.in_message();
                self.state = State::Helo;
            }
            // These concern one recipient or one command, not the message.
            status::REJECT | status::TEMPFAIL | status::DISCARD
                if !matches!(command, Command::Rcpt | Command::Unknown) =>
            {
                self.state = State::Helo;
            }
            _ => {}
        }
    }

    fn send(&mut self, letter: u8) -> Flow {
        match self.context.emit(letter, Payload::None, false) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Close,
        }
    }

    /// Sends a refusal, with the stored reply if its class fits.
    fn send_verdict(&mut self, letter: u8, class: u8) -> Flow {
        let Some(reply) = self.context.take_reply(class) else { return self.send(letter) };
        match self.context.emit(letter::REPLYCODE, Payload::Strings(&[&reply]), false) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Close,
        }
    }

    /// Calls the abort callback if a message is under way, which is thereby ended.
    fn end_message<F: Filter>(&mut self, filter: &F) {
        self.accepted = false;
        self.skip_body = false;
        if self.state.in_message() {
            self.state = State::Helo;
            if filter.serves(Command::Abort) {
                let _ignored = filter.event(&self.context, Command::Abort);
            }
        }
    }

    /// Calls the close callback, once for each SMTP connection.
    fn close<F: Filter>(&mut self, filter: &F) {
        if !std::mem::replace(&mut self.closed, true) {
            if filter.serves(Command::Quit) {
                let _ignored = filter.event(&self.context, Command::Quit);
            }
            self.context.lock().macros.clear_from(0);
        }
    }

    fn malformed(&self, command: Command, why: &'static str) -> Flow {
        self.context.output.report(Report::Malformed(command, why));
        Flow::Close
    }

    fn debug(&self, level: i32, line: std::fmt::Arguments<'_>) {
        if self.context.output.debugs(level) {
            self.context.output.debug(line);
        }
    }
}
