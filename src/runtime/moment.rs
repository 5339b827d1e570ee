//! What a line of a trace begins with, and what it tells of.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use crate::proto::response::Payload;
use crate::session::{Event, Severity};

/// Whose line it is: the session, and what is known of its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading<'a> {
    /// The session's number.
    pub(super) session: u64,
    /// Since the session began.
    pub(super) at: Duration,
    pub(super) queue_id: &'a [u8],
    pub(super) sender: &'a [u8],
    /// Bytes of a text that are shown.
    pub(super) shown: usize,
}

/// What a line tells.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment<'a> {
    /// The session begins: the time of day, and the process.
    Begin(&'a str, u32),
    /// Something of the session; for the end of a callback, how long it has taken.
    Event(Event<'a>, Duration),
    /// A response, and whether it could be handed to the system or kept.
    Response(u8, Payload<'a>, bool),
    /// What was logged of the session.
    Log(Severity, &'a str),
}

/// Seconds, to the microsecond.
pub(super) struct Seconds(pub(super) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

/// The name of a severity.
pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "err",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}
