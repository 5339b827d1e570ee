//! From a callback's result to the response and the state that follow.

use super::engine::{Flow, Session};
use super::{Refused, Report};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::proto::response::{Payload, letter};
use crate::proto::state::{self, State};

/// What a filter can do wrong; each is reported once a session.
#[derive(Debug, Clone, Copy)]
enum Complaint {
    PromiseBroken = 1,
    Unlisted = 2,
    Unpromised = 4,
    SkipOutsideBody = 8,
}

impl Session {
    /// Replies with the result of a callback, if there is one, and moves on as it demands.
    pub(super) fn respond(
        &mut self,
        command: Command,
        result: i32,
        callback: Option<Command>,
    ) -> Flow {
        let callback_name = callback.unwrap_or(command);
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
            self.complain(Complaint::Unlisted, Report::Unlisted(callback_name, result));
        }
        if promised {
            if result != status::NOREPLY && callback.is_some() && listed {
                let number = state::log_number(command, self.state);
                let report = Report::PromiseBroken(number, result);
                self.complain(Complaint::PromiseBroken, report);
            }
            if listed {
                self.conclude(command, result);
            }
            return if faked { self.send(letter::CONTINUE) } else { Flow::Continue };
        }
        let result = match result {
            status::NOREPLY => {
                self.complain(Complaint::Unpromised, Report::Unpromised(callback_name));
                status::CONTINUE
            }
            status::SKIP if command != Command::Body => {
                let report = Report::SkipOutsideBody(callback_name);
                self.complain(Complaint::SkipOutsideBody, report);
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

    pub(super) fn send(&mut self, letter: u8) -> Flow {
        self.send_packet(letter, Payload::None)
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
