//! Written commands to packets, and the steps of a session around them.

use super::text::{Word, words};
use crate::error::{Error, Result};

/// One step of the MTA's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes to send: one packet, or raw bytes.
    Send(Vec<u8>),
    /// Wait for this many further reply packets before going on.
    Wait(usize),
    /// Drop the connection in both directions, where a session otherwise ends by half-close.
    Close,
}

/// A packet: length, letter, payload.
pub fn packet(letter: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap_or(u32::MAX);
    let mut out = length.to_be_bytes().to_vec();
    out.push(letter);
    out.extend_from_slice(payload);
    out
}

/// What `open`, `mail` and the like stand for; files add their own with `macro`.
pub const MACROS: [(&str, &str); 6] = [
    ("open", "O 6 1ff 1fffff | C host.example 4 1234 192.0.2.1"),
    ("mail", "M <a@b> | R <c@d>"),
    ("head", "T | L Subject hi | N"),
    ("text", "B \"hello\\0d\\0a\""),
    ("msg", "mail | head | text | E"),
    ("message", "msg"),
];

/// Parses one command as written, such as `M <a@b> SIZE=1`.
pub fn parse(line: &str) -> Result<Step> {
    let all = words(line)?;
    let (name, args) = all.split_first().ok_or_else(|| Error("empty command".into()))?;
    let name = name.text();
    let text = |n: usize| args.get(n).map(Word::text).unwrap_or_default();
    let count = |n: usize| text(n).parse().unwrap_or(1);
    Ok(match name.as_str() {
        "wait" => Step::Wait(count(0)),
        "close" => Step::Close,
        "raw" => Step::Send(args.iter().flat_map(Word::expand).collect()),
        "X" => {
            let letter = args.first().map(Word::expand).unwrap_or_default();
            let payload: Vec<u8> = args.iter().skip(1).flat_map(Word::expand).collect();
            match letter.as_slice() {
                [letter] => Step::Send(packet(*letter, &payload)),
                _ => return Err(Error(format!("X wants one letter in: {line}"))),
            }
        }
        _ => match name.as_bytes() {
            [letter] => Step::Send(packet(*letter, &payload(*letter, args, line)?)),
            _ => return Err(Error(format!("no command {name:?} in: {line}"))),
        },
    })
}

fn payload(letter: u8, args: &[Word], line: &str) -> Result<Vec<u8>> {
    let strings = |words: &[Word]| -> Vec<u8> {
        words.iter().flat_map(|w| w.expand().into_iter().chain([0])).collect()
    };
    Ok(match letter {
        b'O' => {
            let mut out = Vec::new();
            for word in args {
                let value = u32::from_str_radix(&word.text(), 16);
                let value = value.map_err(|_| Error(format!("O wants hex numbers in: {line}")))?;
                out.extend_from_slice(&value.to_be_bytes());
            }
            out
        }
        b'C' => connect(args, line)?,
        b'D' => {
            let mut out = args.first().map(Word::expand).unwrap_or_default();
            for pair in args.iter().skip(1) {
                let text = pair.expand();
                let at = text.iter().position(|b| *b == b'=');
                let at = at.ok_or_else(|| Error(format!("D wants name=value in: {line}")))?;
                out.extend_from_slice(&text[..at]);
                out.push(0);
                out.extend_from_slice(&text[at + 1..]);
                out.push(0);
            }
            out
        }
        b'B' | b'E' => args.iter().flat_map(Word::expand).collect(),
        _ => strings(args),
    })
}

/// `C host`, family letter, port, address; `C host U` has no more.
fn connect(args: &[Word], line: &str) -> Result<Vec<u8>> {
    let mut out = args.first().map(Word::expand).unwrap_or_default();
    out.push(0);
    if let Some(family) = args.get(1) {
        out.extend(family.expand());
    }
    if let Some(port) = args.get(2) {
        let port: u16 =
            port.text().parse().map_err(|_| Error(format!("C wants a port in: {line}")))?;
        out.extend_from_slice(&port.to_be_bytes());
        out.extend(args.get(3).map(Word::expand).unwrap_or_default());
        out.push(0);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(line: &str) -> Vec<u8> {
        match parse(line).unwrap() {
            Step::Send(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_have_the_bytes_of_the_protocol() {
        assert_eq!(bytes("O 6 1ff 1fffff"), b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff");
        assert_eq!(bytes("D C j=mx"), b"\0\0\0\x07DCj\0mx\0");
        assert_eq!(
            bytes("C host.example 4 1234 192.0.2.1"),
            b"\0\0\0\x1bChost.example\x004\x04\xd2192.0.2.1\0"
        );
        assert_eq!(bytes("M <a@b> SIZE=1"), b"\0\0\0\x0eM<a@b>\0SIZE=1\0");
        assert_eq!(bytes("L Subject hi"), b"\0\0\0\x0cLSubject\0hi\0");
        assert_eq!(bytes("T"), b"\0\0\0\x01T");
        assert_eq!(bytes("B \"a\\00\"*2"), b"\0\0\0\x05Ba\0a\0");
        assert_eq!(bytes("X H \"no nul\""), b"\0\0\0\x07Hno nul");
        assert_eq!(parse("wait 3").unwrap(), Step::Wait(3));
    }
}
