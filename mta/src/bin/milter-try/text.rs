//! Bytes of mail as text for a terminal, and differences between texts.

use std::io::Write;

use similar::TextDiff;

/// Lines around a difference.
const CONTEXT: usize = 3;

/// Prints; a reader that has gone away is no reason to fail.
pub(crate) fn put(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Text as it is; what a terminal must not get is escaped: control characters and broken UTF-8.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() && !matches!(letter, '\n' | '\t') {
                out.extend(letter.escape_default());
            } else {
                out.push(letter);
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// The same on one line.
pub(crate) fn one_line(bytes: &[u8]) -> String {
    printable(bytes).replace('\n', "\\n").replace('\t', "\\t")
}

/// A unified diff; empty if there is no difference.
pub(crate) fn diff(before: &[u8], after: &[u8], names: (&str, &str)) -> String {
    let (before, after) = (printable(before), printable(after));
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(before.as_str(), after.as_str())
        .unified_diff()
        .context_radius(CONTEXT)
        .header(names.0, names.1)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_get_text_only() {
        let nasty = b"caf\xc3\xa9\tb\x1b[2Jc\xff\r\nd";
        assert_eq!(printable(nasty), "café\tb\\u{1b}[2Jc\\xff\\r\nd");
        assert_eq!(one_line(nasty), "café\\tb\\u{1b}[2Jc\\xff\\r\\nd");
    }

    #[test]
    fn differences_are_shown_in_unified_form() {
        assert_eq!(diff(b"a\nb\n", b"a\nb\n", ("x", "y")), "");
        assert_eq!(
            diff(b"a\nb\n", b"a\nc\n", ("x", "y")),
            "--- x\n+++ y\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
    }
}
