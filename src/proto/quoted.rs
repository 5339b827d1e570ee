//! Bytes from outside as text in quotes: for a line that a person reads, for JSON, and as captures have them.
//!
//! Nothing here allocates.

use std::fmt::{Result, Write};

use super::printable::acts;

/// The first `limit` bytes, or a little less if a character would be cut there; and whether that is all.
fn cut(bytes: &[u8], limit: usize) -> (&[u8], bool) {
    let Some(front) = bytes.get(..limit).filter(|_| limit < bytes.len()) else {
        return (bytes, true);
    };
    // Of UTF-8 a character has four bytes at most.
    let whole = match std::str::from_utf8(front) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => limit,
    };
    (front.get(..whole).unwrap_or(front), false)
}

/// Writes text in double quotes, what is beyond `limit` bytes left out and said so; control characters,
/// bytes that are not UTF-8, quotes and backslashes as escapes.
///
/// # Errors
/// Those of `out`.
pub fn quoted(out: &mut dyn Write, bytes: &[u8], limit: usize) -> Result {
    let (shown, whole) = cut(bytes, limit);
    out.write_char('"')?;
    plain(out, shown, '"')?;
    out.write_char('"')?;
    if whole { Ok(()) } else { write!(out, "... ({} bytes)", bytes.len()) }
}

/// As [`quoted`], without the quotes; `special` is escaped as well.
///
/// # Errors
/// Those of `out`.
pub fn plain(out: &mut dyn Write, bytes: &[u8], special: char) -> Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.write_str("\\\\")?,
                '\t' => out.write_str("\\t")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                _ if c == special && c == '"' => out.write_str("\\\"")?,
                _ if (acts(c) || c == special) && c.is_ascii() => {
                    write!(out, "\\x{:02x}", u32::from(c))?;
                }
                _ if acts(c) => write!(out, "\\u{{{:x}}}", u32::from(c))?,
                _ => out.write_char(c)?,
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

/// Writes a string of JSON; what is not UTF-8 becomes the replacement character.
///
/// # Errors
/// Those of `out`.
pub fn json(out: &mut dyn Write, bytes: &[u8]) -> Result {
    out.write_char('"')?;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\t' => out.write_str("\\t")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                // All of these are below U+10000, and so one escape each.
                _ if acts(c) => write!(out, "\\u{:04x}", u32::from(c))?,
                _ => out.write_char(c)?,
            }
        }
        if !chunk.invalid().is_empty() {
            out.write_char('\u{fffd}')?;
        }
    }
    out.write_char('"')
}

/// Writes a JSON value for bytes of which `limit` are shown: a string, or where that does not say all, an
/// object with the string, what it is in base64 if it is not UTF-8, and how long the whole is if it was cut.
///
/// # Errors
/// Those of `out`.
pub fn json_value(out: &mut dyn Write, bytes: &[u8], limit: usize) -> Result {
    let (shown, whole) = cut(bytes, limit);
    let is_text = std::str::from_utf8(shown).is_ok();
    if whole && is_text {
        return json(out, shown);
    }
    out.write_str("{\"text\":")?;
    json(out, shown)?;
    if !is_text {
        out.write_str(",\"base64\":\"")?;
        base64(out, shown)?;
        out.write_char('"')?;
    }
    if !whole {
        write!(out, ",\"bytes\":{}", bytes.len())?;
    }
    out.write_char('}')
}

/// Writes bytes in base64 (RFC 4648).
///
/// # Errors
/// Those of `out`.
pub fn base64(out: &mut dyn Write, bytes: &[u8]) -> Result {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * n) & 63) as usize).copied().unwrap_or(b'=');
            out.write_char(if n > three.len() { '=' } else { char::from(digit) })?;
        }
    }
    Ok(())
}

/// Writes one byte as captures have it in quotes.
///
/// # Errors
/// Those of `out`.
pub fn capture_byte(out: &mut dyn Write, byte: u8) -> Result {
    match byte {
        0 => out.write_str("\\0"),
        b'\r' => out.write_str("\\r"),
        b'\n' => out.write_str("\\n"),
        b'\t' => out.write_str("\\t"),
        b'"' => out.write_str("\\\""),
        b'\\' => out.write_str("\\\\"),
        b' '..=b'~' => out.write_char(char::from(byte)),
        _ => write!(out, "\\x{byte:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut dyn Write) -> Result) -> String {
        let mut out = String::new();
        write(&mut out).unwrap();
        out
    }

    #[test]
    fn for_people() {
        let text = |bytes: &[u8], limit| written(|out| quoted(out, bytes, limit));
        assert_eq!(text(b"caf\xc3\xa9 \"x\" \\", 99), "\"caf\u{e9} \\\"x\\\" \\\\\"");
        assert_eq!(text(b"a\r\n\x1b[1m\0\xff", 99), "\"a\\r\\n\\x1b[1m\\x00\\xff\"");
        assert_eq!(text("\u{202e}\u{85}".as_bytes(), 99), "\"\\u{202e}\\u{85}\"");
        assert_eq!(text(b"1234", 4), "\"1234\"");
        assert_eq!(text(b"12345", 4), "\"1234\"... (5 bytes)");
        assert_eq!(text("123\u{e9}".as_bytes(), 4), "\"123\"... (5 bytes)");
        assert_eq!(text(b"123\xff4", 4), "\"123\\xff\"... (5 bytes)");
        assert_eq!(written(|out| plain(out, b"<\"a b\"@c>", ' ')), "<\"a\\x20b\"@c>");
    }

    #[test]
    fn for_programs() {
        let value = |bytes: &[u8], limit| written(|out| json_value(out, bytes, limit));
        assert_eq!(value(b"a\"\\\x01\n", 99), r#""a\"\\\u0001\n""#);
        assert_eq!(value("\u{2028}\u{1f600}".as_bytes(), 99), "\"\\u2028\u{1f600}\"");
        assert_eq!(value(b"\xff", 99), "{\"text\":\"\u{fffd}\",\"base64\":\"/w==\"}");
        assert_eq!(value(b"12345", 4), r#"{"text":"1234","bytes":5}"#);
        for (bytes, coded) in [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v")] {
            assert_eq!(written(|out| base64(out, bytes)), coded);
        }
    }
}
