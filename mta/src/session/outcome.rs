//! What became of a message.

use std::fmt;

use super::smtp::SmtpReply;
use super::stage::Stage;
use crate::mail::{Address, Change, Envelope, Message};

/// The end of a message, as the MTA's operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Delivered, with the changes.
    Accept,
    /// Held, with the changes.
    Quarantine,
    /// Accepted and thrown away.
    Discard,
    /// Refused for good.
    Reject,
    /// Refused for now.
    Tempfail,
}

impl Verdict {
    /// All verdicts, the mildest first.
    pub const ALL: [Verdict; 5] = [
        Verdict::Accept,
        Verdict::Quarantine,
        Verdict::Discard,
        Verdict::Reject,
        Verdict::Tempfail,
    ];

    /// The verdict in one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Accept => "accept",
            Verdict::Quarantine => "quarantine",
            Verdict::Discard => "discard",
            Verdict::Reject => "reject",
            Verdict::Tempfail => "tempfail",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One recipient and what the milter said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientOutcome {
    /// The recipient as offered.
    pub recipient: Address,
    /// The reply that refused it, if one did.
    pub refused: Option<SmtpReply>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The end of it.
    pub verdict: Verdict,
    /// Where the verdict fell.
    pub stage: Stage,
    /// The reply that tells the SMTP client.
    pub reply: SmtpReply,
    /// The recipients that were offered to the milter or would have been.
    pub recipients: Vec<RecipientOutcome>,
    /// The changes the milter asked for.
    pub changes: Vec<Change>,
    /// Remarks on the milter's behaviour that do not end a session.
    pub remarks: Vec<String>,
    /// The MTA's name for the message.
    pub queue_id: String,
    /// What goes on its way: envelope and message after the changes.
    pub delivered: Option<(Envelope, Message)>,
}

impl Outcome {
    /// The reason given for quarantine, if the message is held.
    #[must_use]
    pub fn quarantine_reason(&self) -> Option<String> {
        self.changes.iter().find_map(|change| match change {
            Change::Quarantine(reason) => Some(String::from_utf8_lossy(reason).into_owned()),
            _ => None,
        })
    }
}
