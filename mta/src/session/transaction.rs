//! One message through a session.

use super::event::Decision;
use super::outcome::{Outcome, RecipientOutcome, Verdict};
use super::profile::Mta;
use super::smtp::SmtpReply;
use super::stage::Stage;
use super::{Filter, Session, SessionError};
use crate::mail::{Address, Change, Envelope, Message, apply};
use crate::wire::flags::protocol;
use crate::wire::{BODY_CHUNK, Command};

/// How the milter's part in a message ended.
enum Ending {
    /// It goes on its way.
    Taken(Stage),
    /// It is thrown away.
    Discarded(Stage),
    /// The client is told this.
    Refused(Stage, SmtpReply),
}

/// What has been gathered about a message so far.
struct Progress {
    recipients: Vec<RecipientOutcome>,
    changes: Vec<Change>,
}

impl Session<'_> {
    /// Plays a message and gives what became of it; `queue_id` is the MTA's name for it.
    pub fn deliver(
        &mut self,
        queue_id: &str,
        envelope: &Envelope,
        message: &Message,
    ) -> Result<Outcome, SessionError> {
        self.remarks.clear();
        self.queue_id = queue_id.to_owned();
        let recipient =
            |recipient: &Address| RecipientOutcome { recipient: recipient.clone(), refused: None };
        let mut progress = Progress {
            recipients: envelope.recipients.iter().map(recipient).collect(),
            changes: Vec::new(),
        };
        let ending = self.play(envelope, message, &mut progress)?;
        if let Ending::Refused(stage, reply) = &ending
            && reply.closes()
        {
            self.filter = Filter::Refused(*stage, reply.clone());
        }
        Ok(self.outcome(ending, envelope, message, progress))
    }

    fn play(
        &mut self,
        envelope: &Envelope,
        message: &Message,
        progress: &mut Progress,
    ) -> Result<Ending, SessionError> {
        match &self.filter {
            Filter::Active => {}
            Filter::Done(stage) => return Ok(Ending::Taken(*stage)),
            Filter::Refused(stage, reply) => return Ok(Ending::Refused(*stage, reply.clone())),
        }
        let due = match self.profile.mta {
            Mta::Postfix => self.mail_seen,
            _ => self.in_message,
        };
        if due {
            self.abort()?;
        }
        self.envelope_macros(envelope, message);
        if let Some(ending) = self.sender(&envelope.sender)? {
            return Ok(ending);
        }
        if let Some(ending) = self.recipients(&mut progress.recipients)? {
            return Ok(ending);
        }
        let decision = self.step(Stage::Data, &Command::Data)?;
        if let Some(ending) = self.take(Stage::Data, decision)? {
            return Ok(ending);
        }
        if let Some(ending) = self.content(message)? {
            return Ok(ending);
        }
        let (decision, changes) = self.end_of_message()?;
        progress.changes = changes;
        self.in_message = false;
        let ending = self.take(Stage::EndOfMessage, decision)?;
        Ok(ending.unwrap_or(Ending::Taken(Stage::EndOfMessage)))
    }

    fn sender(&mut self, sender: &Address) -> Result<Option<Ending>, SessionError> {
        self.mail_seen = true;
        let decision = self.step(Stage::Mail, &Command::Mail(&sender.strings()))?;
        self.in_message = decision == Some(Decision::Continue);
        let ending = self.take(Stage::Mail, decision)?;
        Ok(self.name_address(ending, sender))
    }

    /// Offers the recipients one by one; those refused do not end the message while one is left.
    fn recipients(
        &mut self,
        recipients: &mut [RecipientOutcome],
    ) -> Result<Option<Ending>, SessionError> {
        for place in recipients.iter_mut() {
            let recipient = place.recipient.clone();
            self.recipient_macros(&recipient);
            let decision = self.step(Stage::Rcpt, &Command::Rcpt(&recipient.strings()))?;
            if decision == Some(Decision::Skip) && self.profile.mta == Mta::Postfix {
                break;
            }
            let ending = self.take(Stage::Rcpt, decision)?;
            match self.name_address(ending, &recipient) {
                Some(Ending::Refused(stage, reply)) => {
                    place.refused = Some(reply.clone());
                    if reply.closes() {
                        return Ok(Some(Ending::Refused(stage, reply)));
                    }
                }
                Some(ending) => return Ok(Some(ending)),
                // Postfix opens its queue file with the first recipient it has accepted.
                None => self.macros.set("i", self.queue_id.as_str()),
            }
        }
        let refusals = || recipients.iter().map(|place| place.refused.as_ref());
        if refusals().any(|refused| refused.is_none()) {
            return Ok(None);
        }
        let temporary = refusals().flatten().find(|reply| reply.is_temporary());
        let reply = temporary.or(refusals().flatten().last()).cloned();
        let reply = reply.unwrap_or_else(|| SmtpReply::no_recipients(self.profile.mta));
        Ok(Some(Ending::Refused(Stage::Rcpt, reply)))
    }

    /// Sends headers, end of headers and body.
    fn content(&mut self, message: &Message) -> Result<Option<Ending>, SessionError> {
        let leading_space = self.agreement.has(protocol::HDR_LEADSPC);
        let sendmail = self.profile.mta.is_sendmail();
        let mut body_wanted = true;
        for header in &message.headers {
            let command =
                Command::Header { name: &header.name, value: header.wire_value(leading_space) };
            match self.step(Stage::Header, &command)? {
                // sendmail takes it as "no body", Postfix as "no more headers".
                Some(Decision::Skip) if sendmail => body_wanted = false,
                Some(Decision::Skip) => break,
                decision => {
                    if let Some(ending) = self.take(Stage::Header, decision)? {
                        return Ok(Some(ending));
                    }
                }
            }
        }
        match self.step(Stage::EndOfHeaders, &Command::EndOfHeaders)? {
            Some(Decision::Skip) if sendmail => body_wanted = false,
            decision => {
                if let Some(ending) = self.take(Stage::EndOfHeaders, decision)? {
                    return Ok(Some(ending));
                }
            }
        }
        if !body_wanted {
            return Ok(None);
        }
        for part in message.body.chunks(BODY_CHUNK) {
            match self.step(Stage::Body, &Command::Body(part))? {
                Some(Decision::Skip) => break,
                decision => {
                    if let Some(ending) = self.take(Stage::Body, decision)? {
                        return Ok(Some(ending));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Whether a decision ends the milter's part in the message.
    fn take(
        &mut self,
        stage: Stage,
        decision: Option<Decision>,
    ) -> Result<Option<Ending>, SessionError> {
        let sendmail = self.profile.mta.is_sendmail();
        let ending = match decision {
            None | Some(Decision::Continue) => return Ok(None),
            Some(Decision::Skip) if !sendmail || stage.is_content() => return Ok(None),
            Some(Decision::Skip) => {
                self.remark(format!("sendmail asks no more after a skip at {stage}"));
                self.filter = Filter::Done(stage);
                Ending::Taken(stage)
            }
            Some(Decision::Accept) => Ending::Taken(stage),
            Some(Decision::Discard) => Ending::Discarded(stage),
            Some(Decision::Refuse(reply)) => Ending::Refused(stage, reply),
        };
        let refused_recipient = stage == Stage::Rcpt && matches!(ending, Ending::Refused(..));
        let discarded = matches!(ending, Ending::Discarded(_));
        if sendmail && discarded && matches!(stage, Stage::Rcpt | Stage::Data) {
            self.abort()?;
        }
        if !refused_recipient {
            self.in_message = false;
        }
        Ok(Some(ending))
    }

    /// sendmail puts the address into refusals of senders and recipients.
    fn name_address(&self, ending: Option<Ending>, address: &Address) -> Option<Ending> {
        match ending {
            Some(Ending::Refused(stage, reply)) if self.profile.mta.is_sendmail() => {
                Some(Ending::Refused(stage, reply.with_address(&address.address)))
            }
            other => other,
        }
    }

    fn envelope_macros(&mut self, envelope: &Envelope, message: &Message) {
        let sendmail = self.profile.mta.is_sendmail();
        if sendmail {
            self.macros.set("i", self.queue_id.as_str());
        } else {
            self.macros.unset("i");
        }
        let sender = &envelope.sender;
        let local = sender.bare().is_empty();
        self.macros.set("f", sender.bare());
        self.macros.set("mail_addr", sender.bare());
        self.macros.set("mail_host", sender.domain());
        let mailer = if sendmail && local { "local" } else { "esmtp" };
        self.macros.set("mail_mailer", if sendmail { mailer } else { "smtp" });
        self.macros.set("nrcpts", envelope.recipients.len().to_string());
        match message.values("message-id").next() {
            Some(id) => self.macros.set("msg_id", String::from_utf8_lossy(id)),
            None => self.macros.unset("msg_id"),
        }
    }

    fn recipient_macros(&mut self, recipient: &Address) {
        let sendmail = self.profile.mta.is_sendmail();
        self.macros.set("rcpt_addr", recipient.bare());
        self.macros.set("rcpt_host", recipient.domain());
        self.macros.set("rcpt_mailer", if sendmail { "esmtp" } else { "smtp" });
    }

    fn outcome(
        &mut self,
        ending: Ending,
        envelope: &Envelope,
        message: &Message,
        progress: Progress,
    ) -> Outcome {
        let queued = SmtpReply::queued(self.profile.mta, &self.queue_id);
        let held = progress.changes.iter().any(|change| matches!(change, Change::Quarantine(_)));
        let (verdict, stage, reply) = match ending {
            Ending::Taken(stage) if held => (Verdict::Quarantine, stage, queued),
            Ending::Taken(stage) => (Verdict::Accept, stage, queued),
            Ending::Discarded(stage) => (Verdict::Discard, stage, queued),
            Ending::Refused(stage, reply) if reply.is_temporary() => {
                (Verdict::Tempfail, stage, reply)
            }
            Ending::Refused(stage, reply) => (Verdict::Reject, stage, reply),
        };
        let delivered = matches!(verdict, Verdict::Accept | Verdict::Quarantine).then(|| {
            let mut after = (envelope.clone(), message.clone());
            let taken = progress.recipients.iter().filter(|place| place.refused.is_none());
            after.0.recipients = taken.map(|place| place.recipient.clone()).collect();
            let leading_space = self.agreement.has(protocol::HDR_LEADSPC);
            let remarks = apply(&progress.changes, &mut after.0, &mut after.1, leading_space);
            for remark in remarks {
                self.remark(remark);
            }
            after
        });
        Outcome {
            verdict,
            stage,
            reply,
            recipients: progress.recipients,
            changes: progress.changes,
            remarks: std::mem::take(&mut self.remarks),
            queue_id: self.queue_id.clone(),
            delivered,
        }
    }
}
