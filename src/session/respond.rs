//! From a callback's result to the response and the state that follow.

use super::engine::{Flow, Session};
use std::ops::Range;

use super::{Refused, Report};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::proto::response::{Payload, letter};
use crate::proto::state;

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
        self.answer(command, result)
    }

    /// Sends a result that may be sent, and moves on as it demands.
    #[inline]
    fn answer(&mut self, command: Command, result: i32) -> Flow {
        if result == status::CONTINUE {
            // Nearly all results: no text goes with it, and nothing ends.
            return self.send(letter::CONTINUE);
        }
        let reply = self.verdict_text(result);
        let flow = self.send_result(result, reply.as_deref());
        if flow == Flow::Continue {
            self.conclude(command, result, reply);
        }
        flow
    }

    /// As [`Session::answer`], for what is rare.
    #[cold]
    fn fail_for_now(&mut self, command: Command) -> Flow {
        self.answer(command, status::TEMPFAIL)
    }

    /// Keeps the promise of no reply that was negotiated, whatever the callback returned.
    fn keep_silent(&mut self, command: Command, result: i32, callback: Command) -> Flow {
        // The MTA may know nothing of the promise, and wait.
        let awaited = self.agreement.faked & command.no_reply_flag() != 0;
        if awaited && !is_listed(result) {
            self.complain(Complaint::Unlisted, Report::Unlisted(callback, result, false));
            return self.fail_for_now(command);
        }
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
            self.conclude(command, result, None);
        }
        if awaited { self.send(letter::CONTINUE) } else { Flow::Continue }
    }

    /// Moves to the state that a result leads to.
    fn conclude(&mut self, command: Command, result: i32, reply: Option<Box<[u8]>>) {
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

    /// Takes the stored reply if it goes with a result.
    pub(super) fn verdict_text(&self, result: i32) -> Option<Box<[u8]>> {
        match result {
            status::REJECT => self.context.take_reply(b'5'),
            status::TEMPFAIL => self.context.take_reply(b'4'),
            _ => None,
        }
    }

    /// Sends a result, or the text that goes with it.
    pub(super) fn send_result(&mut self, result: i32, reply: Option<&[u8]>) -> Flow {
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

    /// Reports something the filter does wrong, the first time it does it.
    fn complain(&mut self, complaint: Complaint, report: Report<'_>) {
        if self.complaints & complaint as u8 == 0 {
            self.complaints |= complaint as u8;
            self.context.output.report(report);
        }
    }
}
