//! Differences between texts, times, and base64.

use std::time::Duration;

use milter_mta::wire::text::printable;
use similar::TextDiff;

/// Lines around a difference.
const CONTEXT: usize = 3;

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

/// A time for a person: milliseconds below a second.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

/// Base64 as MIME has it, on one line.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let index = bits >> (18 - 6 * place) & 63;
            let letter = LETTERS[usize::try_from(index).unwrap_or(0)];
            out.push(if place > group.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown_in_unified_form() {
        assert_eq!(diff(b"a\nb\n", b"a\nb\n", ("x", "y")), "");
        assert_eq!(
            diff(b"a\nb\n", b"a\nc\n", ("x", "y")),
            "--- x\n+++ y\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration(Duration::from_micros(1234)), "1.2 ms");
        assert_eq!(duration(Duration::from_millis(61_500)), "61.50 s");
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), coded);
        }
        assert_eq!(base64(b"\xff\xfe\xfd"), "//79");
    }
}
