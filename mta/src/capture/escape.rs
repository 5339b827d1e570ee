//! Bytes as text in quotes, and back.

/// Longest piece on one line, in characters.
const PIECE: usize = 76;

/// Bytes as text of printable ASCII, without quotes around it.
pub(super) fn escape(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| escaped(*byte)).collect()
}

fn escaped(byte: u8) -> String {
    match byte {
        0 => "\\0".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'"' => "\\\"".to_owned(),
        b'\\' => "\\\\".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

/// Bytes as pieces for one line each: they end after a line feed, and where they get too long.
pub(super) fn pieces(bytes: &[u8]) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for (at, byte) in bytes.iter().enumerate() {
        let next = escaped(*byte);
        if let Some(last) = pieces.last_mut() {
            let after_line = at > 0 && bytes[at - 1] == b'\n';
            if after_line || last.len() + next.len() > PIECE {
                pieces.push(next);
            } else {
                last.push_str(&next);
            }
        }
    }
    pieces
}

/// Takes a text in quotes from the front; gives the bytes and what follows.
pub(super) fn quoted(text: &str) -> Result<(Vec<u8>, &str), String> {
    let inner = text.strip_prefix('"').ok_or("a text must begin with a quote")?;
    let mut out = Vec::new();
    let mut rest = inner.as_bytes();
    loop {
        let [first, after @ ..] = rest else {
            return Err("the quote at the end of a text is missing".to_owned());
        };
        rest = after;
        match first {
            b'"' => return Ok((out, &inner[inner.len() - rest.len()..])),
            b'\\' => rest = unescape(rest, &mut out)?,
            b' '..=b'~' => out.push(*first),
            other => return Err(format!("byte {other:#04x} must be written as an escape")),
        }
    }
}

/// Reads what follows a backslash; gives what follows that.
pub(super) fn unescape<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], String> {
    let (byte, used) = match text {
        [b'0', ..] => (0, 1),
        [b'r', ..] => (b'\r', 1),
        [b'n', ..] => (b'\n', 1),
        [b't', ..] => (b'\t', 1),
        [b'"', ..] => (b'"', 1),
        [b'\\', ..] => (b'\\', 1),
        [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            let digits = String::from_utf8_lossy(&[*high, *low]).into_owned();
            (u8::from_str_radix(&digits, 16).map_err(|error| error.to_string())?, 3)
        }
        _ => {
            return Err(
                r#"after a backslash come 0, r, n, t, a quote, a backslash or xNN"#.to_owned()
            );
        }
    };
    out.push(byte);
    Ok(&text[used..])
}
