//! Messages in files.

use super::header::Header;

/// Reads headers up to the first line that is none, then the body.
///
/// A first line `From …` of an mbox is left out. A line that is neither a header nor a
/// continuation ends the headers even without the empty line, as in MTAs.
pub(super) fn parse(bytes: &[u8]) -> (Vec<Header>, Vec<u8>) {
    let mut headers: Vec<Header> = Vec::new();
    let mut rest = bytes;
    if rest.starts_with(b"From ") {
        rest = split_line(rest).1;
    }
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        if line.is_empty() {
            rest = after;
            break;
        }
        let continues = matches!(line.first(), Some(b' ' | b'\t'));
        match headers.last_mut() {
            Some(last) if continues => {
                last.value.push(b'\n');
                last.value.extend_from_slice(line);
            }
            _ => match split_header(line) {
                Some(header) => headers.push(header),
                None => break,
            },
        }
        rest = after;
    }
    (headers, with_crlf(rest))
}

/// The first line without its end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        None => (bytes.strip_suffix(b"\r").unwrap_or(bytes), &[]),
        Some(end) => {
            let line = &bytes[..end];
            (line.strip_suffix(b"\r").unwrap_or(line), &bytes[end + 1..])
        }
    }
}

/// Splits at the colon; blanks before it are cut.
fn split_header(line: &[u8]) -> Option<Header> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    Some(Header { name: name.to_vec(), value: line[colon + 1..].to_vec() })
}

/// Turns LF without CR into CRLF.
pub(super) fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut last = 0;
    for byte in bytes {
        if *byte == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        last = *byte;
    }
    out
}

/// Headers, an empty line, the body; all with LF.
pub(super) fn render(headers: &[Header], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 512);
    for header in headers {
        out.extend_from_slice(&header.name);
        out.push(b':');
        push_with_lf(&mut out, &header.value);
        out.push(b'\n');
    }
    out.push(b'\n');
    push_with_lf(&mut out, body);
    out
}

/// Appends, turning CRLF into LF.
fn push_with_lf(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte == b'\r' && rest.peek() == Some(&b'\n') {
            continue;
        }
        out.push(byte);
    }
}
