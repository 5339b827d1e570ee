//! From a callback's result to the response and the state that follow.

use super::engine::{Flow, Session};
use std::ops::Range;

use super::{Refused, Report};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
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
    pub(super) fn respond(&mut self, command: Command, result: i32, callback: Command) -> Flow {
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

    /// Keeps the promise of no reply that was negotiated, whatever the callback returned.
    fn keep_silent(&mut self, command: Command, result: i32, callback: Command) -> Flow {
        if result != status::NOREPLY {
            if PROMISE_CHECKED.contains(&result) {
                let number = state::log_number(command, self.state);
                let report = Report::PromiseBroken(number, result);
                self.complain(Complaint::PromiseBroken, report);
            } else {
                self.complain(Complaint::Unlisted, Report::Unlisted(callback, result, true));
            }
        }
        if is_listed(result) {
            self.conclude(command, result);
        }
        if self.agreement.faked & command.no_reply_flag() != 0 {
            // The MTA knows nothing of the promise, and waits.
            return self.send(letter::CONTINUE);
        }
        Flow::Continue
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

    pub(super) fn send(&mut self, letter: u8) -> Flow {
        match self.context.output.send(letter, Payload::None, true) {
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
                if refused == Refused::Argument {
                    let limit = self.context.max_data_size();
                    let report = Report::ReplyTooLong(letter, payload.len(), limit);
                    self.context.output.report(report);
                }
                Flow::Close
            }
        }
    }

    /// Sends a refusal, with the stored reply if its class fits.
    fn send_verdict(&mut self, letter: u8, class: u8) -> Flow {
        let Some(reply) = self.context.take_reply(class) else { return self.send(letter) };
        self.send_packet(letter::REPLYCODE, Payload::Strings(&[&reply]))
    }

    /// Reports something the filter does wrong, the first time it does it.
    fn complain(&mut self, complaint: Complaint, report: Report<'_>) {
        if self.complaints & complaint as u8 == 0 {
            self.complaints |= complaint as u8;
            self.context.output.report(report);
        }
    }
}
