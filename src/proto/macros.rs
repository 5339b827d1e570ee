//! Macros by stage: storing packets, clearing, looking names up.

use std::collections::TryReserveError;

use super::codes::MACRO_STAGES;
use super::nul::{first, until_last};
use super::planted::{Bug, planted};
use super::stage::Stage;

/// Stages before the first message: those that a session which idles has macros of.
const EARLY: usize = 2;

/// The macros an MTA has sent, one packet a stage.
#[derive(Debug, Default)]
pub struct Macros {
    early: [Stage; EARLY],
    /// The other stages, once one of them has macros.
    late: Option<Box<[Stage; MACRO_STAGES - EARLY]>>,
}

/// The letters of the commands that macros of a stage are for.
const LETTERS: [u8; MACRO_STAGES] = *b"CHMRTNE";

/// Stages by letter, those of letters that have none above all others.
static BY_LETTER: [u8; 256] = {
    let mut table = [u8::MAX; 256];
    let mut stage = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while stage < LETTERS.len() {
        table[LETTERS[stage] as usize] = stage as u8;
        stage += 1;
    }
    table
};

/// The stage that macros with this target letter belong to; those of other letters are ignored.
#[inline]
#[must_use]
pub fn stage_of(letter: u8) -> Option<usize> {
    let stage = BY_LETTER.get(usize::from(letter)).copied().map(usize::from);
    stage.filter(|stage| *stage < MACRO_STAGES)
}

/// A name without the braces that do not count: "{x}" is "x", while "{xy}" is not "xy".
#[inline]
fn bare(name: &[u8]) -> &[u8] {
    match name {
        [b'{', _, b'}'] => name.get(1..2).unwrap_or_default(),
        [b'{', _, _, b'}'] if planted(Bug::BracesDropped) => name.get(1..3).unwrap_or_default(),
        _ => name,
    }
}

impl Macros {
    /// Stores the strings of a macro packet in place of all macros of the stage.
    ///
    /// Packets without any string are ignored; bytes after the last NUL are dropped.
    ///
    /// # Errors
    /// There is no memory for them; the stage has no macros then.
    #[inline]
    pub fn store(&mut self, stage: usize, strings: &[u8]) -> Result<(), TryReserveError> {
        let Some(strings) = until_last(strings) else { return Ok(()) };
        let place = match self.early.get_mut(stage) {
            None => self.late.get_or_insert_default().get_mut(stage - EARLY),
            early => early,
        };
        place.map_or(Ok(()), |place| place.store(strings))
    }

    /// Empties `from` and all later stages.
    #[inline]
    pub fn clear_from(&mut self, from: usize) {
        let from = from + usize::from(planted(Bug::StageKept));
        for stage in self.early.get_mut(from..).unwrap_or_default() {
            stage.clear();
        }
        if let Some(late) = &mut self.late {
            for stage in late.get_mut(from.saturating_sub(EARLY)..).unwrap_or_default() {
                stage.clear();
            }
        }
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn size(&self) -> usize {
        let late = self.late.iter().flat_map(|late| late.iter());
        self.early.iter().chain(late).map(Stage::size).sum()
    }

    /// Finds a macro's value, with all that follows it in its stage, of which the value is what the
    /// first NUL ends; later stages win over earlier ones. The name has no NUL.
    ///
    /// The bytes stay where they are until the stage is replaced or cleared.
    #[inline]
    pub fn find(&mut self, name: &[u8]) -> Option<&mut [u8]> {
        let name = bare(name);
        if name.is_empty() {
            return None;
        }
        if let Some(late) = &mut self.late {
            let found = late.iter_mut().rev().find_map(|stage| stage.get(name));
            if found.is_some() {
                return found;
            }
        }
        self.early.iter_mut().rev().find_map(|stage| stage.get(name))
    }

    /// Finds a macro's value, with its NUL; see [`Macros::find`].
    pub fn get(&mut self, name: &[u8]) -> Option<&mut [u8]> {
        let value = self.find(name)?;
        let end = first(value)?;
        value.get_mut(..=end)
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
            macros.store(stage, strings).unwrap();
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
