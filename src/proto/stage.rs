//! The macros of one stage, as the MTA has sent them.

use std::collections::TryReserveError;
use std::ops::ControlFlow;

use super::nul::{count, each, first};
use super::planted::{Bug, planted};

/// The macros of a stage, without spare room, since they are kept while the session waits.
///
/// In front the strings as they came, names and values alternating, each ending in NUL: most of them
/// nobody asks for. Where there are many, the first look-up adds an index: the offset of each
/// string, in [`NARROW`] or [`WIDE`] bytes. The last byte tells the [`form`].
#[derive(Debug, Default)]
pub(super) struct Stage {
    bytes: Box<[u8]>,
}

/// What the last byte of a stage says.
mod form {
    /// No macros.
    pub(super) const EMPTY: u8 = 0;
    /// Strings only.
    pub(super) const PLAIN: u8 = 1;
    /// Strings only, and it stays so: values may have been handed out, which must not move.
    pub(super) const FIXED: u8 = 2;
    /// Strings, then offsets of two bytes, then how many in [`super::COUNT`] bytes.
    pub(super) const NARROW: u8 = 3;
    /// The same with offsets of four bytes.
    pub(super) const WIDE: u8 = 4;
}

/// Bytes of strings. From here on, an index pays with the second look-up.
const LONG: usize = 1024;
/// Bytes of an offset, where that is enough.
const NARROW: usize = 2;
/// Bytes of an offset else: packets have less than 2^31 bytes.
const WIDE: usize = 4;
/// Bytes.
const COUNT: usize = 4;

/// The first of some offsets.
fn offset<const WIDTH: usize>(offsets: &[u8]) -> Option<usize> {
    let bytes = offsets.first_chunk::<WIDTH>()?;
    Some(bytes.iter().rev().fold(0, |high, low| high << 8 | usize::from(*low)))
}

/// If `strings` begin with a name, bare or in braces that do not count: how many bytes it has with
/// its NUL.
#[inline]
fn begins_with(strings: &[u8], name: &[u8]) -> Option<usize> {
    let length = name.len();
    if strings.get(length) == Some(&0) && strings.get(..length) == Some(name) {
        return Some(length + 1);
    }
    match (name, strings) {
        (&[letter], &[b'{', other, b'}', 0, ..]) if letter == other => Some(4),
        _ => None,
    }
}

impl Stage {
    /// Bytes that are kept.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        if let Some(form) = self.bytes.last_mut() {
            *form = form::EMPTY;
        }
    }

    /// Takes in the strings of a packet, which end in NUL; without memory for them, it is empty.
    #[inline]
    pub(super) fn store(&mut self, strings: &[u8]) -> Result<(), TryReserveError> {
        let size = strings.len() + 1;
        if self.bytes.len() != size {
            self.bytes = Box::default();
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(size)?;
            bytes.extend_from_slice(strings);
            bytes.push(form::PLAIN);
            self.bytes = bytes.into_boxed_slice();
        } else if let Some((form, place)) = self.bytes.split_last_mut() {
            place.copy_from_slice(strings);
            *form = form::PLAIN;
        }
        Ok(())
    }

    /// Finds a macro's value, with all that follows it, of which the value is what the first NUL ends.
    #[inline]
    pub(super) fn get(&mut self, name: &[u8]) -> Option<&mut [u8]> {
        let value = self.find(name)?;
        self.bytes.get_mut(value..)
    }

    /// Where a macro's value begins.
    #[inline]
    fn find(&mut self, name: &[u8]) -> Option<usize> {
        let (form, bytes) = self.bytes.split_last()?;
        match *form {
            form::EMPTY => None,
            form::PLAIN if bytes.len() < LONG => find_in_strings(bytes, name),
            _ => self.find_among_many(name),
        }
    }

    #[cold]
    fn find_among_many(&mut self, name: &[u8]) -> Option<usize> {
        if self.bytes.last() == Some(&form::PLAIN) {
            self.add_index();
        }
        let (form, bytes) = self.bytes.split_last()?;
        match *form {
            form::NARROW => find_by_index::<NARROW>(bytes, name),
            form::WIDE => find_by_index::<WIDE>(bytes, name),
            _ => find_in_strings(bytes, name),
        }
    }

    /// Adds the index before the first value is handed out; without memory for it, does without.
    fn add_index(&mut self) {
        let Some((form, strings)) = self.bytes.split_last_mut() else { return };
        let count = count(strings);
        let wide = strings.len() > usize::from(u16::MAX) && !planted(Bug::OffsetsCut);
        let width = if wide { WIDE } else { NARROW };
        let mut bytes = Vec::new();
        let size = strings.len() + count * width + COUNT + 1;
        if bytes.try_reserve_exact(size).is_err() {
            *form = form::FIXED;
            return;
        }
        bytes.extend_from_slice(strings);
        let mut start = 0;
        let _all: ControlFlow<()> = each(strings, |nul| {
            if wide {
                bytes.extend_from_slice(&(start as u32).to_le_bytes());
            } else {
                bytes.extend_from_slice(&(start as u16).to_le_bytes());
            }
            start = nul + 1;
            ControlFlow::Continue(())
        });
        bytes.extend_from_slice(&(count as u32).to_le_bytes());
        bytes.push(if wide { form::WIDE } else { form::NARROW });
        self.bytes = bytes.into_boxed_slice();
    }
}

/// Where a macro's value begins in strings.
#[inline(never)]
fn find_in_strings(strings: &[u8], name: &[u8]) -> Option<usize> {
    // Often it is the first: many packets have only one.
    let value = match begins_with(strings, name) {
        None => find_behind_first(strings, name),
        value => value,
    };
    // A last name without a value is no macro.
    value.filter(|value| *value < strings.len())
}

/// The same for what is not the first macro.
#[inline(never)]
fn find_behind_first(strings: &[u8], name: &[u8]) -> Option<usize> {
    let mut rest = strings;
    loop {
        let value = rest.get(first(rest)? + 1..)?;
        rest = value.get(first(value)? + 1..)?;
        if let Some(length) = begins_with(rest, name) {
            return Some(strings.len() - rest.len() + length);
        }
    }
}

/// The same in strings followed by their offsets and how many these are.
fn find_by_index<const WIDTH: usize>(bytes: &[u8], name: &[u8]) -> Option<usize> {
    let (bytes, count) = bytes.split_last_chunk::<COUNT>()?;
    let end = bytes.len().checked_sub(u32::from_le_bytes(*count) as usize * WIDTH)?;
    let (strings, offsets) = bytes.split_at_checked(end)?;
    for pair in offsets.chunks_exact(2 * WIDTH) {
        let value = pair.get(WIDTH..).and_then(offset::<WIDTH>);
        let (Some(at), Some(value)) = (offset::<WIDTH>(pair), value) else { continue };
        let length = value - at - 1;
        if (length == name.len() || length == name.len() + 2 && name.len() == 1)
            && strings.get(at..).and_then(|rest| begins_with(rest, name)).is_some()
        {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stage(strings: &[u8]) -> Stage {
        let mut stage = Stage::default();
        stage.store(strings).unwrap();
        stage
    }

    /// The value of a macro, as a simple reader finds it.
    fn simple<'a>(strings: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        let mut strings = strings.split(|b| *b == 0);
        // What is behind the last NUL is no string.
        strings.next_back();
        let (mut odd, mut strings) = (None, strings);
        while let Some(stored) = strings.next() {
            odd = odd.or_else(|| match (stored, strings.next()) {
                ([b'{', letter, b'}'], value) if [*letter] == name => value,
                (stored, value) if stored == name => value,
                _ => None,
            });
        }
        odd
    }

    #[test]
    fn strings_are_kept_without_spare_room() {
        for size in [10, 900, 65_000, 65_536, 65_537, 200_000] {
            let strings = format!("a\x001\0{{long}}\0{}\0b\x002\0", "v".repeat(size));
            let mut stage = stage(strings.as_bytes());
            assert_eq!(stage.bytes.len(), strings.len() + 1);
            for name in ["{long}", "b", "a", "none"] {
                let value =
                    stage.get(name.as_bytes()).map(|v| v.split(|b| *b == 0).next().unwrap());
                assert_eq!(value, simple(strings.as_bytes(), name.as_bytes()), "{name} {size}");
            }
            let offsets = 6 * if strings.len() > 65_535 { WIDE } else { NARROW };
            let index = if strings.len() < LONG { 0 } else { offsets + COUNT };
            assert_eq!(stage.bytes.len(), strings.len() + index + 1);
        }
    }

    /// What has been handed out stays where it is, however often others are asked for.
    #[test]
    fn values_do_not_move() {
        let strings = (0..2000).map(|n| format!("{{m{n}}}\0{n}\0")).collect::<String>();
        for many in [5, 40, 2000] {
            let end = strings.match_indices('\0').nth(2 * many - 1).unwrap().0;
            let mut stage = stage(&strings.as_bytes()[..=end]);
            let first = stage.get(b"{m0}").unwrap().as_ptr();
            for n in 0..many {
                let value = stage.get(format!("{{m{n}}}").as_bytes()).unwrap();
                assert!(value.starts_with(format!("{n}\0").as_bytes()));
            }
            assert_eq!(stage.get(b"{m0}").unwrap().as_ptr(), first);
        }
    }

    proptest! {
        #[test]
        fn macros_are_found_as_a_simple_reader_finds_them(
            strings in proptest::collection::vec("[{]?[ab]{0,2}[}]?", 0..12),
            filler in prop_oneof![Just(0), Just(LONG - 20), Just(LONG), Just(70_000)],
            name in "[ab]{1,3}",
        ) {
            let mut bytes = format!("filler\0{}\0", "x".repeat(filler)).into_bytes();
            for string in &strings {
                bytes.extend_from_slice(string.as_bytes());
                bytes.push(0);
            }
            let mut stage = stage(&bytes);
            for _ in 0..2 {
                let value = stage.get(name.as_bytes());
                let value = value.map(|v| v.split(|b| *b == 0).next().unwrap_or_default());
                prop_assert_eq!(value, simple(&bytes, name.as_bytes()));
            }
        }
    }
}
