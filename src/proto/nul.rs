//! Finding the NULs that end strings, eight bytes at a time: most of what parsing a packet costs.

use std::ops::ControlFlow;

const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const ONES: u64 = 0x0101_0101_0101_0101;

/// Sets the highest bit of each byte that is NUL, and no other bit.
#[inline]
fn marks(word: u64) -> u64 {
    !(((word & LOW_BITS) + LOW_BITS) | word | LOW_BITS)
}

/// Whether there is a CR or LF.
#[inline]
#[must_use]
pub fn has_line_break(bytes: &[u8]) -> bool {
    const CR: u64 = u64::from_ne_bytes([b'\r'; 8]);
    const LF: u64 = u64::from_ne_bytes([b'\n'; 8]);
    let breaks = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        // Few texts have any byte up to CR, which takes less to find out.
        let low = word.wrapping_sub(ONES * (u64::from(b'\r') + 1)) & !word & !LOW_BITS;
        low != 0 && marks(word ^ CR) | marks(word ^ LF) != 0
    };
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().any(|b| matches!(b, b'\r' | b'\n'));
    };
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        if breaks(word) {
            return true;
        }
        rest = after;
    }
    breaks(last)
}

/// Hands the offsets of all NULs to `take`, in order, until it breaks.
#[inline]
pub fn each<T>(bytes: &[u8], mut take: impl FnMut(usize) -> ControlFlow<T>) -> ControlFlow<T> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = bytes.len() - rest.len();
        let mut marks = match rest.split_first_chunk::<8>() {
            Some((word, behind)) => {
                rest = behind;
                marks(u64::from_le_bytes(*word))
            }
            None => marks_of_end(bytes, std::mem::take(&mut rest)),
        };
        while marks != 0 {
            take(start + marks.trailing_zeros() as usize / 8)?;
            marks &= marks - 1;
        }
    }
    ControlFlow::Continue(())
}

/// The marks of the last bytes of all, fewer than eight.
#[inline]
fn marks_of_end(bytes: &[u8], end: &[u8]) -> u64 {
    match bytes.last_chunk::<8>() {
        // It begins with bytes that are before the end.
        Some(word) => marks(u64::from_le_bytes(*word)) >> (8 * (8 - end.len())),
        None => {
            let mut word = [u8::MAX; 8];
            for (to, from) in word.iter_mut().zip(end) {
                *to = *from;
            }
            marks(u64::from_le_bytes(word))
        }
    }
}

/// How many NULs there are.
#[must_use]
pub fn count(bytes: &[u8]) -> usize {
    // Sums of a byte each, which compilers add up sixteen at a time.
    let ones = |part: &[u8]| part.iter().map(|byte| u8::from(*byte == 0)).sum::<u8>();
    bytes.chunks(usize::from(u8::MAX)).map(|part| usize::from(ones(part))).sum()
}

/// The offset of the first NUL.
#[inline]
#[must_use]
pub fn first(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        // The lowest mark is that of a NUL; only those above it may be wrong, as the subtraction carries.
        let marks = word.wrapping_sub(ONES) & !word & !LOW_BITS;
        if marks != 0 {
            return Some(bytes.len() - rest.len() + marks.trailing_zeros() as usize / 8);
        }
        rest = behind;
    }
    rest.iter().position(|&b| b == 0).map(|n| bytes.len() - rest.len() + n)
}

/// The bytes up to and with the last NUL; `None` if there is none.
#[inline]
#[must_use]
pub fn until_last(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [.., 0] => Some(bytes),
        _ => bytes.iter().rposition(|&b| b == 0).and_then(|last| bytes.get(..=last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn line_breaks_are_found(text in "[ab\r\n]{0,3}[a-z\u{8a}\u{8d}]{0,30}[ab\r\n]{0,3}") {
            let found = text.bytes().any(|b| b == b'\r' || b == b'\n');
            prop_assert_eq!(has_line_break(text.as_bytes()), found);
        }

        #[test]
        fn nuls_are_found_where_they_are(
            bytes in proptest::collection::vec(
                prop_oneof![Just(0), Just(1), Just(0x80), Just(0xff), any::<u8>()], 0..40)) {
            let all: Vec<_> = (0..bytes.len()).filter(|&n| bytes[n] == 0).collect();
            let mut found = Vec::new();
            let end: ControlFlow<()> = each(&bytes, |nul| {
                found.push(nul);
                ControlFlow::Continue(())
            });
            prop_assert_eq!(end, ControlFlow::Continue(()));
            prop_assert_eq!(&found, &all);
            let second = each(&bytes, |nul| match all.first() {
                Some(first) if *first != nul => ControlFlow::Break(nul),
                _ => ControlFlow::Continue(()),
            });
            prop_assert_eq!(second.break_value(), all.get(1).copied());
            prop_assert_eq!(count(&bytes), all.len());
            prop_assert_eq!(first(&bytes), all.first().copied());
            prop_assert_eq!(until_last(&bytes).map(|b| b.len() - 1), all.last().copied());
        }
    }
}
