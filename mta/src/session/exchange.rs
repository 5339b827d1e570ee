//! One command and what comes back.

use std::time::{Duration, Instant};

use super::error::{Place, Problem, SessionError};
use super::event::{Decision, Event};
use super::profile::Mta;
use super::smtp::SmtpReply;
use super::stage::Stage;
use super::{Filter, Session};
use crate::client::ClientError;
use crate::mail::Change;
use crate::wire::flags::{action, describe};
use crate::wire::{Command, Reply};

impl Session<'_> {
    /// Sends macros and command of a stage and gives the decision.
    ///
    /// `None` means that nothing was asked: the milter is out of this session, does not want the
    /// command, or has announced not to reply.
    pub(super) fn step(
        &mut self,
        stage: Stage,
        command: &Command<'_>,
    ) -> Result<Option<Decision>, SessionError> {
        self.send_stage(stage, command)
            .and_then(|asked| if asked { self.decide_at(stage) } else { Ok(None) })
            .map_err(|problem| self.failed(Place::Stage(stage), problem))
    }

    /// Ends the message and collects the changes up to the verdict.
    pub(super) fn end_of_message(
        &mut self,
    ) -> Result<(Option<Decision>, Vec<Change>), SessionError> {
        let stage = Stage::EndOfMessage;
        let mut changes = Vec::new();
        let result = match self.send_stage(stage, &Command::EndOfBody) {
            Ok(true) => self.collect_changes(&mut changes).map(Some),
            Ok(false) => Ok(None),
            Err(problem) => Err(problem),
        };
        let decision = result.map_err(|problem| self.failed(Place::Stage(stage), problem))?;
        Ok((decision, changes))
    }

    /// Sends commands that have no reply.
    pub(super) fn announce(&mut self, commands: &[Command<'_>]) -> Result<(), SessionError> {
        let Some(client) = &mut self.client else {
            return Ok(());
        };
        for command in commands {
            (self.observer)(Event::Sent(command));
            client.queue_command(command);
        }
        client.flush().map_err(|error| self.failed(Place::Quit, error.into()))
    }

    /// Waits for the milter to close; any reply on the way is one that nobody asked for.
    pub(super) fn wait_for_close(&mut self, linger: Duration) -> Result<bool, SessionError> {
        let Some(client) = &mut self.client else {
            return Ok(true);
        };
        if linger.is_zero() {
            return Ok(true);
        }
        let problem = match client.read_packet(linger) {
            Ok(packet) => surplus(Reply::parse(packet)),
            Err(error) if error.is_closed() => return Ok(true),
            Err(ClientError::ReadTimeout { partial: 0, .. }) => return Ok(false),
            Err(error) => error.into(),
        };
        Err(self.failed(Place::Quit, problem))
    }

    /// Notes something odd for the observer and for the outcome.
    pub(super) fn remark(&mut self, text: String) {
        (self.observer)(Event::Remark(&text));
        self.remarks.push(text);
    }

    /// The connection is of no more use after a failure.
    fn failed(&mut self, place: Place, problem: Problem) -> SessionError {
        self.client = None;
        SessionError { place, problem }
    }

    /// Sends macros and command; `true` if a reply is due.
    fn send_stage(&mut self, stage: Stage, command: &Command<'_>) -> Result<bool, Problem> {
        let Some(client) = self.client.as_mut().filter(|_| self.filter == Filter::Active) else {
            return Ok(false);
        };
        if let Some(packet) = client.buffered_packet()? {
            return Err(surplus(Reply::parse(packet)));
        }
        let unwanted = self.agreement.has(stage.unwanted_flag());
        let sendmail = self.profile.mta.is_sendmail();
        // The macros of the SMTP dialogue go out even if their command is not wanted.
        let with_macros = !unwanted || !stage.is_content() && stage != Stage::Unknown;
        if with_macros && let Some(pairs) = self.macros.at(stage, &self.agreement) {
            let pairs: Vec<(&[u8], &[u8])> =
                pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            let macros = Command::Macros { target: stage.letter(), pairs: &pairs };
            (self.observer)(Event::Sent(&macros));
            client.queue_command(&macros);
            if sendmail {
                client.flush()?;
            }
        }
        if unwanted {
            return Ok(false);
        }
        (self.observer)(Event::Sent(command));
        client.queue_command(command);
        let silent = self.agreement.has(stage.silent_flag());
        if sendmail || !silent || client.queued().len() > POSTFIX_BUFFER {
            client.flush()?;
        }
        if silent {
            (self.observer)(Event::Unanswered);
        }
        Ok(!silent)
    }

    /// Waits for the reply to a command other than end of message.
    fn decide_at(&mut self, stage: Stage) -> Result<Option<Decision>, Problem> {
        let Some(client) = &mut self.client else {
            return Ok(None);
        };
        let timeouts = &self.profile.timeouts;
        let bound = if stage.is_content() { timeouts.content } else { timeouts.command };
        loop {
            let reply = Reply::parse(client.read_packet(bound)?)?;
            (self.observer)(Event::Received(&reply));
            if reply == Reply::Progress && self.profile.mta == Mta::Postfix {
                continue;
            }
            return decide(self.profile.mta, stage, &reply).map(Some);
        }
    }

    /// Reads replies to end of message up to the verdict.
    fn collect_changes(&mut self, changes: &mut Vec<Change>) -> Result<Decision, Problem> {
        let stage = Stage::EndOfMessage;
        let (mta, timeouts) = (self.profile.mta, self.profile.timeouts);
        let total = timeouts.end_of_message.unwrap_or(Duration::MAX);
        let deadline = Instant::now().checked_add(total);
        let mut spoiled = false;
        let mut after_body = false;
        loop {
            let left = deadline.map_or(timeouts.content, |deadline| {
                deadline.saturating_duration_since(Instant::now()).min(timeouts.content)
            });
            let Some(client) = &mut self.client else {
                return Ok(Decision::Continue);
            };
            let reply = Reply::parse(client.read_packet(left.max(Duration::from_millis(1)))?)?;
            (self.observer)(Event::Received(&reply));
            let Some(change) = Change::from_reply(&reply) else {
                if reply == Reply::Progress {
                    continue;
                }
                let decision = decide(mta, stage, &reply)?;
                if spoiled {
                    return Ok(Decision::Refuse(SmtpReply::tempfailed(mta)));
                }
                return Ok(decision);
            };
            let is_body = matches!(change, Change::ReplaceBody(_));
            let had_body = changes.iter().any(|old| matches!(old, Change::ReplaceBody(_)));
            if mta == Mta::Postfix && is_body && had_body && !after_body {
                return Err(Problem::Unexpected {
                    reply: reply.to_string(),
                    reason: "Postfix wants all parts of a new body in a row",
                });
            }
            after_body = is_body;
            let needed = reply.needed_action();
            if self.agreement.actions & needed == 0 {
                spoiled |= is_body && mta.is_sendmail();
                let name = describe(needed, action::NAMES);
                let text = format!("{reply}: done without having asked for {name}");
                (self.observer)(Event::Remark(&text));
                self.remarks.push(text);
            }
            change.collect(changes);
        }
    }
}

/// Bytes that Postfix queues before it writes without being about to wait.
const POSTFIX_BUFFER: usize = 4096;

/// A reply where none is due.
fn surplus(reply: Result<Reply<'_>, crate::wire::FormatError>) -> Problem {
    match reply {
        Ok(reply) => Problem::Unexpected {
            reply: reply.to_string(),
            reason: "no reply is due here; the milter answered something twice",
        },
        Err(error) => error.into(),
    }
}

/// What a reply means at a stage; replies that end nothing are errors.
fn decide(mta: Mta, stage: Stage, reply: &Reply<'_>) -> Result<Decision, Problem> {
    let unexpected = |reason| Err(Problem::Unexpected { reply: reply.to_string(), reason });
    match reply {
        Reply::Continue => Ok(Decision::Continue),
        Reply::Accept => Ok(Decision::Accept),
        Reply::Discard => Ok(Decision::Discard),
        Reply::Skip if stage == Stage::EndOfMessage && mta.is_sendmail() => {
            unexpected("there is nothing to skip at the end of the message")
        }
        Reply::Skip => Ok(Decision::Skip),
        Reply::Reject => Ok(Decision::Refuse(SmtpReply::rejected(mta, stage))),
        Reply::Tempfail => Ok(Decision::Refuse(SmtpReply::tempfailed(mta))),
        Reply::ReplyCode(text) => match SmtpReply::from_milter(mta, stage, text) {
            Ok(reply) => Ok(Decision::Refuse(reply)),
            Err(problem) => Err(Problem::ReplyText {
                text: String::from_utf8_lossy(text).into_owned(),
                problem,
            }),
        },
        Reply::Shutdown if mta == Mta::Postfix => Ok(Decision::Refuse(SmtpReply::shutdown())),
        Reply::Shutdown | Reply::ConnFail => unexpected("this MTA does not take it from a milter"),
        Reply::Progress => unexpected("sendmail takes it at the end of the message only"),
        Reply::Negotiate { .. } => unexpected("the negotiation is over"),
        _ => unexpected("changes are taken at the end of the message only"),
    }
}
