//! Captures without who wrote what to whom: every length stays, and so does what makes a milter decide.
//!
//! Words become other words of the same length, the same ones everywhere in the file: an address in a
//! header is still that of the envelope, and a refusal still names it. Kept are the names of headers,
//! macros and ESMTP arguments, the structure of MIME, dates, top-level domains, queue ids, and the
//! words of the milter itself, without the addresses and hosts among them.

mod content;
mod disguise;

use super::types::{Capture, Record, Side, What};
use crate::wire::OwnedPacket;
use crate::wire::command::letter;
use crate::wire::words::strings;
use content::{Content, header};
use disguise::Disguise;

/// Macros that say nothing about people.
const KEPT_MACROS: &[&[u8]] = &[
    b"i",
    b"r",
    b"v",
    b"{auth_ssf}",
    b"{auth_type}",
    b"{cipher}",
    b"{cipher_bits}",
    b"{client_port}",
    b"{client_resolve}",
    b"{mail_mailer}",
    b"{nbadrcpts}",
    b"{nrcpts}",
    b"{rcpt_mailer}",
    b"{tls_version}",
    b"{verify}",
];

/// ESMTP arguments whose values say nothing about people.
const KEPT_ARGUMENTS: &[&[u8]] =
    &[b"SIZE", b"BODY", b"RET", b"NOTIFY", b"HOLDFOR", b"HOLDUNTIL", b"BY"];

/// Facts about programs, not about people.
const KEPT_FACTS: &[&str] = &["started", "recorder", "mta", "library"];

/// Takes addresses, hosts and contents out of a capture.
#[must_use]
pub fn anonymize(capture: &Capture) -> Capture {
    disguised(capture, Disguise::secret())
}

fn disguised(capture: &Capture, mut disguise: Disguise) -> Capture {
    for packet in capture.records.iter().filter_map(packet_of) {
        learn(&mut disguise, packet);
    }
    let mut out = capture.clone();
    for (name, value) in &mut out.facts {
        if !KEPT_FACTS.contains(&name.as_str()) {
            *value = String::from_utf8_lossy(&disguise.names_in(value.as_bytes())).into_owned();
        }
    }
    if out.fact("anonymized").is_none() {
        out.facts.push(("anonymized".to_owned(), "yes".to_owned()));
    }
    // From the headers of a message it is known where the parts of its body begin.
    let mut content = Content::default();
    for record in &mut out.records {
        match &mut record.what {
            What::Packet(packet) if record.from == Side::Mta => {
                if packet.letter == letter::MAIL {
                    content = Content::default();
                }
                command(&mut disguise, &mut content, packet);
            }
            What::Packet(packet) => reply(&mut disguise, packet),
            What::Raw(bytes) => {
                let kept = bytes.len().min(crate::wire::frame::HEAD);
                let rest = disguise.everything_in(&bytes[kept..]);
                bytes.splice(kept.., rest);
            }
            What::Closed => {}
        }
    }
    out
}

fn packet_of(record: &Record) -> Option<(Side, &OwnedPacket)> {
    match &record.what {
        What::Packet(packet) => Some((record.from, packet)),
        _ => None,
    }
}

/// Takes note of names of people and hosts where they are sure to be some.
fn learn(disguise: &mut Disguise, (from, packet): (Side, &OwnedPacket)) {
    let payload = &packet.payload[..];
    match (from, packet.letter) {
        (Side::Mta, letter::HELO | letter::MAIL | letter::RCPT)
        | (Side::Milter, b'e' | b'+' | b'2' | b'-') => {
            disguise.learn(strings(payload).first().copied().unwrap_or_default());
        }
        (Side::Mta, letter::CONNECT) => {
            let (host, rest) = split_string(payload);
            disguise.learn(host);
            if let [b'6', _, _, address @ ..] = rest {
                let address = strings(address).first().copied().unwrap_or_default();
                disguise.learn_ipv6(address.strip_prefix(b"IPv6:").unwrap_or(address));
            }
        }
        _ => {}
    }
}

fn command(disguise: &mut Disguise, content: &mut Content, packet: &mut OwnedPacket) {
    let payload = &packet.payload[..];
    packet.payload = match packet.letter {
        letter::OPTNEG => return,
        letter::MACRO => macros(disguise, payload),
        letter::CONNECT => {
            let (host, rest) = split_string(payload);
            let end = payload.len() - rest.len();
            let mut out = disguise.everything_in(host);
            out.extend_from_slice(&payload[host.len()..end]);
            // Family and port.
            let kept = rest.len().min(3);
            out.extend_from_slice(&rest[..kept]);
            out.extend(disguise.everything_in(&rest[kept..]));
            out
        }
        letter::MAIL | letter::RCPT => envelope(disguise, payload),
        letter::HEADER => {
            let (name, value) = split_string(payload);
            content.learn(name, value);
            with_head(payload, name.len() + 1, |value| header(disguise, name, value))
        }
        letter::BODY | letter::END_OF_BODY => content.body(disguise, payload),
        letter::UNKNOWN => {
            let verb = payload.iter().position(|byte| *byte == b' ').unwrap_or(payload.len());
            with_head(payload, verb, |rest| disguise.everything_in(rest))
        }
        _ => disguise.everything_in(payload),
    };
}

fn reply(disguise: &mut Disguise, packet: &mut OwnedPacket) {
    let payload = &packet.payload[..];
    let numbers = if packet.letter == b'h' { 0 } else { 4.min(payload.len()) };
    packet.payload = match packet.letter {
        b'O' => return,
        b'h' | b'i' | b'm' => {
            let (name, _) = split_string(&payload[numbers..]);
            let head = numbers + name.len() + 1;
            with_head(payload, head, |value| header(disguise, name, value))
        }
        b'e' | b'+' | b'2' | b'-' => envelope(disguise, payload),
        b'b' => Content::default().body(disguise, payload),
        _ => disguise.names_in(payload),
    };
}

/// Keeps the first bytes and disguises the rest.
fn with_head(payload: &[u8], head: usize, rest: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (head, tail) = payload.split_at(head.min(payload.len()));
    let mut out = head.to_vec();
    out.extend(rest(tail));
    out
}

/// The string at the front, without its NUL, and what follows that.
fn split_string(payload: &[u8]) -> (&[u8], &[u8]) {
    let end = payload.iter().position(|byte| *byte == 0).unwrap_or(payload.len());
    (&payload[..end], payload.get(end + 1..).unwrap_or_default())
}

/// An address and its arguments.
fn envelope(disguise: &mut Disguise, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len());
    for (number, part) in payload.split_inclusive(|byte| *byte == 0).enumerate() {
        let name = part.iter().position(|byte| *byte == b'=').filter(|_| number > 0);
        match name {
            None => out.extend(disguise.everything_in(part)),
            Some(end)
                if KEPT_ARGUMENTS.iter().any(|kept| kept.eq_ignore_ascii_case(&part[..end])) =>
            {
                out.extend_from_slice(part);
            }
            // ORCPT has a type in front of its address.
            Some(end) => {
                let typed = part.iter().position(|byte| *byte == b';').unwrap_or(end);
                out.extend(with_head(part, typed.max(end) + 1, |value| {
                    disguise.everything_in(value)
                }));
            }
        }
    }
    out
}

fn macros(disguise: &mut Disguise, payload: &[u8]) -> Vec<u8> {
    let mut out = payload[..payload.len().min(1)].to_vec();
    let mut name: Option<&[u8]> = None;
    for part in payload[out.len()..].split_inclusive(|byte| *byte == 0) {
        match name.take() {
            None => {
                name = Some(part.strip_suffix(b"\0").unwrap_or(part));
                out.extend_from_slice(part);
            }
            Some(name) if KEPT_MACROS.contains(&name) => out.extend_from_slice(part),
            // A word of sendmail's settings, or Postfix's host name.
            Some(b"{daemon_name}") => out.extend(disguise.names_in(part)),
            Some(_) => out.extend(disguise.everything_in(part)),
        }
    }
    out
}

#[cfg(test)]
mod tests;
