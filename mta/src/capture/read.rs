//! Reading captures.

use std::fmt;
use std::time::Duration;

use super::escape::{quoted, unescape};
use super::types::{Capture, FIRST_LINE, Record, Side, What};
use crate::wire::OwnedPacket;

/// Why a file is no capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for CaptureError {}

/// A record whose text may go on in the lines that follow.
struct Open {
    line: usize,
    record: Record,
    length: Option<usize>,
}

impl Capture {
    /// Reads a capture; says which line cannot be understood.
    pub fn parse(bytes: &[u8]) -> Result<Capture, CaptureError> {
        parse(bytes)
    }
}

/// Reads line by line.
fn parse(bytes: &[u8]) -> Result<Capture, CaptureError> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().enumerate().map(|(number, line)| (number + 1, line));
    let first = lines.next().map_or("", |(_, line)| line);
    if first != FIRST_LINE {
        return Err(CaptureError { line: 1, problem: first_problem(first) });
    }
    let mut capture = Capture::default();
    let mut open: Option<Open> = None;
    let mut in_facts = true;
    for (number, line) in lines {
        let fail = |problem: String| CaptureError { line: number, problem };
        if line.trim().is_empty() {
            in_facts = false;
        } else if line.starts_with('#') {
            // A comment.
        } else if in_facts {
            let (name, value) =
                line.split_once(':').ok_or_else(|| fail("no \"name: value\"".to_owned()))?;
            capture.facts.push((name.to_owned(), value.trim().to_owned()));
        } else if line.starts_with([' ', '\t']) {
            let open = open.as_mut().ok_or_else(|| fail("goes on with no record".to_owned()))?;
            append(&mut open.record.what, line.trim()).map_err(fail)?;
        } else {
            close(&mut capture, open.take())?;
            open = Some(record(number, line).map_err(fail)?);
        }
    }
    close(&mut capture, open)?;
    Ok(capture)
}

fn first_problem(first: &str) -> String {
    match first.strip_prefix("milter capture ") {
        Some(version) => format!("version {version:?} is not understood here, only 1"),
        None => format!("a capture begins with \"{FIRST_LINE}\""),
    }
}

/// Takes up a record whose text is complete.
fn close(capture: &mut Capture, open: Option<Open>) -> Result<(), CaptureError> {
    let Some(Open { line, record, length }) = open else {
        return Ok(());
    };
    let bytes = match &record.what {
        What::Packet(packet) => packet.payload.len(),
        What::Raw(bytes) => bytes.len(),
        What::Closed => 0,
    };
    if let Some(length) = length.filter(|length| *length != bytes) {
        let problem = format!("{length} bytes were announced, {bytes} are there");
        return Err(CaptureError { line, problem });
    }
    capture.records.push(record);
    Ok(())
}

/// Reads `OFFSET DIRECTION WORD [LENGTH] [TEXT]`.
fn record(line: usize, text: &str) -> Result<Open, String> {
    let (at, rest) = word(text);
    let (arrow, rest) = word(rest);
    let (name, mut rest) = word(rest);
    let from = match arrow {
        ">" => Side::Mta,
        "<" => Side::Milter,
        _ => return Err(format!("\"{arrow}\" is no direction: > is the MTA's, < the milter's")),
    };
    let mut length = None;
    if rest.starts_with(|first: char| first.is_ascii_digit()) {
        let (number, after) = word(rest);
        length = Some(number.parse().map_err(|_| format!("\"{number}\" is no length"))?);
        rest = after;
    }
    let mut what = match name {
        "close" => What::Closed,
        "raw" => What::Raw(Vec::new()),
        _ => What::Packet(OwnedPacket { letter: letter(name)?, payload: Vec::new() }),
    };
    if !rest.is_empty() {
        append(&mut what, rest)?;
    }
    let at = offset(at).ok_or_else(|| format!("\"{at}\" is no number of seconds"))?;
    Ok(Open { line, record: Record { at, from, what }, length })
}

/// The first word, and what follows the blanks behind it.
fn word(text: &str) -> (&str, &str) {
    match text.split_once(' ') {
        Some((first, rest)) => (first, rest.trim_start()),
        None => (text, ""),
    }
}

fn letter(name: &str) -> Result<u8, String> {
    match name.as_bytes() {
        [letter @ b'!'..=b'~'] => Ok(*letter),
        [b'\\', rest @ ..] => {
            let mut out = Vec::new();
            match unescape(rest, &mut out)? {
                [] => Ok(out[0]),
                _ => Err(format!("\"{name}\" is more than one letter")),
            }
        }
        _ => Err(format!("\"{name}\" is no packet's letter, nor raw or close")),
    }
}

/// Seconds with up to nine decimals.
fn offset(text: &str) -> Option<Duration> {
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 9 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanoseconds: u32 = format!("{decimals:0<9}").parse().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanoseconds))
}

/// Appends a text in quotes to what it belongs to.
fn append(what: &mut What, text: &str) -> Result<(), String> {
    let (bytes, rest) = quoted(text)?;
    if !rest.trim().is_empty() {
        return Err(format!("after the text stands \"{}\"", rest.trim()));
    }
    match what {
        What::Packet(packet) => packet.payload.extend(bytes),
        What::Raw(old) => old.extend(bytes),
        What::Closed => return Err("close has no text".to_owned()),
    }
    Ok(())
}
