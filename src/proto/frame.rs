//! Packets: a 4-byte big-endian length, a letter, and length - 1 bytes of payload.

use std::ops::Range;

/// Bytes. Length field and letter.
pub const HEAD: usize = 5;

/// One complete packet within a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The command or response letter.
    pub letter: u8,
    /// Where the payload lies in the buffer.
    pub payload: Range<usize>,
}

/// Why bytes are not a packet; the session must end, since the stream can't be followed further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A length of 0, which has no room for the letter, or of 2^31 and more.
    Length(u32),
    /// The payload is longer than the data size limit.
    TooLong {
        /// The letter of the packet, if it had arrived.
        letter: Option<u8>,
        /// Bytes of payload announced.
        payload: usize,
        /// Bytes of payload allowed.
        limit: usize,
    },
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FrameError::Length(n) => {
                write!(f, "packet length {n} is not between 1 and 2147483647")
            }
            FrameError::TooLong { letter, payload, limit } => {
                write!(f, "packet ")?;
                if let Some(letter) = letter {
                    write!(f, "'{}' ", letter.escape_ascii())?;
                }
                write!(f, "of {payload} bytes is larger than the data size limit of {limit}")
            }
        }
    }
}

/// Finds the packet at `start` of `buffer`; `None` means that more bytes are needed.
///
/// # Errors
/// The bytes can't be the start of a packet, or of one larger than `limit` bytes of payload.
pub fn next(buffer: &[u8], start: usize, limit: usize) -> Result<Option<Frame>, FrameError> {
    let rest = buffer.get(start..).unwrap_or_default();
    let Some((length, after)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length);
    if length == 0 || length > i32::MAX as u32 {
        return Err(FrameError::Length(length));
    }
    let payload = length as usize - 1;
    let letter = after.first().copied();
    if payload > limit {
        return Err(FrameError::TooLong { letter, payload, limit });
    }
    match letter {
        Some(letter) if after.len() > payload => {
            let from = start + HEAD;
            Ok(Some(Frame { letter, payload: from..from + payload }))
        }
        _ => Ok(None),
    }
}

/// Bytes that the packet at the start of `bytes` has in all, once its length is known.
#[must_use]
pub fn wanted(bytes: &[u8]) -> Option<usize> {
    let length = bytes.first_chunk::<4>()?;
    (u32::from_be_bytes(*length) as usize).checked_add(4)
}

/// Appends the head of a packet whose payload has `payload` bytes.
///
/// The payload's size must have been checked against a limit below 2^32 - 1.
pub fn put_head(out: &mut Vec<u8>, letter: u8, payload: usize) {
    let length = u32::try_from(payload + 1).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bare_letter_is_a_packet() {
        let frame = next(b"\0\0\0\x01Q", 0, 65_535).unwrap().unwrap();
        assert_eq!(frame, Frame { letter: b'Q', payload: 5..5 });
    }

    #[test]
    fn lengths_without_room_for_a_letter_are_refused() {
        assert_eq!(next(b"\0\0\0\0Q", 0, 9), Err(FrameError::Length(0)));
        assert_eq!(next(b"\x80\0\0\0", 0, 9), Err(FrameError::Length(0x8000_0000)));
    }

    #[test]
    fn the_limit_counts_the_payload_only() {
        let mut bytes = vec![0, 0, 0, 4, b'B', 1, 2, 3];
        assert!(next(&bytes, 0, 3).unwrap().is_some());
        assert!(matches!(next(&bytes, 0, 2), Err(FrameError::TooLong { payload: 3, .. })));
        bytes.truncate(4);
        assert!(next(&bytes, 0, 2).is_err(), "refused before the payload arrives");
    }

    proptest! {
        #[test]
        fn packets_survive_any_split(
            packets in proptest::collection::vec(
                (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 1..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut stream = Vec::new();
            for (letter, payload) in &packets {
                put_head(&mut stream, *letter, payload.len());
                stream.extend_from_slice(payload);
            }
            let cut = cut.index(stream.len());
            let mut seen = Vec::new();
            let mut at = 0;
            for end in [cut, stream.len()] {
                while let Some(frame) = next(&stream[..end], at, 100).unwrap() {
                    at = frame.payload.end;
                    seen.push((frame.letter, stream[frame.payload].to_vec()));
                }
            }
            prop_assert_eq!(seen, packets);
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..64), start in 0usize..80) {
            if let Ok(Some(frame)) = next(&bytes, start, 65_535) {
                prop_assert!(frame.payload.end <= bytes.len());
            }
        }
    }
}
