//! A session as a capture, in the format of docs/capture.md: a file that can be played again.

use std::fmt::{Result, Write};
use std::os::unix::ffi::OsStrExt;

use super::moment::{Heading, Moment, Seconds};
use crate::proto::quoted::capture_byte;
use crate::proto::response::Payload;
use crate::session::Event;
use crate::sys::library;

/// Characters of escaped text that stand on the line of their record, and on one of their own.
const INLINE_MAX: usize = 60;
const PIECE_MAX: usize = 72;

/// Writes what belongs into a capture: lines, with their ends.
pub(super) fn lines(out: &mut dyn Write, heading: &Heading<'_>, moment: &Moment<'_>) -> Result {
    let at = Seconds(heading.at);
    match *moment {
        Moment::Begin(time, process) => head(out, heading.session, time, process),
        Moment::Event(Event::Packet(letter, payload), _) => {
            write!(out, "{at} > ")?;
            packet(out, letter, &[payload])
        }
        Moment::Event(Event::Bytes(bytes), _) => {
            write!(out, "{at} > raw")?;
            text(out, &[bytes])
        }
        Moment::Event(Event::HungUp, _) => writeln!(out, "{at} > close"),
        Moment::Event(Event::End, _) => writeln!(out, "{at} < close"),
        Moment::Response(kind, payload, true) => {
            write!(out, "{at} < ")?;
            response(out, kind, payload)
        }
        Moment::Log(_, said) => {
            write!(out, "# {at} ")?;
            said.bytes().try_for_each(|byte| capture_byte(out, byte))?;
            out.write_char('\n')
        }
        Moment::Event(..) | Moment::Response(..) => Ok(()),
    }
}

/// Tells that the rest of the session is not there.
pub(super) fn cut(out: &mut dyn Write) -> Result {
    out.write_str("# what follows could not be written\n")
}

fn head(out: &mut dyn Write, session: u64, time: &str, process: u32) -> Result {
    write!(out, "milter capture 1\nstarted: {time}\nrecorder: {}\nlibrary: ", library::NAME)?;
    let file = library::file().map_or(&b"in the program"[..], |file| file.as_os_str().as_bytes());
    file.iter().try_for_each(|byte| capture_byte(out, *byte))?;
    write!(out, "\nsession: {session}\nprocess: {process}\n\n")
}

fn response(out: &mut dyn Write, kind: u8, payload: Payload<'_>) -> Result {
    // A change has two strings at most.
    let strings = |strings: &[&[u8]], index: &[u8], out: &mut dyn Write| {
        let at = |n: usize| strings.get(n).copied().unwrap_or_default();
        let nul = |n: usize| if n < strings.len() { &b"\0"[..] } else { b"" };
        packet(out, kind, &[index, at(0), nul(0), at(1), nul(1)])
    };
    match payload {
        Payload::None => packet(out, kind, &[]),
        Payload::Raw(bytes) => packet(out, kind, &[bytes]),
        Payload::Strings(texts) => strings(texts, &[], out),
        Payload::Indexed(index, texts) => strings(texts, &index.to_be_bytes(), out),
    }
}

/// The letter of a packet and its payload, given in parts.
fn packet(out: &mut dyn Write, letter: u8, parts: &[&[u8]]) -> Result {
    match letter {
        b'!'..=b'~' if !matches!(letter, b'#' | b'"' | b'\\') => {
            out.write_char(char::from(letter))?;
        }
        _ => write!(out, "\\x{letter:02x}")?,
    }
    text(out, parts)
}

/// The number of bytes, and the bytes in quotes, on further lines if there are many.
fn text(out: &mut dyn Write, parts: &[&[u8]]) -> Result {
    let bytes = || parts.iter().flat_map(|part| part.iter().copied());
    let size: usize = parts.iter().map(|part| part.len()).sum();
    write!(out, " {size}")?;
    let last_but_one = size.saturating_sub(1);
    let is_short = bytes().map(length).sum::<usize>() <= INLINE_MAX
        && !bytes().take(last_but_one).any(|byte| byte == b'\n');
    if size == 0 {
        return out.write_char('\n');
    }
    out.write_str(if is_short { " \"" } else { "\n  \"" })?;
    let (mut column, mut after_line) = (0, false);
    for byte in bytes() {
        if !is_short && (after_line || column + length(byte) > PIECE_MAX) {
            out.write_str("\"\n  \"")?;
            column = 0;
        }
        capture_byte(out, byte)?;
        column += length(byte);
        after_line = byte == b'\n';
    }
    out.write_str("\"\n")
}

/// Characters of a byte as it is written.
fn length(byte: u8) -> usize {
    match byte {
        0 | b'\r' | b'\n' | b'\t' | b'"' | b'\\' => 2,
        b' '..=b'~' => 1,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn written(moment: &Moment<'_>) -> String {
        let at = Duration::from_micros(4232);
        let heading = Heading { session: 1, at, queue_id: b"", sender: b"", shown: 1 };
        let mut out = String::new();
        lines(&mut out, &heading, moment).unwrap();
        out
    }

    #[test]
    fn records_are_those_of_the_page() {
        let packet = |letter, payload: &[u8]| {
            written(&Moment::Event(Event::Packet(letter, payload), Duration::ZERO))
        };
        assert_eq!(packet(b'Q', b""), "0.004232 > Q 0\n");
        assert_eq!(packet(b'M', b"<a>\0"), "0.004232 > M 4 \"<a>\\0\"\n");
        assert_eq!(packet(b'#', b"\xff\""), "0.004232 > \\x23 2 \"\\xff\\\"\"\n");
        let folded = packet(b'L', b"Subject\0hello\n\tfolded\0");
        let wanted = "0.004232 > L 22\n  \"Subject\\0hello\\n\"\n  \"\\tfolded\\0\"\n";
        assert_eq!(folded, wanted);
        let long = packet(b'B', &[b'x'; 150]);
        assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [16, 76, 76, 10]);
        let change = Payload::Indexed(1, &[b"N", b"v"]);
        let change = written(&Moment::Response(b'm', change, true));
        assert_eq!(change, "0.004232 < m 8 \"\\0\\0\\0\\x01N\\0v\\0\"\n");
        assert_eq!(written(&Moment::Response(b'c', Payload::None, false)), "");
    }
}
