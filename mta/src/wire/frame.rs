//! Packets: encoding into a buffer, decoding from one.

use std::fmt;

/// Largest length field accepted from a milter (the bound Postfix applies), in bytes.
pub const MAX_LENGTH: usize = 0x3fff_ffff;

/// Bytes before the payload: the length field and the letter.
pub const HEAD: usize = 5;

/// A packet that borrows its payload from the buffer it was read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Command or reply letter.
    pub letter: u8,
    /// Everything after the letter.
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// Copies the payload, so that the packet outlives the buffer.
    #[must_use]
    pub fn to_owned(&self) -> OwnedPacket {
        OwnedPacket { letter: self.letter, payload: self.payload.to_vec() }
    }
}

/// A packet that owns its payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnedPacket {
    /// Command or reply letter.
    pub letter: u8,
    /// Everything after the letter.
    pub payload: Vec<u8>,
}

impl OwnedPacket {
    /// The same packet, borrowed.
    #[must_use]
    pub fn as_packet(&self) -> Packet<'_> {
        Packet { letter: self.letter, payload: &self.payload }
    }
}

/// A length field no packet can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError {
    /// The length field as received.
    pub length: u32,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length == 0 {
            return write!(f, "a packet of length 0 (a packet has at least its one letter)");
        }
        write!(f, "a packet length of {} bytes, over the limit of {MAX_LENGTH}", self.length)?;
        let bytes = self.length.to_be_bytes();
        if bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')) {
            let text = bytes.escape_ascii();
            write!(
                f,
                ": these are the characters \"{text}\", so it is no milter, or prints onto its connection"
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for FrameError {}

/// Appends a packet.
pub fn put(out: &mut Vec<u8>, letter: u8, payload: &[u8]) {
    let start = begin(out, letter);
    out.extend_from_slice(payload);
    end(out, start);
}

/// Begins a packet whose payload the caller appends; pass the result to [`end`].
pub fn begin(out: &mut Vec<u8>, letter: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, letter]);
    start
}

/// Fills in the length of the packet begun at `start`.
///
/// # Panics
/// If the packet is longer than its length field can say (4 GiB).
pub fn end(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len() - start - 4).expect("a packet below 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a string and the NUL that ends it.
pub fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(0);
}

/// Takes the first packet of `buffer`, with the number of bytes it occupies.
///
/// `None` means that the packet is not complete yet.
pub fn split(buffer: &[u8]) -> Result<Option<(Packet<'_>, usize)>, FrameError> {
    let Some(field) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*field);
    let size = length as usize;
    if size == 0 || size > MAX_LENGTH {
        return Err(FrameError { length });
    }
    let Some(content) = buffer.get(4..4 + size) else {
        return Ok(None);
    };
    let packet = Packet { letter: content[0], payload: &content[1..] };
    Ok(Some((packet, 4 + size)))
}

/// Bytes still missing before [`split`] can give the first packet of `buffer`.
#[must_use]
pub fn missing(buffer: &[u8]) -> usize {
    match buffer.first_chunk::<4>() {
        None => HEAD - buffer.len(),
        Some(field) => {
            let size = (u32::from_be_bytes(*field) as usize).min(MAX_LENGTH);
            (4 + size).saturating_sub(buffer.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_encoded_as_the_protocol_says() {
        let mut out = Vec::new();
        put(&mut out, b'c', b"");
        put(&mut out, b'H', b"me\0");
        assert_eq!(out, b"\0\0\0\x01c\0\0\0\x04Hme\0");
    }

    #[test]
    fn packets_are_taken_one_by_one_and_never_early() {
        let bytes = b"\0\0\0\x04Hme\0\0\0\0\x01c";
        for cut in 0..8 {
            assert_eq!(split(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        let (first, used) = split(bytes).unwrap().unwrap();
        assert_eq!((first.letter, first.payload, used), (b'H', &b"me\0"[..], 8));
        let (second, used) = split(&bytes[8..]).unwrap().unwrap();
        assert_eq!((second.letter, second.payload, used), (b'c', &b""[..], 5));
    }

    #[test]
    fn lengths_no_packet_can_have_are_refused() {
        assert_eq!(split(b"\0\0\0\0c"), Err(FrameError { length: 0 }));
        assert_eq!(split(b"\x40\0\0\0c"), Err(FrameError { length: 0x4000_0000 }));
        assert_eq!(split(b"\x3f\xff\xff\xffc"), Ok(None));
    }

    #[test]
    fn the_missing_bytes_are_counted() {
        assert_eq!(missing(b""), 5);
        assert_eq!(missing(b"\0\0\0"), 2);
        assert_eq!(missing(b"\0\0\0\x04H"), 3);
        assert_eq!(missing(b"\0\0\0\x04Hme\0more"), 0);
    }
}
