//! Messages in files.

use std::ops::Range;

use super::header::Header;

/// Where in a file the parts of a message are; what is not there is an empty range at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Where the headers begin: after the first line `From …` of an mbox.
    pub start: usize,
    /// Each header with its folded lines and their ends.
    pub headers: Vec<Range<usize>>,
    /// The empty line.
    pub separator: Range<usize>,
    /// The body.
    pub body: Range<usize>,
}

/// Reads headers up to the first line that is none, then the body.
///
/// A first line `From …` of an mbox is left out. A line that is neither a header nor a
/// continuation ends the headers even without the empty line, as in MTAs.
pub(super) fn parse(bytes: &[u8]) -> (Vec<Header>, Vec<u8>) {
    let parts = parts(bytes);
    let headers = parts.headers.iter().filter_map(|range| header(&bytes[range.clone()]));
    (headers.collect(), with_crlf(&bytes[parts.body]))
}

/// Finds the parts.
pub(super) fn parts(bytes: &[u8]) -> Parts {
    let line_at = |at: usize| split_line(&bytes[at..]);
    let after = |rest: &[u8]| bytes.len() - rest.len();
    let start = if bytes.starts_with(b"From ") { after(line_at(0).1) } else { 0 };
    let mut headers: Vec<Range<usize>> = Vec::new();
    let mut at = start;
    let mut body = start;
    while at < bytes.len() {
        let (line, rest) = line_at(at);
        let end = after(rest);
        body = at;
        if line.is_empty() {
            body = end;
            break;
        }
        match headers.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => last.end = end,
            _ if split_header(line).is_some() => headers.push(at..end),
            _ => break,
        }
        at = end;
        body = end;
    }
    Parts { start, headers, separator: at..body, body: body..bytes.len() }
}

/// Reads a header with its folded lines.
fn header(bytes: &[u8]) -> Option<Header> {
    let (first, mut rest) = split_line(bytes);
    let mut header = split_header(first)?;
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        header.value.push(b'\n');
        header.value.extend_from_slice(line);
        rest = after;
    }
    Some(header)
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
