//! What a capture consists of.

use std::time::Duration;

use crate::wire::OwnedPacket;

/// The first line of a capture.
pub const FIRST_LINE: &str = "milter capture 1";

/// A session as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// What is known of the session: names and values, in the order of the file.
    pub facts: Vec<(String, String)>,
    /// What was said, in the order in which the recorder saw it.
    pub records: Vec<Record>,
}

impl Capture {
    /// The value of a fact.
    #[must_use]
    pub fn fact(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One thing that was seen on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Time since the start of the session, of its last byte.
    pub at: Duration,
    /// Whose doing it was.
    pub from: Side,
    /// What it was.
    pub what: What,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The MTA, to the milter.
    Mta,
    /// The milter, to the MTA.
    Milter,
}

/// What somebody said or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A packet.
    Packet(OwnedPacket),
    /// Bytes that are no packet: a length that none can have and all that follows, or a packet cut
    /// short by the end of the connection, with its length field.
    Raw(Vec<u8>),
    /// It closed the connection, in order or not.
    Closed,
}
