//! Text from outside in one line of a log: nothing in it moves the cursor, and it ends.

use std::fmt::Write;

/// Bytes. One text from outside within a line: a connection specification, a name, a value.
pub const QUOTE_MAX: usize = 256;
/// Bytes. A whole line; daemons of the system log take 1024 with what they put in front.
pub const LINE_MAX: usize = 900;

/// What stands for the rest of a text that is too long.
const CUT: &str = "...";

/// Whether a terminal or a log would do something with it other than show it.
pub(super) fn acts(c: char) -> bool {
    c.is_control()
        // Ends of lines, and what turns the direction of writing.
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with its control characters as `\x1b` or `\u{2028}`, of `limit` bytes at most.
#[must_use]
pub fn escape(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    // Up to here the text fits together with the mark that it was cut.
    let mut room = 0;
    for c in text.chars() {
        if !acts(c) {
            out.push(c);
        } else if c.is_ascii() {
            let _written = write!(out, "\\x{:02x}", u32::from(c));
        } else {
            let _written = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        if out.len() + CUT.len() <= limit {
            room = out.len();
        }
        if out.len() > limit {
            out.truncate(room);
            out.push_str(CUT);
            break;
        }
    }
    out
}

/// A text from outside, to be put into a line.
#[must_use]
pub fn quote(bytes: &[u8]) -> String {
    escape(&String::from_utf8_lossy(bytes), QUOTE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(escape("caf\u{e9} \\ \"", 100), "caf\u{e9} \\ \"");
        assert_eq!(escape("a\n\u{1b}[1m\u{0}\u{7f}\t", 100), "a\\x0a\\x1b[1m\\x00\\x7f\\x09");
        assert_eq!(escape("\u{85}\u{202e}\u{2028}", 100), "\\u{85}\\u{202e}\\u{2028}");
        assert_eq!(quote(b"\xff\n"), "\u{fffd}\\x0a");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(escape("1234567890", 10), "1234567890");
        assert_eq!(escape("12345678901", 10), "1234567...");
        assert_eq!(escape("123456\n8901", 10), "123456...");
        assert_eq!(escape("123456\u{20ac}\u{20ac}", 10), "123456...");
        assert_eq!(quote(&[b'x'; 1000]).len(), QUOTE_MAX);
    }

    #[test]
    fn what_was_escaped_stays() {
        let once = escape("\u{1b}\u{202e}\n", 100);
        assert_eq!(escape(&once, 100), once);
    }
}
