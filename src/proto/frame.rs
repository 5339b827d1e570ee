//! Packets: a 4-byte big-endian length, a letter, and length - 1 bytes of payload.

use super::planted::{Bug, planted};

/// Bytes. Length field and letter.
pub const HEAD: usize = 5;
/// Bytes of payload; lengths from 2^31 on are no lengths.
const PAYLOAD_MAX: usize = i32::MAX as usize - 1;

/// One complete packet within a buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The command or response letter.
    pub letter: u8,
    /// The payload and the byte behind it, which is not the packet's.
    pub bytes: &'a mut [u8],
}

impl Frame<'_> {
    /// Bytes the packet has in all.
    #[must_use]
    pub fn size(&self) -> usize {
        HEAD - 1 + self.bytes.len()
    }
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

/// The letter and the size of the payload, once the head is there; a length of 0 gives the largest
/// size.
#[inline]
fn head(bytes: &[u8]) -> Option<(u8, usize)> {
    let [a, b, c, d, letter] = *bytes.first_chunk::<HEAD>()?;
    Some((letter, u32::from_be_bytes([a, b, c, d]).wrapping_sub(1) as usize))
}

/// Finds the packet at the front of `buffer`; `None` means that more bytes are needed, or that these can't be
/// the start of a packet, see [`check`].
///
/// The last byte of the buffer is not one that was received but room for a NUL, so that every
/// packet has a byte behind it.
#[inline]
#[must_use]
pub fn complete(buffer: &mut [u8], limit: usize) -> Option<Frame<'_>> {
    let limit = limit + usize::from(planted(Bug::FrameLimit));
    let (letter, payload) = head(buffer)?;
    if payload > limit || payload > PAYLOAD_MAX || payload >= buffer.len() - HEAD {
        return None;
    }
    let end = HEAD + payload + 1 + usize::from(planted(Bug::FrameTooLong));
    buffer.get_mut(HEAD..end).map(|bytes| Frame { letter, bytes })
}

/// Whether a buffer, as [`complete`] gets, may begin with a packet, as far as can be told from what is there.
///
/// # Errors
/// The bytes can't be the start of a packet, or of one larger than `limit` bytes of payload.
#[cold]
pub fn check(buffer: &[u8], limit: usize) -> Result<(), FrameError> {
    let limit = limit + usize::from(planted(Bug::FrameLimit));
    let received = buffer.split_last().map(|(_, received)| received).unwrap_or_default();
    let Some((length, after)) = received.split_first_chunk::<4>() else { return Ok(()) };
    let length = u32::from_be_bytes(*length);
    let payload = length.wrapping_sub(1) as usize;
    if payload > PAYLOAD_MAX {
        return Err(FrameError::Length(length));
    }
    if payload > limit {
        return Err(FrameError::TooLong { letter: after.first().copied(), payload, limit });
    }
    Ok(())
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
    let [a, b, c, d] = length.to_be_bytes();
    out.extend_from_slice(&[a, b, c, d, letter]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Looks for a packet, then for what is wrong if there is none.
    fn next(buffer: &mut [u8], limit: usize) -> Result<Option<Frame<'_>>, FrameError> {
        let checked = check(buffer, limit);
        let found = complete(buffer, limit);
        assert!(found.is_none() || checked.is_ok(), "a packet that can't be one");
        checked.map(|()| found)
    }

    /// The first packet of what was received: letter and payload.
    fn first(received: &[u8], limit: usize) -> Result<Option<(u8, Vec<u8>)>, FrameError> {
        let mut buffer = [received, &[0xee]].concat();
        let frame = next(&mut buffer, limit)?;
        Ok(frame.map(|frame| {
            let (_behind, payload) = frame.bytes.split_last().unwrap();
            (frame.letter, payload.to_vec())
        }))
    }

    #[test]
    fn a_bare_letter_is_a_packet() {
        assert_eq!(first(b"\0\0\0\x01Q", 65_535), Ok(Some((b'Q', vec![]))));
        assert_eq!(first(b"\0\0\0\x01Q", 0), Ok(Some((b'Q', vec![]))));
    }

    #[test]
    fn the_byte_behind_the_stream_is_no_part_of_a_packet() {
        assert_eq!(first(b"\0\0\0\x01", 9), Ok(None));
        assert_eq!(first(b"\0\0\0\x02B", 9), Ok(None));
        assert_eq!(first(b"\0\0\0", 9), Ok(None));
        assert_eq!(next(&mut [], 9), Ok(None));
    }

    #[test]
    fn lengths_without_room_for_a_letter_are_refused() {
        assert_eq!(first(b"\0\0\0\0Q", 9), Err(FrameError::Length(0)));
        assert_eq!(first(b"\x80\0\0\0", 9), Err(FrameError::Length(0x8000_0000)));
        assert_eq!(first(b"\x80\0\0\0Q", usize::MAX), Err(FrameError::Length(0x8000_0000)));
    }

    #[test]
    fn the_limit_counts_the_payload_only() {
        let mut bytes = vec![0, 0, 0, 4, b'B', 1, 2, 3];
        assert!(first(&bytes, 3).unwrap().is_some());
        assert!(matches!(first(&bytes, 2), Err(FrameError::TooLong { payload: 3, .. })));
        bytes.truncate(4);
        assert!(first(&bytes, 2).is_err(), "refused before the payload arrives");
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
                while let Some((letter, payload)) = first(&stream[at..end], 100).unwrap() {
                    at += HEAD + payload.len();
                    seen.push((letter, payload));
                }
            }
            prop_assert_eq!(seen, packets);
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let length = bytes.len();
            if let Ok(Some(frame)) = next(&mut bytes, 65_535) {
                prop_assert!(frame.size() < length);
            }
        }
    }
}
