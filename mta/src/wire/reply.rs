//! What a milter answers, read as strictly as Postfix reads it.

mod letters;
mod show;

use std::fmt;

use super::flags::action;
use super::frame::Packet;
pub use letters::letter_name;

/// One reply, borrowing its strings from the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Answer to the offer; symbol lists are left as they came.
    Negotiate {
        /// Protocol version chosen.
        version: u32,
        /// Actions requested.
        actions: u32,
        /// Protocol flags requested.
        protocol: u32,
        /// Macro lists by stage, still encoded.
        symbols: &'a [u8],
    },
    /// Go on.
    Continue,
    /// Take the message without further questions.
    Accept,
    /// Pretend to take the message and drop it.
    Discard,
    /// Refuse for good.
    Reject,
    /// Refuse for now.
    Tempfail,
    /// No more of this kind.
    Skip,
    /// Refuse with this SMTP reply.
    ReplyCode(&'a [u8]),
    /// Still at work.
    Progress,
    /// Close the SMTP connection with 421.
    Shutdown,
    /// Fail the SMTP connection.
    ConnFail,
    /// Add a header at the end.
    AddHeader {
        /// Name without colon.
        name: &'a [u8],
        /// Value, folded lines joined by LF.
        value: &'a [u8],
    },
    /// Insert a header at a position, 0 being the top.
    InsertHeader {
        /// Position among all headers.
        index: u32,
        /// Name without colon.
        name: &'a [u8],
        /// Value, folded lines joined by LF.
        value: &'a [u8],
    },
    /// Change the nth header of a name; an empty value deletes it.
    ChangeHeader {
        /// Number among the headers of that name, from 1.
        index: u32,
        /// Name without colon.
        name: &'a [u8],
        /// New value.
        value: &'a [u8],
    },
    /// Replace the envelope sender.
    ChangeSender {
        /// The new sender.
        address: &'a [u8],
        /// ESMTP arguments, if the packet had the string.
        arguments: Option<&'a [u8]>,
    },
    /// Add a recipient.
    AddRecipient(&'a [u8]),
    /// Add a recipient with ESMTP arguments.
    AddRecipientArgs {
        /// The new recipient.
        address: &'a [u8],
        /// ESMTP arguments, if the packet had the string.
        arguments: Option<&'a [u8]>,
    },
    /// Delete a recipient.
    DeleteRecipient(&'a [u8]),
    /// Hold the message, for this reason.
    Quarantine(&'a [u8]),
    /// A part of the new body.
    ReplaceBody(&'a [u8]),
}

/// A reply that does not have the form its letter demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Letter of the reply.
    pub letter: u8,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = letter_name(self.letter).unwrap_or("unknown");
        let letter = self.letter.escape_ascii();
        write!(f, "malformed reply '{letter}' ({name}): {}", self.problem)
    }
}

impl std::error::Error for FormatError {}

impl<'a> Reply<'a> {
    /// Reads a packet; surplus bytes and missing NULs are errors.
    pub fn parse(packet: Packet<'a>) -> Result<Reply<'a>, FormatError> {
        let mut rest = Fields { letter: packet.letter, rest: packet.payload };
        let reply = match packet.letter {
            b'O' => Reply::Negotiate {
                version: rest.word()?,
                actions: rest.word()?,
                protocol: rest.word()?,
                symbols: rest.all(),
            },
            b'c' => Reply::Continue,
            b'a' => Reply::Accept,
            b'd' => Reply::Discard,
            b'r' => Reply::Reject,
            b't' => Reply::Tempfail,
            b's' => Reply::Skip,
            b'p' => Reply::Progress,
            b'4' => Reply::Shutdown,
            b'f' => Reply::ConnFail,
            b'y' => Reply::ReplyCode(rest.string()?),
            b'h' => Reply::AddHeader { name: rest.string()?, value: rest.string()? },
            b'i' => Reply::InsertHeader {
                index: rest.word()?,
                name: rest.string()?,
                value: rest.string()?,
            },
            b'm' => Reply::ChangeHeader {
                index: rest.word()?,
                name: rest.string()?,
                value: rest.string()?,
            },
            b'e' => {
                Reply::ChangeSender { address: rest.string()?, arguments: rest.optional_string()? }
            }
            b'+' => Reply::AddRecipient(rest.string()?),
            b'2' => Reply::AddRecipientArgs {
                address: rest.string()?,
                arguments: rest.optional_string()?,
            },
            b'-' => Reply::DeleteRecipient(rest.string()?),
            b'q' => Reply::Quarantine(rest.string()?),
            b'b' => Reply::ReplaceBody(rest.all()),
            _ => return Err(rest.error("no reply has this letter")),
        };
        if rest.rest.is_empty() {
            Ok(reply)
        } else {
            Err(rest.error("bytes left over after its last field"))
        }
    }

    /// Whether the reply asks for a change, which only end of message allows.
    #[must_use]
    pub fn is_change(&self) -> bool {
        matches!(
            self,
            Reply::AddHeader { .. }
                | Reply::InsertHeader { .. }
                | Reply::ChangeHeader { .. }
                | Reply::ChangeSender { .. }
                | Reply::AddRecipient(_)
                | Reply::AddRecipientArgs { .. }
                | Reply::DeleteRecipient(_)
                | Reply::Quarantine(_)
                | Reply::ReplaceBody(_)
        )
    }

    /// Action flag that the reply needs, 0 if none.
    #[must_use]
    pub fn needed_action(&self) -> u32 {
        match self {
            Reply::AddHeader { .. } | Reply::InsertHeader { .. } => action::ADDHDRS,
            Reply::ChangeHeader { .. } => action::CHGHDRS,
            Reply::ChangeSender { .. } => action::CHGFROM,
            Reply::AddRecipient(_) => action::ADDRCPT,
            Reply::AddRecipientArgs { .. } => action::ADDRCPT_PAR,
            Reply::DeleteRecipient(_) => action::DELRCPT,
            Reply::Quarantine(_) => action::QUARANTINE,
            Reply::ReplaceBody(_) => action::CHGBODY,
            _ => 0,
        }
    }
}

/// The fields of a payload, taken from the front.
struct Fields<'a> {
    letter: u8,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn error(&self, problem: &'static str) -> FormatError {
        FormatError { letter: self.letter, problem }
    }

    fn word(&mut self) -> Result<u32, FormatError> {
        let (word, rest) = self
            .rest
            .split_first_chunk::<4>()
            .ok_or_else(|| self.error("too short for a 4-byte number"))?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*word))
    }

    fn string(&mut self) -> Result<&'a [u8], FormatError> {
        if self.rest.is_empty() {
            return Err(self.error("a string is missing"));
        }
        let length = self
            .rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| self.error("a string without its final NUL"))?;
        let text = &self.rest[..length];
        self.rest = &self.rest[length + 1..];
        Ok(text)
    }

    fn optional_string(&mut self) -> Result<Option<&'a [u8]>, FormatError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.string().map(Some)
    }

    fn all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests;
