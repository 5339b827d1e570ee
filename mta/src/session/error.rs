//! What ends a session before its time.

use std::fmt;

use super::stage::Stage;
use crate::client::ClientError;
use crate::negotiate::NegotiationError;
use crate::wire::FormatError;

/// Where in the session something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first command.
    Negotiation,
    /// At a command or while waiting for its reply.
    Stage(Stage),
    /// After the end of the session was announced.
    Quit,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Negotiation => f.write_str("negotiation"),
            Place::Stage(stage) => stage.fmt(f),
            Place::Quit => f.write_str("quit"),
        }
    }
}

/// What went wrong.
#[derive(Debug)]
pub enum Problem {
    /// The connection: closed, timed out, not a packet.
    Client(ClientError),
    /// The answer to the offer.
    Negotiation(NegotiationError),
    /// A reply without the form its letter demands.
    Format(FormatError),
    /// A reply that is not allowed here.
    Unexpected {
        /// The reply in words.
        reply: String,
        /// Why it is not allowed.
        reason: &'static str,
    },
    /// An SMTP reply text that the MTA does not accept.
    ReplyText {
        /// The text as sent.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// A failure of the milter, with the place.
#[derive(Debug)]
pub struct SessionError {
    /// Where it happened.
    pub place: Place,
    /// What happened.
    pub problem: Problem,
}

impl SessionError {
    /// Whether the milter has hung up.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(&self.problem, Problem::Client(error) if error.is_closed())
    }

    /// Whether the milter did not answer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(&self.problem, Problem::Client(error) if error.is_timeout())
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: ", self.place)?;
        match &self.problem {
            Problem::Client(error) => error.fmt(f),
            Problem::Negotiation(error) => error.fmt(f),
            Problem::Format(error) => error.fmt(f),
            Problem::Unexpected { reply, reason } => {
                write!(f, "unexpected reply \"{reply}\": {reason}")
            }
            Problem::ReplyText { text, problem } => {
                write!(f, "malformed SMTP reply \"{}\": {problem}", text.escape_debug())
            }
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Client(error) => Some(error),
            Problem::Negotiation(error) => Some(error),
            Problem::Format(error) => Some(error),
            Problem::Unexpected { .. } | Problem::ReplyText { .. } => None,
        }
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Problem::Client(error)
    }
}

impl From<NegotiationError> for Problem {
    fn from(error: NegotiationError) -> Self {
        Problem::Negotiation(error)
    }
}

impl From<FormatError> for Problem {
    fn from(error: FormatError) -> Self {
        Problem::Format(error)
    }
}
