//! Words of the session files: bare, or quoted bytes with escapes and repetition.

use crate::error::{Error, Result};

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How often they stand in a row (`"ab"*1000`).
    pub times: usize,
    /// Whether it was written in quotes, so that `"NULL"` is not NULL.
    pub quoted: bool,
}

impl Word {
    /// All bytes, repetition carried out.
    pub fn expand(&self) -> Vec<u8> {
        self.bytes.repeat(self.times)
    }

    /// The bytes as text; for bare words.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Whether it is the bare word `NULL`.
    pub fn is_null(&self) -> bool {
        !self.quoted && self.bytes == b"NULL"
    }
}

/// Splits a line into words.
pub fn words(line: &str) -> Result<Vec<Word>> {
    let bytes = line.as_bytes();
    let mut at = 0;
    let mut out = Vec::new();
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' => at += 1,
            b'"' => {
                let (word, next) = quoted(line, at)?;
                out.push(word);
                at = next;
            }
            _ => {
                let end =
                    bytes[at..].iter().position(|b| *b == b' ').map_or(bytes.len(), |n| at + n);
                out.push(Word { bytes: bytes[at..end].to_vec(), times: 1, quoted: false });
                at = end;
            }
        }
    }
    Ok(out)
}

/// Reads `"...."` and an optional `*N` from `line[start..]`; returns where it ended.
fn quoted(line: &str, start: usize) -> Result<(Word, usize)> {
    let bytes = line.as_bytes();
    let bad = |why: &str| Error(format!("{why} in: {line}"));
    let mut out = Vec::new();
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            None => return Err(bad("missing closing quote")),
            Some(b'"') => break,
            Some(b'\\') => {
                let hex = line.get(at + 1..at + 3).ok_or_else(|| bad("short \\xx"))?;
                out.push(u8::from_str_radix(hex, 16).map_err(|_| bad("\\ wants two hex digits"))?);
                at += 3;
            }
            Some(b) => {
                out.push(*b);
                at += 1;
            }
        }
    }
    at += 1;
    let mut times = 1;
    if bytes.get(at) == Some(&b'*') {
        let digits: String = line[at + 1..].chars().take_while(char::is_ascii_digit).collect();
        times = digits.parse().map_err(|_| bad("* wants a number"))?;
        at += 1 + digits.len();
    }
    Ok((Word { bytes: out, times, quoted: true }, at))
}

/// Bytes in quotes: printable ASCII as it is, the rest as `\xx`.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for b in bytes {
        match b {
            b' '..=b'~' if *b != b'"' && *b != b'\\' => out.push(char::from(*b)),
            _ => out.push_str(&format!("\\{b:02x}")),
        }
    }
    out.push('"');
    out
}

/// As [`quote`], but long strings by beginning, length and hash, as the trace filter does.
pub fn show(bytes: &[u8]) -> String {
    const MAX_SHOWN: usize = 160;
    const BEGINNING: usize = 48;
    if bytes.len() <= MAX_SHOWN {
        return quote(bytes);
    }
    let hash = bytes
        .iter()
        .fold(2_166_136_261_u32, |hash, b| (hash ^ u32::from(*b)).wrapping_mul(16_777_619));
    format!("{}..[{} bytes, fnv {hash:08x}]", quote(&bytes[..BEGINNING]), bytes.len())
}

/// A number: decimal, or hexadecimal after `0x`, with an optional minus.
pub fn number(word: &str) -> Result<i64> {
    let bad = || Error(format!("{word:?} is not a number"));
    let (negative, digits) = word.strip_prefix('-').map_or((false, word), |rest| (true, rest));
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).map_err(|_| bad())?,
        None => digits.parse().map_err(|_| bad())?,
    };
    // Flags with bit 63 set are wanted as bit patterns.
    let value = value.cast_signed();
    Ok(if negative { value.wrapping_neg() } else { value })
}
