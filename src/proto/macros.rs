//! Macros by stage: storing packets, clearing, looking names up.

use std::ops::Range;

use super::codes::MACRO_STAGES;
use super::nul::{nuls, until_last};

/// The macros an MTA has sent, one packet a stage.
#[derive(Debug, Default)]
pub struct Macros {
    stages: [Stage; MACRO_STAGES],
}

/// The macros of a stage: the strings as they came, names and values alternating, each ending in
/// NUL; then where each begins, in [`OFFSET`] bytes.
#[derive(Debug, Default)]
struct Stage {
    bytes: Vec<u8>,
    /// Bytes of the strings.
    strings: usize,
}

/// Bytes.
const OFFSET: usize = size_of::<u32>();

fn offset(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk().map(|offset| u32::from_ne_bytes(*offset) as usize)
}

impl Stage {
    fn clear(&mut self) {
        self.bytes.clear();
        self.strings = 0;
    }

    /// Takes in the strings of a packet, which end in NUL.
    fn store(&mut self, strings: &[u8]) {
        self.bytes.clear();
        // Strings of a dozen bytes are usual; the memory is kept while the session waits.
        self.bytes.reserve_exact(strings.len() + strings.len() / 3 + 2 * OFFSET);
        self.bytes.extend_from_slice(strings);
        self.strings = strings.len();
        let mut start = 0u32;
        for nul in nuls(strings) {
            self.bytes.extend_from_slice(&start.to_ne_bytes());
            // Packets have less than 2^31 bytes.
            start = nul as u32 + 1;
        }
    }

    /// Where a macro's value lies.
    fn find(&self, name: &[u8]) -> Option<Range<usize>> {
        let (strings, offsets) = self.bytes.split_at_checked(self.strings)?;
        // A last name without a value is no macro.
        for (n, pair) in offsets.chunks_exact(2 * OFFSET).enumerate() {
            let (Some(at), Some(value)) = (offset(pair), pair.get(OFFSET..).and_then(offset))
            else {
                continue;
            };
            let length = value - at - 1;
            if (length == name.len() || length == name.len() + 2 && name.len() == 1)
                && strings.get(at..value - 1).is_some_and(|stored| bare(stored) == name)
            {
                let next = offsets.get((n + 1) * 2 * OFFSET..).and_then(offset);
                return Some(value..next.unwrap_or(self.strings));
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
        if let (Some(stage), Some(strings)) = (self.stages.get_mut(stage), until_last(strings)) {
            stage.store(strings);
        }
    }

    /// Empties `from` and all later stages.
    pub fn clear_from(&mut self, from: usize) {
        for stage in self.stages.iter_mut().skip(from) {
            stage.clear();
        }
    }

    /// Finds a macro's value, with its NUL; later stages win over earlier ones.
    ///
    /// The bytes stay where they are until the stage is replaced or cleared.
    pub fn get(&mut self, name: &[u8]) -> Option<&mut [u8]> {
        let name = bare(name);
        if name.is_empty() {
            return None;
        }
        for stage in self.stages.iter_mut().rev() {
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
