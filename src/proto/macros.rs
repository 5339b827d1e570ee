//! Macros by stage: storing packets, clearing, looking names up.

use super::codes::MACRO_STAGES;

/// The macros an MTA has sent, one packet a stage.
///
/// A stage's packet is kept as it came: names and values alternating, each ending in NUL.
#[derive(Debug, Default)]
pub struct Macros {
    stages: [Vec<u8>; MACRO_STAGES],
}

/// The stage that macros with this target letter belong to.
fn stage_of(letter: u8) -> Option<usize> {
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

/// Whether a stored name answers to the name asked for: equal, or "x" for "{x}" and back.
fn same(stored: &[u8], asked: &[u8]) -> bool {
    match (stored, asked) {
        ([s], [b'{', a, b'}']) | ([b'{', s, b'}'], [a]) => s == a,
        _ => stored == asked,
    }
}

impl Macros {
    /// Stores a macro packet: its target letter, then the strings.
    ///
    /// Replaces all macros of the stage. Letters without a stage, and packets without any string,
    /// are ignored; bytes after the last NUL are dropped.
    pub fn store(&mut self, payload: &[u8]) {
        let Some((&letter, strings)) = payload.split_first() else { return };
        let Some(stage) = stage_of(letter).and_then(|n| self.stages.get_mut(n)) else { return };
        let Some(last) = strings.iter().rposition(|&b| b == 0) else { return };
        stage.clear();
        stage.reserve_exact(last + 1);
        stage.extend_from_slice(strings.get(..=last).unwrap_or_default());
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
        let (stage, at) = self.find(name)?;
        let bytes = self.stages.get_mut(stage)?.get_mut(at..)?;
        let end = bytes.iter().position(|&b| b == 0)?;
        bytes.get_mut(..=end)
    }

    /// Stage and offset of a value.
    fn find(&self, name: &[u8]) -> Option<(usize, usize)> {
        if name.is_empty() {
            return None;
        }
        for (number, stage) in self.stages.iter().enumerate().rev() {
            let mut at = 0;
            let mut strings = stage.split(|&b| b == 0);
            // The split's last piece follows the last NUL and is no string.
            while let (Some(stored), Some(value)) = (strings.next(), strings.next()) {
                let value_at = at + stored.len() + 1;
                if value_at >= stage.len() {
                    break; // a last name without a value
                }
                if same(stored, name) {
                    return Some((number, value_at));
                }
                at = value_at + value.len() + 1;
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

    #[test]
    fn later_stages_win_and_single_letters_need_no_braces() {
        let mut m = Macros::default();
        m.store(b"Cj\0mx\0{x}\x001\0");
        m.store(b"Mi\0Q1\0{mail_addr}\0a@b\0");
        m.store(b"Ei\0Q2\0");
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
        m.store(b"Ei\0eom\0");
        m.store(b"Ni\0eoh\0");
        assert_eq!(get(&mut m, "i").as_deref(), Some("eom"));
    }

    #[test]
    fn packets_replace_their_stage_or_are_ignored() {
        let mut m = Macros::default();
        m.store(b"Ca\x001\0b\x002\0");
        m.store(b"C");
        m.store(b"Cjunk");
        m.store(b"La\x009\0");
        assert_eq!(get(&mut m, "a").as_deref(), Some("1"));
        m.store(b"Cb\x003\0tail");
        assert_eq!(get(&mut m, "a"), None);
        assert_eq!(get(&mut m, "b").as_deref(), Some("3"));
        m.store(b"C\0");
        assert_eq!(get(&mut m, "b"), None);
    }

    #[test]
    fn an_empty_value_is_found_and_a_missing_one_is_not() {
        let mut m = Macros::default();
        m.store(b"Ca\0\0odd\0");
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
            m.store(&payload);
            if let Some(value) = m.get(&name) {
                prop_assert_eq!(value.last(), Some(&0));
            }
        }
    }
}
