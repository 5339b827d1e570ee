//! A session: packets in, callbacks called in order, responses out.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::call::Outcome;
use super::context::Context;
use super::settled::Settled;
use super::{Filter, Output, Report};
use crate::proto::codes::status;
use crate::proto::command::Command;
use crate::proto::macros;
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
    /// `xxfi_close` was called, and no command that could be used has come since.
    closed: bool,
    /// Some debug output was asked for.
    verbose: bool,
    /// What the filter does wrong and was reported, as bits of [`Complaint`].
    pub(super) complaints: u8,
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
            verbose: output.debugs(0),
            context: Arc::new(Context::new(output, max_data_size)),
            state: State::Init,
            agreement: Agreement::without_negotiation(filter),
            settled: None,
            skip_body: false,
            closed: false,
            complaints: 0,
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
        if let Some(command) = Command::from_letter(letter) {
            return self.process(filter, command, bytes);
        }
        self.debug(1, |line| line(format_args!("cmd '{}' unknown", letter.escape_ascii())));
        self.context.output.report(Report::UnknownCommand(letter));
        Flow::Close
    }

    /// Processes one packet whose letter is known; see [`Session::handle`].
    #[inline]
    pub fn process<F: Filter>(&mut self, filter: &F, command: Command, bytes: &mut [u8]) -> Flow {
        if self.verbose {
            self.debug_packet(command, bytes.len().saturating_sub(1));
        }
        match command {
            Command::Macro => self.store_macros(bytes),
            Command::Quit => Flow::Close,
            Command::Abort | Command::QuitNc => self.end_early(filter, command),
            _ => self.advance(filter, command, bytes),
        }
    }

    /// Processes a command that ends a message or an SMTP connection and has no answer.
    #[cold]
    fn end_early<F: Filter>(&mut self, filter: &F, command: Command) -> Flow {
        self.end_message(filter);
        if command == Command::QuitNc {
            self.close(filter);
            self.context.lock().reply = None;
            self.state = State::QuitNc;
        }
        Flow::Continue
    }

    /// Stores macros until a callback asks for them; half of an MTA's packets are of this kind.
    #[inline]
    fn store_macros(&mut self, bytes: &[u8]) -> Flow {
        match bytes {
            [letter, strings @ .., _] => {
                if self.settled.is_some() {
                    self.macros_after_verdict(*letter);
                }
                if let Some(stage) = macros::stage_of(*letter) {
                    self.context.lock().macros.store(stage, strings);
                }
                Flow::Continue
            }
            _ => self.malformed(Command::Macro, "no payload"),
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
    #[inline(never)]
    fn advance<F: Filter>(&mut self, filter: &F, command: Command, bytes: &mut [u8]) -> Flow {
        if self.settled.is_some() {
            if let Some(flow) = self.after_verdict(command) {
                return flow;
            }
        }
        let Transition { reset, next } =
            state::transition(self.state, command, self.agreement.protocol);
        let before = self.state;
        if reset {
            self.debug(1, |line| line(format_args!("abort: cur {} cmd {command:?}", before as u8)));
            if self.state.in_message() {
                self.end_message(filter);
            }
        }
        let Some(next) = next else {
            self.context.output.report(Report::OutOfOrder(command, before));
            return Flow::Close;
        };
        if bytes.len() <= 1 && command.needs_payload() {
            self.debug(1, |line| line(format_args!("cmd={command:?}, buf=NULL")));
            return self.malformed(command, "no payload");
        }
        if !matches!(command, Command::Body | Command::Eom) {
            self.skip_body = false;
        }
        if let Some(stage) = command.clears_macros_from() {
            self.context.lock().macros.clear_from(stage);
        }
        match command {
            Command::Negotiate => {
                self.enter(next);
                self.negotiate(filter, bytes)
            }
            Command::Eom => {
                self.enter(next);
                self.end_of_message(filter, bytes)
            }
            _ => match self.call(filter, command, next, bytes) {
                Outcome::Reply(result) => self.respond(command, result, command),
                Outcome::NoCallback => self.respond(command, status::CONTINUE, command),
                Outcome::Malformed(report) => {
                    self.context.output.report(report);
                    Flow::Close
                }
            },
        }
    }

    /// Goes to the state of a command that is well formed.
    pub(super) fn enter(&mut self, next: State) {
        self.state = next;
        self.closed = false;
    }

    /// The end of a message, perhaps with a last body chunk: one reply in any case.
    fn end_of_message<F: Filter>(&mut self, filter: &F, bytes: &mut [u8]) -> Flow {
        self.context.lock().changeable = true;
        let context = &*self.context;
        let mut verdict = None;
        let serves = filter.serves(Command::Eom);
        let skip_body = std::mem::take(&mut self.skip_body);
        if bytes.len() > 1 && filter.serves(Command::Body) && !skip_body {
            let chunk = bytes.split_last_mut().map(|(_, chunk)| chunk).unwrap_or_default();
            match filter.body(context, chunk) {
                status::CONTINUE | status::SKIP | status::NOREPLY => {}
                result => verdict = Some(result),
            }
        }
        let (result, callback) = match verdict {
            Some(result) => (result, Command::Body),
            None if serves => (filter.event(context, Command::Eom), Command::Eom),
            None => (status::CONTINUE, Command::Eom),
        };
        let flow = self.respond(Command::Eom, result, callback);
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
        self.send_packet(letter::OPTNEG, Payload::Raw(&answer))
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
            self.debug(3, |line| {
                line(format_args!(
                    "milter_negotiate: mta_actions=0x{:x}, mta_flags=0x{:x} actions=0x{:x}, flags=0x{:x}",
                    offer.actions, offer.protocol, a.actions, a.answered
                ));
            });
        }
        agreed
    }

    /// Calls the abort callback if a message is under way, which is thereby ended.
    fn end_message<F: Filter>(&mut self, filter: &F) {
        self.settled = None;
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

    #[cold]
    fn malformed(&self, command: Command, why: &'static str) -> Flow {
        self.context.output.report(Report::Malformed(command, why));
        Flow::Close
    }

    #[cold]
    fn debug_packet(&self, command: Command, size: usize) {
        self.debug(4, |line| line(format_args!("got cmd {command:?} len {size}")));
    }

    /// Writes debug output; the line is put together only if it was asked for.
    fn debug(&self, level: i32, write: impl FnOnce(&dyn Fn(std::fmt::Arguments<'_>))) {
        if self.verbose && self.context.output.debugs(level) {
            write(&|line| self.context.output.debug(line));
        }
    }
}
