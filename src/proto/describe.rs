//! What packets say, in words and argument by argument, however well they are formed.

use super::command::Command;
use super::response::{Payload, letter};

/// One argument of a packet or of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument<'a> {
    /// A name of this library.
    Word(&'static str),
    /// Bytes from outside.
    Text(&'a [u8]),
    /// A number.
    Number(i64),
    /// A set of `SMFIF_` flags.
    Actions(u32),
    /// A set of `SMFIP_` flags.
    Steps(u32),
    /// A pointer.
    Address(u64),
    /// NULL.
    Null,
}

impl<'a> Argument<'a> {
    /// A string of a C program.
    #[must_use]
    pub fn optional(text: Option<&'a [u8]>) -> Argument<'a> {
        text.map_or(Argument::Null, Argument::Text)
    }
}

/// The name of a packet of the MTA.
#[must_use]
pub fn command_name(letter: u8) -> &'static str {
    match Command::from_letter(letter) {
        Some(Command::Negotiate) => "negotiate",
        Some(Command::Macro) => "macros",
        Some(Command::Connect) => "connect",
        Some(Command::Helo) => "helo",
        Some(Command::Mail) => "mail",
        Some(Command::Rcpt) => "rcpt",
        Some(Command::Data) => "data",
        Some(Command::Header) => "header",
        Some(Command::Eoh) => "eoh",
        Some(Command::Body) => "body",
        Some(Command::Eom) => "eom",
        Some(Command::Unknown) => "unknown",
        Some(Command::Abort) => "abort",
        Some(Command::Quit) => "quit",
        Some(Command::QuitNc) => "quit_nc",
        None => "no_command",
    }
}

/// The name of a response.
#[must_use]
pub fn response_name(kind: u8) -> &'static str {
    match kind {
        letter::ADDRCPT => "add_recipient",
        letter::DELRCPT => "delete_recipient",
        letter::ADDRCPT_PAR => "add_recipient_par",
        letter::ACCEPT => "accept",
        letter::REPLBODY => "replace_body",
        letter::CONTINUE => "continue",
        letter::DISCARD => "discard",
        letter::CHGFROM => "change_sender",
        letter::ADDHEADER => "add_header",
        letter::INSHEADER => "insert_header",
        letter::CHGHEADER => "change_header",
        letter::OPTNEG => "negotiate",
        letter::PROGRESS => "progress",
        letter::QUARANTINE => "quarantine",
        letter::REJECT => "reject",
        letter::SKIP => "skip",
        letter::TEMPFAIL => "tempfail",
        letter::REPLYCODE => "reply",
        _ => "no_response",
    }
}

/// The arguments of a packet of the MTA, one by one.
pub fn command_arguments(kind: u8, payload: &[u8], each: &mut dyn FnMut(Argument<'_>)) {
    match Command::from_letter(kind) {
        Some(Command::Negotiate) => negotiation(payload, each),
        Some(Command::Macro) => {
            let Some((stage, rest)) = payload.split_first() else { return };
            each(Argument::Word(command_name(*stage)));
            strings(rest, each);
        }
        Some(Command::Connect) => connect(payload, each),
        Some(Command::Helo | Command::Mail | Command::Rcpt | Command::Header) => {
            strings(payload, each);
        }
        Some(Command::Unknown) => strings(payload, each),
        Some(_) if payload.is_empty() => {}
        Some(_) => each(Argument::Text(payload)),
        None => {
            each(Argument::Text(&[kind]));
            each(Argument::Text(payload));
        }
    }
}

/// The arguments of a response, one by one.
pub fn response_arguments(kind: u8, payload: Payload<'_>, each: &mut dyn FnMut(Argument<'_>)) {
    let mut texts = |texts: &[&[u8]]| texts.iter().for_each(|text| each(Argument::Text(text)));
    match payload {
        Payload::None => {}
        Payload::Strings(strings) => texts(strings),
        Payload::Indexed(index, strings) => {
            each(Argument::Number(index.into()));
            strings.iter().for_each(|text| each(Argument::Text(text)));
        }
        Payload::Raw(bytes) if kind == letter::OPTNEG => negotiation(bytes, each),
        Payload::Raw(bytes) => each(Argument::Text(bytes)),
    }
}

/// Version, actions and steps; then, in a response, stages with lists of macros.
fn negotiation(payload: &[u8], each: &mut dyn FnMut(Argument<'_>)) {
    let mut rest = payload;
    let mut numbers = 0;
    while let Some((number, after)) = rest.split_first_chunk::<4>() {
        let number = u32::from_be_bytes(*number);
        rest = after;
        numbers += 1;
        match numbers {
            2 => each(Argument::Actions(number)),
            3 => each(Argument::Steps(number)),
            _ => each(Argument::Number(number.into())),
        }
        if numbers > 3 {
            let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            each(Argument::Text(rest.get(..end).unwrap_or_default()));
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
    if !rest.is_empty() {
        each(Argument::Text(rest));
    }
}

/// Host name, family, and where there are some, port and address.
fn connect(payload: &[u8], each: &mut dyn FnMut(Argument<'_>)) {
    let Some(end) = payload.iter().position(|byte| *byte == 0) else {
        return each(Argument::Text(payload));
    };
    each(Argument::Text(payload.get(..end).unwrap_or_default()));
    let Some((family, rest)) = payload.get(end + 1..).and_then(<[u8]>::split_first) else { return };
    match family {
        b'4' => each(Argument::Word("inet")),
        b'6' => each(Argument::Word("inet6")),
        b'L' => each(Argument::Word("unix")),
        b'U' => each(Argument::Word("unknown")),
        other => each(Argument::Text(&[*other])),
    }
    if let Some((port, address)) = rest.split_first_chunk::<2>() {
        each(Argument::Number(u16::from_be_bytes(*port).into()));
        strings(address, each);
    }
}

/// Strings that end in NUL; the last may lack it.
fn strings(payload: &[u8], each: &mut dyn FnMut(Argument<'_>)) {
    if payload.is_empty() {
        return;
    }
    let payload = payload.strip_suffix(b"\0").unwrap_or(payload);
    payload.split(|byte| *byte == 0).for_each(|text| each(Argument::Text(text)));
}

/// The macros of a packet of them, name and value; the letter of the command comes first.
pub fn macros(payload: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut strings = payload.get(1..).unwrap_or_default().split(|byte| *byte == 0);
    std::iter::from_fn(move || Some((strings.next()?, strings.next()?)))
}

/// The address of the client in a connect packet, as it was sent.
#[must_use]
pub fn client_address(payload: &[u8]) -> Option<&[u8]> {
    let end = payload.iter().position(|byte| *byte == 0)?;
    match payload.get(end + 1..)? {
        [b'4' | b'6', _, _, address @ ..] => {
            let address = address.strip_suffix(b"\0").unwrap_or(address);
            Some(address.strip_prefix(b"IPv6:").unwrap_or(address))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: u8, payload: &[u8]) -> String {
        let mut out = command_name(kind).to_owned();
        command_arguments(kind, payload, &mut |argument| out += &format!(" {argument:?}"));
        out.replace("Text(", "T(")
    }

    #[test]
    fn packets_of_the_mta() {
        assert_eq!(
            said(b'M', b"<a>\0SIZE=1\0"),
            "mail T([60, 97, 62]) T([83, 73, 90, 69, 61, 49])"
        );
        assert_eq!(said(b'D', b"Mi\0Q\0"), "macros Word(\"mail\") T([105]) T([81])");
        assert_eq!(
            said(b'C', b"h\x004\0\x191.2.3.4\0"),
            "connect T([104]) Word(\"inet\") Number(25) T([49, 46, 50, 46, 51, 46, 52])"
        );
        assert_eq!(
            said(b'O', &[0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2]),
            "negotiate Number(6) Actions(1) Steps(2)"
        );
        assert_eq!(said(b'E', b""), "eom");
        assert_eq!(said(b'z', b"x"), "no_command T([122]) T([120])");
    }

    #[test]
    fn packets_that_are_cut_short() {
        // Miri needs minutes for all.
        for kind in (0..=255).step_by(if cfg!(miri) { 16 } else { 1 }) {
            for payload in [&b""[..], b"\0", b"a", b"a\x004", b"a\x004\0", b"\0\0\0", &[0; 17]] {
                said(kind, payload);
                let mut count = 0;
                response_arguments(kind, Payload::Raw(payload), &mut |_| count += 1);
                assert!(count <= payload.len() + 2, "{kind} {payload:?}");
            }
        }
    }

    #[test]
    fn clients_and_macros() {
        assert_eq!(client_address(b"h\x004\0\x191.2.3.4\0"), Some(&b"1.2.3.4"[..]));
        assert_eq!(client_address(b"h\x006\0\x19IPv6:::1\0"), Some(&b"::1"[..]));
        assert_eq!(client_address(b"h\0U"), None);
        assert_eq!(client_address(b"h"), None);
        let pairs: Vec<_> = macros(b"Mi\0Q\0{x}\0y\0z\0").collect();
        assert_eq!(pairs, [(&b"i"[..], &b"Q"[..]), (b"{x}", b"y"), (b"z", b"")]);
    }
}
