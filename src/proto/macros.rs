//! Macros by stage: storing packets, clearing, looking names up.

use std::ops::Range;

use super::codes::MACRO_STAGES;
use super::nul::{count, nuls, until_last};

/// Stages before the first message: those that a session which idles has macros of.
const EARLY: usize = 2;

/// The macros an MTA has sent, one packet a stage.
#[derive(Debug, Default)]
pub struct Macros {
    early: [Stage; EARLY],
    /// The other stages, once one of them has macros.
    late: Option<Box<[Stage; MACRO_STAGES - EARLY]>>,
}

/// The macros of a stage, without spare room, since they are kept while the session waits.
///
/// In front the strings as they came, names and values alternating, each ending in NUL; then the
/// offset of each string, in [`NARROW`] or [`WIDE`] bytes; in the end how many that are, in
/// [`COUNT`] bytes whose highest bit tells that they are wide.
#[derive(Debug, Default)]
struct Stage {
    bytes: Box<[u8]>,
}

/// Bytes of an offset, where that is enough.
const NARROW: usize = 2;
/// Bytes of an offset else: packets have less than 2^31 bytes.
const WIDE: usize = 4;
/// Bytes.
const COUNT: usize = 4;
const WIDE_BIT: u32 = 1 << 31;

/// The first of some offsets.
fn offset<const WIDTH: usize>(offsets: &[u8]) -> Option<usize> {
    let bytes = offsets.first_chunk::<WIDTH>()?;
    Some(bytes.iter().rev().fold(0, |high, low| high << 8 | usize::from(*low)))
}

impl Stage {
    fn clear(&mut self) {
        if let Some(count) = self.bytes.last_chunk_mut::<COUNT>() {
            *count = [0; COUNT];
        }
    }

    /// Takes in the strings of a packet, which end in NUL.
    fn store(&mut self, strings: &[u8]) {
        let count = count(strings);
        let wide = strings.len() > usize::from(u16::MAX);
        let width = if wide { WIDE } else { NARROW };
        let size = strings.len() + count * width + COUNT;
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        if bytes.len() != size {
            bytes = Vec::with_capacity(size);
        }
        bytes.clear();
        bytes.extend_from_slice(strings);
        let mut start = 0;
        for nul in nuls(strings) {
            if wide {
                bytes.extend_from_slice(&(start as u32).to_le_bytes());
            } else {
                bytes.extend_from_slice(&(start as u16).to_le_bytes());
            }
            start = nul + 1;
        }
        let count = count as u32 | if wide { WIDE_BIT } else { 0 };
        bytes.extend_from_slice(&count.to_le_bytes());
        self.bytes = bytes.into_boxed_slice();
    }

    /// Where a macro's value lies.
    fn find(&self, name: &[u8]) -> Option<Range<usize>> {
        let (bytes, count) = self.bytes.split_last_chunk::<COUNT>()?;
        let count = u32::from_le_bytes(*count);
        if count & WIDE_BIT == 0 {
            Stage::find_in::<NARROW>(bytes, count as usize, name)
        } else {
            Stage::find_in::<WIDE>(bytes, (count & !WIDE_BIT) as usize, name)
        }
    }

    /// The same in strings followed by `count` offsets.
    fn find_in<const WIDTH: usize>(
        bytes: &[u8],
        count: usize,
        name: &[u8],
    ) -> Option<Range<usize>> {
        let end = bytes.len().checked_sub(count * WIDTH)?;
        let (strings, offsets) = bytes.split_at_checked(end)?;
        // A last name without a value is no macro.
        for (n, pair) in offsets.chunks_exact(2 * WIDTH).enumerate() {
            let value = pair.get(WIDTH..).and_then(offset::<WIDTH>);
            let (Some(at), Some(value)) = (offset::<WIDTH>(pair), value) else { continue };
            let length = value - at - 1;
            if (length == name.len() || length == name.len() + 2 && name.len() == 1)
                && strings.get(at..value - 1).is_some_and(|stored| bare(stored) == name)
            {
                let next = offsets.get((n + 1) * 2 * WIDTH..).and_then(offset::<WIDTH>);
                return Some(value..next.unwrap_or(end));
            }
        }
        None
    }
}

/// The stage that macros with this target letter belong to; those of other letters are ignored.
#[must_use]
pub fn stage_of(letter: u8) -> Option<usize> {
    match letter {
        b'C' => Some(0),
        b'H' => Some(1),
        b'M' => Some(2),
        b'R' => Some(3),
        b'T' => Some(4),
        b'N' => Some(5),
        b'E' => Some(6),
        _ => None,
    }
}

/// A name without the braces that do not count: "{x}" is "x", while "{xy}" is not "xy".
fn bare(name: &[u8]) -> &[u8] {
    match name {
        [b'{', _, b'}'] => name.get(1..2).unwrap_or_default(),
        _ => name,
    }
}

impl Macros {
    /// Stores the strings of a macro packet in place of all macros of the stage.
    ///
    /// Packets without any string are ignored; bytes after the last NUL are dropped.
    pub fn store(&mut self, stage: usize, strings: &[u8]) {
        let Some(strings) = until_last(strings) else { return };
        let place = match self.early.get_mut(stage) {
            None => self.late.get_or_insert_default().get_mut(stage - EARLY),
            early => early,
        };
        if let Some(place) = place {
            place.store(strings);
        }
    }

    /// All stages, the first one first.
    fn stages(&mut self) -> impl DoubleEndedIterator<Item = &mut Stage> {
        let late = self.late.as_mut().map_or_else(Default::default, |late| late.as_mut_slice());
        self.early.iter_mut().chain(late)
    }

    /// Empties `from` and all later stages.
    pub fn clear_from(&mut self, from: usize) {
        self.stages().skip(from).for_each(Stage::clear);
    }

    /// Finds a macro's value, with its NUL; later stages win over earlier ones.
    ///
    /// The bytes stay where they are until the stage is replaced or cleared.
    pub fn get(&mut self, name: &[u8]) -> Option<&mut [u8]> {
        let name = bare(name);
        if name.is_empty() {
            return None;
        }
        for stage in self.stages().rev() {
            if let Some(value) = stage.find(name) {
                return stage.bytes.get_mut(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(macros: &mut Macros, name: &str) -> Option<String> {
        let value = macros.get(name.as_bytes())?;
        let (nul, text) = value.split_last()?;
        assert_eq!(*nul, 0);
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// Stores a packet's payload.
    fn store(macros: &mut Macros, payload: &[u8]) {
        let Some((letter, strings)) = payload.split_first() else { return };
        if let Some(stage) = stage_of(*letter) {
            macros.store(stage, strings);
        }
    }

    #[test]
    fn later_stages_win_and_single_letters_need_no_braces() {
        let mut m = Macros::default();
        store(&mut m, b"Cj\0mx\0{x}\x001\0");
        store(&mut m, b"Mi\0Q1\0{mail_addr}\0a@b\0");
        store(&mut m, b"Ei\0Q2\0");
        assert_eq!(get(&mut m, "i").as_deref(), Some("Q2"));
        assert_eq!(get(&mut m, "{i}").as_deref(), Some("Q2"));
        assert_eq!(get(&mut m, "x").as_deref(), Some("1"));
        assert_eq!(get(&mut m, "mail_addr"), None, "longer names need their braces");
        assert_eq!(get(&mut m, "{mail_addr}").as_deref(), Some("a@b"));
        assert_eq!(get(&mut m, ""), None);
        m.clear_from(3);
        assert_eq!(get(&mut m, "i").as_deref(), Some("Q1"));
        m.clear_from(0);
        assert_eq!(get(&mut m, "j"), None);
    }

    #[test]
    fn end_of_message_wins_over_end_of_headers() {
        let mut m = Macros::default();
        store(&mut m, b"Ei\0eom\0");
        store(&mut m, b"Ni\0eoh\0");
        assert_eq!(get(&mut m, "i").as_deref(), Some("eom"));
    }

    #[test]
    fn packets_replace_their_stage_or_are_ignored() {
        let mut m = Macros::default();
        store(&mut m, b"Ca\x001\0b\x002\0");
        store(&mut m, b"C");
        store(&mut m, b"Cjunk");
        store(&mut m, b"La\x009\0");
        assert_eq!(get(&mut m, "a").as_deref(), Some("1"));
        store(&mut m, b"Cb\x003\0tail");
        assert_eq!(get(&mut m, "a"), None);
        assert_eq!(get(&mut m, "b").as_deref(), Some("3"));
        store(&mut m, b"C\0");
        assert_eq!(get(&mut m, "b"), None);
    }

    #[test]
    fn packets_of_any_size_are_kept_without_spare_room() {
        for size in [10, 65_000, 65_536, 65_537, 200_000] {
            let mut m = Macros::default();
            let long = "v".repeat(size);
            store(&mut m, format!("Ma\x001\0{{long}}\0{long}\0b\x002\0").as_bytes());
            assert_eq!(get(&mut m, "a").as_deref(), Some("1"));
            assert_eq!(get(&mut m, "{long}").as_deref(), Some(&*long));
            assert_eq!(get(&mut m, "b").as_deref(), Some("2"));
            let kept = m.stages().map(|stage| stage.bytes.len()).sum::<usize>();
            let strings = size + 1 + 7 + 8;
            let offsets = 6 * if strings > 65_535 { 4 } else { 2 };
            assert_eq!(kept, strings + offsets + 4);
        }
    }

    #[test]
    fn an_empty_value_is_found_and_a_missing_one_is_not() {
        let mut m = Macros::default();
        store(&mut m, b"Ca\0\0odd\0");
        assert_eq!(get(&mut m, "a").as_deref(), Some(""));
        assert_eq!(get(&mut m, "odd"), None);
        assert_eq!(get(&mut m, "none"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_packets_never_panic(
            payload in proptest::collection::vec(any::<u8>(), 0..60),
            name in proptest::collection::vec(any::<u8>(), 0..4)) {
            let mut m = Macros::default();
            store(&mut m, &payload);
            if let Some(value) = m.get(&name) {
                prop_assert_eq!(value.last(), Some(&0));
            }
        }
    }
}
