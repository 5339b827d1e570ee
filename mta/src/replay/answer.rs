//! What comes back from a milter.

use std::fmt;

use crate::wire::text::one_line;
use crate::wire::{OwnedPacket, Reply};

/// Something that the milter has sent, or has not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// A packet.
    Packet(OwnedPacket),
    /// Bytes that are no packet.
    Raw(Vec<u8>),
    /// It closed the connection.
    Closed,
    /// It did not close the connection after the end of the session.
    LeftOpen,
    /// Nothing, although an answer was due.
    Nothing,
}

impl Answer {
    pub(super) fn is_progress(&self) -> bool {
        matches!(self, Answer::Packet(packet) if packet.letter == b'p')
    }

    pub(super) fn is_close(&self) -> bool {
        matches!(self, Answer::Closed | Answer::LeftOpen)
    }
}

/// For a person; with `#`, line feeds and tabs stay.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Packet(packet) => match Reply::parse(packet.as_packet()) {
                Ok(reply) if f.alternate() => write!(f, "{reply:#}"),
                Ok(reply) => write!(f, "{reply}"),
                Err(error) => write!(f, "{error}: {}", one_line(&packet.payload)),
            },
            Answer::Raw(bytes) => write!(f, "no packet: {}", one_line(bytes)),
            Answer::Closed => f.write_str("(closes the connection)"),
            Answer::LeftOpen => f.write_str("(leaves the connection open)"),
            Answer::Nothing => f.write_str("(no answer)"),
        }
    }
}

/// Whether more answers follow one with this letter: changes, and "still at work".
pub(super) fn goes_on(letter: u8) -> bool {
    matches!(letter, b'p' | b'h' | b'i' | b'm' | b'e' | b'+' | b'2' | b'-' | b'q' | b'b')
}
