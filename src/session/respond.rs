//! From a callback's result to the response and the state that follow.

use std::ops::Range;

use super::core::{Flow, Session};
use super::filter::Filter;
use super::mistake::Mistake;
use super::refused::Refused;
use super::report::Report;
use super::settled::{Holds, Settled};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::proto::planted::{Bug, planted};
use crate::proto::response::{Payload, letter};
use crate::proto::state::{self, State};

/// Results that count as a reply where silence was promised, as in the reference.
const PROMISE_CHECKED: Range<i32> = 0..20;

/// What a filter can do wrong; each is reported once a session.
#[derive(Debug, Clone, Copy)]
enum Complaint {
    PromiseBroken = 1,
    Unlisted = 2,
    Unpromised = 4,
    SkipOutsideBody = 8,
}

/// Whether a callback may return this.
fn is_listed(result: i32) -> bool {
    matches!(
        result,
        status::CONTINUE
            | status::REJECT
            | status::DISCARD
            | status::ACCEPT
            | status::TEMPFAIL
            | status::NOREPLY
            | status::SKIP
    )
}

impl Session {
    /// Replies with a result, and moves on as it demands.
    ///
    /// `callback` is the one it came from, for the log: nearly always that of `command`.
    #[expect(clippy::inline_always, reason = "the command is a constant where it is called")]
    #[inline(always)]
    pub(super) fn respond(&mut self, command: Command, result: i32, callback: Command) -> Flow {
        // Nearly all results: no text goes with them, and nothing ends.
        let promised = self.agreement.protocol & command.no_reply_flag();
        if promised == 0 && result == status::CONTINUE {
            return self.send(letter::CONTINUE);
        }
        if promised & !self.agreement.faked != 0 && result == status::NOREPLY {
            return Flow::Continue;
        }
        self.respond_otherwise(command, result, callback)
    }

    #[inline(never)]
    fn respond_otherwise(&mut self, command: Command, result: i32, callback: Command) -> Flow {
        if let Some(told) = self.context.take_overrun() {
            return self.after_overrun(command, told);
        }
        if self.agreement.protocol & command.no_reply_flag() != 0 {
            return self.keep_silent(command, result, callback);
        }
        let result = match result {
            status::NOREPLY => {
                self.complain(Complaint::Unpromised, Report::Unpromised(callback));
                status::CONTINUE
            }
            status::SKIP if command != Command::Body => {
                let report = Report::SkipOutsideBody(callback);
                self.complain(Complaint::SkipOutsideBody, report);
                status::CONTINUE
            }
            status::SKIP if self.agreement.answered & step::SKIP == 0 => {
                self.skip_body = true;
                status::CONTINUE
            }
            _ if is_listed(result) => result,
            _ => {
                self.complain(Complaint::Unlisted, Report::Unlisted(callback, result, false));
                status::TEMPFAIL
            }
        };
        self.answer(command, result, callback)
    }

    /// Sends a result that may be sent, and moves on as it demands.
    fn answer(&mut self, command: Command, result: i32, callback: Command) -> Flow {
        let reply = self.verdict_text(result);
        if matches!(result, status::REJECT | status::TEMPFAIL) && reply.is_none() {
            self.other_class(result, callback);
        }
        let flow = self.send_result(result, reply.as_deref());
        if flow == Flow::Continue {
            self.conclude(command, result, reply);
        }
        flow
    }

    /// Keeps the promise of no reply that was negotiated, whatever the callback returned.
    fn keep_silent(&mut self, command: Command, result: i32, callback: Command) -> Flow {
        // The MTA may know nothing of the promise, and wait.
        let awaited = self.agreement.faked & command.no_reply_flag() != 0;
        if awaited && !is_listed(result) {
            self.complain(Complaint::Unlisted, Report::Unlisted(callback, result, false));
            return self.answer(command, status::TEMPFAIL, callback);
        }
        if result != status::NOREPLY {
            if PROMISE_CHECKED.contains(&result) {
                let number = state::log_number(command, self.state);
                let report = Report::PromiseBroken(number, result);
                self.complain(Complaint::PromiseBroken, report);
                let flag = command.no_reply_flag();
                self.context.complain(Some(callback), Mistake::NotSilent(flag, result));
            } else {
                self.complain(Complaint::Unlisted, Report::Unlisted(callback, result, true));
            }
        }
        let awaited = awaited || planted(Bug::SilenceBroken) && command == Command::Eoh;
        // Where the MTA waits in vain the session ends, and its message with it, not by the verdict.
        let flow = if awaited { self.send(letter::CONTINUE) } else { Flow::Continue };
        if flow == Flow::Continue && is_listed(result) {
            self.conclude(command, result, None);
        }
        flow
    }

    /// Moves to the state that a result leads to.
    pub(super) fn conclude(&mut self, command: Command, result: i32, reply: Option<Box<[u8]>>) {
        match result {
            status::ACCEPT => self.settle(result, reply),
            // These concern one recipient or one command, not the message.
            status::REJECT | status::TEMPFAIL | status::DISCARD
                if !matches!(command, Command::Rcpt | Command::Unknown) =>
            {
                self.settle(result, reply);
            }
            _ => {}
        }
    }

    /// Ends the message under way, if any, with a verdict and its text.
    pub(super) fn settle(&mut self, result: i32, reply: Option<Box<[u8]>>) {
        if self.state.in_message() {
            let reply = reply.filter(|_| !planted(Bug::VerdictWithoutText));
            self.settled = Some(Box::new(Settled { result, reply, place: self.state }));
        }
        self.state = State::Helo;
    }

    /// Repeats the verdict if a command is part of the message it is on; `None` if it is not.
    #[cold]
    pub(super) fn after_verdict(&mut self, command: Command) -> Option<Flow> {
        let holds = self.settled.as_ref()?.holds(command, self.agreement.protocol);
        let Holds::For(next) = holds else {
            if holds == Holds::NoMore {
                self.settled = None;
            }
            return None;
        };
        let mut settled = self.settled.take()?;
        let flow = if self.agreement.is_silent(command) {
            Flow::Continue
        } else {
            if settled.reply.is_none() {
                settled.reply = self.verdict_text(settled.result);
            }
            self.send_result(settled.result, settled.reply.as_deref())
        };
        if command != Command::Eom && !planted(Bug::VerdictForgotten) {
            settled.place = settled.place.max(next);
            self.settled = Some(settled);
        }
        Some(flow)
    }

    /// Takes note of macros for a command that can only be part of the next message.
    #[cold]
    pub(super) fn macros_after_verdict(&mut self, letter: u8) {
        let protocol = self.agreement.protocol;
        self.settled.take_if(|settled| settled.is_outdated_by(letter, protocol));
    }

    /// Calls the abort callback if a message is under way, which is thereby ended.
    pub(super) fn end_message<F: Filter>(&mut self, filter: &F) {
        self.settled = None;
        self.skip_body = false;
        if self.state.in_message() {
            let before = std::mem::replace(&mut self.state, State::Helo);
            let missed = planted(Bug::AbortMissed) && before == State::Body;
            if filter.serves(Command::Abort) && !missed {
                let _ignored = filter.event(&self.context, Command::Abort);
            }
        }
    }

    /// Takes the stored reply if it goes with a result.
    fn verdict_text(&self, result: i32) -> Option<Box<[u8]>> {
        match result {
            status::REJECT => self.context.take_reply(b'5'),
            status::TEMPFAIL => self.context.take_reply(b'4'),
            _ => None,
        }
    }

    /// Tells of a reply that was set and does not go with the result.
    #[cold]
    fn other_class(&self, result: i32, callback: Command) {
        if let Some(code) = self.context.reply_code() {
            self.context.complain(Some(callback), Mistake::ReplyClass(result, code));
        }
    }

    /// Sends a result, or the text that goes with it.
    fn send_result(&mut self, result: i32, reply: Option<&[u8]>) -> Flow {
        if let Some(reply) = reply {
            return self.send_packet(letter::REPLYCODE, Payload::Strings(&[reply]));
        }
        self.send(match result {
            status::REJECT => letter::REJECT,
            status::TEMPFAIL => letter::TEMPFAIL,
            status::DISCARD => letter::DISCARD,
            status::ACCEPT => letter::ACCEPT,
            status::SKIP => letter::SKIP,
            _ => letter::CONTINUE,
        })
    }

    #[inline]
    fn send(&mut self, letter: u8) -> Flow {
        match self.context.output.reply(letter) {
            Ok(()) => Flow::Continue,
            Err(_) => Flow::Close,
        }
    }

    /// Sends a reply; without it the session can't go on.
    pub(super) fn send_packet(&self, letter: u8, payload: Payload<'_>) -> Flow {
        match self.context.emit(letter, payload, true) {
            Ok(()) => Flow::Continue,
            Err(refused) => {
                // An output that fails has said why.
                if matches!(refused, Refused::TooLong(_)) {
                    let limit = self.context.max_data_size();
                    let report = Report::ReplyTooLong(letter, payload.len(), limit);
                    self.context.output.report(report);
                }
                Flow::Close
            }
        }
    }

    /// Reports something the filter does wrong, the first time it does it.
    fn complain(&mut self, complaint: Complaint, report: Report<'_>) {
        if self.complaints & complaint as u8 == 0 {
            self.complaints |= complaint as u8;
            self.context.output.report(report);
        }
    }
}
