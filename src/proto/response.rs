//! Responses of the filter, encoded into an output buffer.

use std::collections::TryReserveError;

use super::frame::put_head;

/// Letters of the responses (`SMFIR_*`).
pub mod letter {
    #![allow(missing_docs, reason = "the names are the documentation")]
    pub const ADDRCPT: u8 = b'+';
    pub const DELRCPT: u8 = b'-';
    pub const ADDRCPT_PAR: u8 = b'2';
    pub const ACCEPT: u8 = b'a';
    pub const REPLBODY: u8 = b'b';
    pub const CONTINUE: u8 = b'c';
    pub const DISCARD: u8 = b'd';
    pub const CHGFROM: u8 = b'e';
    pub const ADDHEADER: u8 = b'h';
    pub const INSHEADER: u8 = b'i';
    pub const CHGHEADER: u8 = b'm';
    pub const OPTNEG: u8 = b'O';
    pub const PROGRESS: u8 = b'p';
    pub const QUARANTINE: u8 = b'q';
    pub const REJECT: u8 = b'r';
    pub const SKIP: u8 = b's';
    pub const TEMPFAIL: u8 = b't';
    pub const REPLYCODE: u8 = b'y';
}

/// The payload of a response, before encoding.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// No payload.
    None,
    /// Bytes as they are.
    Raw(&'a [u8]),
    /// Strings, each ending in a NUL of its own.
    Strings(&'a [&'a [u8]]),
    /// A header index, then strings.
    Indexed(u32, &'a [&'a [u8]]),
}

impl Payload<'_> {
    /// Bytes the payload has when encoded.
    #[must_use]
    pub fn len(&self) -> usize {
        let strings = |s: &[&[u8]]| s.iter().map(|s| s.len() + 1).sum::<usize>();
        match self {
            Payload::None => 0,
            Payload::Raw(bytes) => bytes.len(),
            Payload::Strings(s) => strings(s),
            Payload::Indexed(_, s) => 4 + strings(s),
        }
    }

    /// Whether there is nothing to encode.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A response packet without payload.
#[must_use]
pub const fn bare(letter: u8) -> [u8; 5] {
    [0, 0, 0, 1, letter]
}

/// Appends one response packet.
///
/// # Errors
/// There is no memory for it; nothing was appended.
pub fn encode(out: &mut Vec<u8>, letter: u8, payload: Payload<'_>) -> Result<(), TryReserveError> {
    let size = payload.len();
    out.try_reserve(size + super::frame::HEAD)?;
    put_head(out, letter, size);
    let strings = match payload {
        Payload::None => return Ok(()),
        Payload::Raw(bytes) => {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        Payload::Strings(strings) => strings,
        Payload::Indexed(index, strings) => {
            out.extend_from_slice(&index.to_be_bytes());
            strings
        }
    };
    for string in strings {
        out.extend_from_slice(string);
        out.push(0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_forms() {
        let bytes = |letter, payload| {
            let mut out = Vec::new();
            encode(&mut out, letter, payload).unwrap();
            out
        };
        assert_eq!(bytes(letter::CONTINUE, Payload::None), b"\0\0\0\x01c");
        assert_eq!(bytes(letter::CONTINUE, Payload::None), bare(letter::CONTINUE));
        assert_eq!(bytes(letter::REPLBODY, Payload::Raw(b"xy")), b"\0\0\0\x03bxy");
        assert_eq!(bytes(letter::ADDHEADER, Payload::Strings(&[b"N", b"v"])), b"\0\0\0\x05hN\0v\0");
        assert_eq!(
            bytes(letter::INSHEADER, Payload::Indexed(0, &[b"I", b"v"])),
            b"\0\0\0\x09i\0\0\0\0I\0v\0"
        );
    }
}
