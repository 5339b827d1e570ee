//! What an MTA sends, in words, however well it is formed.

use super::command::letter;
use super::flags::{action, describe, protocol};
use super::frame::Packet;
use super::text::printable;

/// A command in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Its name, as in reports and JSON.
    pub name: &'static str,
    /// Its arguments; line feeds and tabs in them are as they are.
    pub text: String,
}

/// Says in words what a packet of the MTA is.
#[must_use]
pub fn command_in_words(packet: Packet<'_>) -> Words {
    let payload = packet.payload;
    let words = |name, text: String| Words { name, text };
    match packet.letter {
        letter::OPTNEG => words("negotiate", offer(payload)),
        letter::MACRO => words("macros", payload.first().map_or(String::new(), target)),
        letter::CONNECT => words("connect", client(payload)),
        letter::HELO => words("helo", joined(payload)),
        letter::MAIL => words("mail", joined(payload)),
        letter::RCPT => words("rcpt", joined(payload)),
        letter::DATA => words("data", surplus(payload)),
        letter::HEADER => {
            let strings = strings(payload);
            let (name, value) = strings.split_first().map_or((&[][..], &[][..]), |(name, rest)| {
                (*name, rest.first().copied().unwrap_or_default())
            });
            words("header", format!("{}: {}", printable(name), printable(value)))
        }
        letter::END_OF_HEADERS => words("eoh", surplus(payload)),
        letter::BODY => words("body", format!("{} bytes", payload.len())),
        letter::END_OF_BODY if payload.is_empty() => words("eom", String::new()),
        letter::END_OF_BODY => words("eom", format!("{} bytes", payload.len())),
        letter::UNKNOWN => words("unknown", joined(payload)),
        letter::ABORT => words("abort", surplus(payload)),
        letter::QUIT => words("quit", surplus(payload)),
        letter::QUIT_NC => words("quit_nc", surplus(payload)),
        other => words("command", format!("'{}', {} bytes", other.escape_ascii(), payload.len())),
    }
}

/// Names and values of a packet of macros, without the letter they belong to.
#[must_use]
pub fn macros_in(payload: &[u8]) -> Vec<(&[u8], &[u8])> {
    let strings = strings(payload.get(1..).unwrap_or_default());
    strings.chunks(2).map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default())).collect()
}

/// The strings of a payload; the last may lack its NUL.
pub(crate) fn strings(payload: &[u8]) -> Vec<&[u8]> {
    let mut strings: Vec<&[u8]> = payload.split(|byte| *byte == 0).collect();
    if strings.last().is_some_and(|last| last.is_empty()) {
        strings.pop();
    }
    strings
}

/// The number of four bytes that begins at `at`.
pub(crate) fn word_at(payload: &[u8], at: usize) -> Option<u32> {
    let bytes = payload.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map(|bytes| u32::from_be_bytes(*bytes))
}

fn target(letter: &u8) -> String {
    letter.escape_ascii().to_string()
}

fn joined(payload: &[u8]) -> String {
    printable(&strings(payload).join(&b' '))
}

/// What has no arguments may come with some.
fn surplus(payload: &[u8]) -> String {
    if payload.is_empty() { String::new() } else { format!("with {} bytes", payload.len()) }
}

fn offer(payload: &[u8]) -> String {
    let [version, actions, steps] = [0, 4, 8].map(|at| word_at(payload, at));
    let (Some(version), Some(actions), Some(steps)) = (version, actions, steps) else {
        return format!("malformed, {} bytes", payload.len());
    };
    format!(
        "version {version}, actions {}, protocol {}",
        all_or(actions, action::ALL, action::NAMES),
        all_or(steps, protocol::ALL, protocol::NAMES)
    )
}

/// The names of flags, or that all are set.
fn all_or(bits: u32, all: u32, names: &[(u32, &str)]) -> String {
    if bits == all { format!("all ({bits:#x})") } else { describe(bits, names) }
}

/// Name, family, port and address of the SMTP client.
fn client(payload: &[u8]) -> String {
    let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len());
    let (host, rest) = payload.split_at(end);
    let host = printable(host);
    let Some((family, rest)) = rest.get(1..).and_then(<[u8]>::split_first) else {
        return format!("{host} (malformed)");
    };
    let (port, address) = match rest.split_first_chunk::<2>() {
        Some((port, address)) => (u16::from_be_bytes(*port), address),
        None => (0, rest),
    };
    let address = printable(address.strip_suffix(b"\0").unwrap_or(address));
    match family {
        b'4' => format!("{host} [{address}]:{port}"),
        b'6' => format!("{host} [{}]:{port}", address.strip_prefix("IPv6:").unwrap_or(&address)),
        b'L' => format!("{host} local:{address}"),
        b'U' => format!("{host} (unknown origin)"),
        other => format!("{host} (family '{}')", other.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(letter: u8, payload: &[u8]) -> String {
        let words = command_in_words(Packet { letter, payload });
        format!("{} {}", words.name, words.text)
    }

    #[test]
    fn commands_are_told_in_words() {
        for (letter, payload, shown) in [
            (
                b'O',
                &b"\0\0\0\x06\0\0\x01\xff\0\0\0\0"[..],
                "negotiate version 6, actions all (0x1ff), protocol none",
            ),
            (b'C', b"h\x004\0\x19192.0.2.1\0", "connect h [192.0.2.1]:25"),
            (b'C', b"h\x006\0\x19IPv6:::1\0", "connect h [::1]:25"),
            (b'C', b"h\0L\0\0/run/x\0", "connect h local:/run/x"),
            (b'C', b"h\0U", "connect h (unknown origin)"),
            (b'M', b"<a@b>\0SIZE=1\0", "mail <a@b> SIZE=1"),
            (b'L', b"X\0a\n\tb\0", "header X: a\n\tb"),
            (b'B', b"abc", "body 3 bytes"),
            (b'T', b"", "data "),
        ] {
            assert_eq!(words(letter, payload), shown);
        }
    }

    #[test]
    fn malformed_commands_are_told_as_well_as_can_be() {
        for (letter, payload, shown) in [
            (b'O', &b"\0\0"[..], "negotiate malformed, 2 bytes"),
            (b'C', b"h", "connect h (malformed)"),
            (b'H', b"without its NUL", "helo without its NUL"),
            (b'L', b"", "header : "),
            (b'T', b"x", "data with 1 bytes"),
            (b'G', b"ET /", "command 'G', 4 bytes"),
        ] {
            assert_eq!(words(letter, payload), shown);
        }
        assert_eq!(macros_in(b"Cj\0mx\0i\0"), [(&b"j"[..], &b"mx"[..]), (b"i", b"")]);
        assert_eq!(macros_in(b""), []);
    }
}
