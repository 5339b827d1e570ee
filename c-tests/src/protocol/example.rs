//! Example sessions: what the MTA sends, what the filter answers, what the library calls.
//!
//! ```text
//! session HELO is refused
//! filter +negotiate                      as in files of sessions (`trace/session.rs`), as is `on`
//! on helo: return reject
//! > H me                                 the MTA's packet, in words (`trace/command.rs`) and in bytes
//!   00 00 00 04 48 6d 65 00
//! . helo "me" -> 1                       the trace, as a whole if there is any of it
//! < r                                    the response
//!   00 00 00 01 72
//! < closes                               the filter ends the connection
//! ```
//!
//! The bytes of a long packet may end in `...`. `<reference`, `<ours`, `.reference` and `.ours` are lines of
//! one library; then `differs ID` names the entry of `docs/differences.md`.

use super::diagram::hex;
use super::document::Block;
use crate::error::{Error, Result};
use crate::linkage::Linkage;
use crate::trace::command::{self, Step, packet};
use crate::trace::session::{self, Session};
use crate::trace::text::{Word, number, words};

/// Bytes. A packet that is longer may be shown by its beginning.
const LONG: usize = 64;

/// Who does what a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Both,
    Reference,
    Ours,
}

/// What a line shows.
#[derive(Clone, Debug)]
enum Event {
    Sent(Vec<u8>),
    Received(Vec<u8>),
    Traced(String),
    Closes,
}

/// One example.
#[derive(Clone, Debug)]
pub struct Example {
    /// Number of its first line.
    pub line: usize,
    /// Filter, script and differences; no steps.
    pub session: Session,
    events: Vec<(Side, Event)>,
}

impl Example {
    /// Reads a block; words and bytes must be the same.
    pub fn parse(block: &Block) -> Result<Self> {
        let bad = |why: &str| Error(format!("line {}: {why}", block.line));
        let is_event = |line: &&String| line.starts_with(['>', '<', '.', ' ']);
        let head: Vec<&str> =
            block.lines.iter().filter(|line| !is_event(line)).map(String::as_str).collect();
        let session = session::parse(&head.join("\n"))?.pop().ok_or_else(|| bad("no session"))?;
        let mut out = Self { line: block.line, session, events: Vec::new() };
        for lines in groups(&block.lines) {
            let [line, bytes @ ..] = lines else { continue };
            let (side, event) = event(line)?;
            match &event {
                Event::Sent(packet) | Event::Received(packet) => {
                    same(packet, bytes).map_err(|e| Error::new(line, e))?;
                }
                _ if bytes.is_empty() => {}
                _ => return Err(bad("bytes without a packet")),
            }
            out.events.push((side, event));
        }
        Ok(out)
    }

    /// The packets of the MTA, or of the filter, whichever library it is linked with.
    pub fn packets(&self, of_mta: bool) -> impl Iterator<Item = &Vec<u8>> {
        self.events.iter().filter_map(move |(_, event)| match event {
            Event::Sent(packet) if of_mta => Some(packet),
            Event::Received(packet) if !of_mta => Some(packet),
            _ => None,
        })
    }

    /// Whether a line is about one library only.
    pub fn has_sides(&self) -> bool {
        self.events.iter().any(|(side, _)| *side != Side::Both)
    }

    fn of(&self, linkage: Linkage) -> impl Iterator<Item = &Event> {
        let own = if linkage.is_ours() { Side::Ours } else { Side::Reference };
        let events = self.events.iter();
        events.filter(move |(side, _)| *side == Side::Both || *side == own).map(|(_, event)| event)
    }

    /// What to play, each with the responses expected: the whole, and its beginning up to each packet, so
    /// that it shows which packet a response belongs to.
    pub fn plays(&self, linkage: Linkage) -> Vec<(Session, Vec<Vec<u8>>)> {
        let mut session = self.session.clone();
        let mut expected: Vec<Vec<u8>> = Vec::new();
        let mut plays = Vec::new();
        let mut sent = 0;
        for event in self.of(linkage) {
            match event {
                Event::Sent(packet) => {
                    if sent > 0 {
                        plays.push((session.clone(), expected.clone()));
                    }
                    sent += 1;
                    session.steps.push(Step::Send(packet.clone()));
                }
                Event::Received(packet) => {
                    expected.push(packet.clone());
                    match session.steps.last_mut() {
                        Some(Step::Wait(count)) => *count += 1,
                        _ => session.steps.push(Step::Wait(1)),
                    }
                }
                // Ends with the connection only.
                Event::Closes => session.steps.push(Step::Wait(1)),
                Event::Traced(_) => {}
            }
        }
        plays.push((session, expected));
        plays
    }

    /// The trace, if the example has it.
    pub fn trace(&self, linkage: Linkage) -> Option<Vec<&str>> {
        let lines: Vec<&str> = self
            .of(linkage)
            .filter_map(|event| match event {
                Event::Traced(line) => Some(line.as_str()),
                _ => None,
            })
            .collect();
        (!lines.is_empty()).then_some(lines)
    }
}

/// Each event's line with the lines of its bytes.
fn groups(lines: &[String]) -> impl Iterator<Item = &[String]> {
    let groups = lines.chunk_by(|_, two| two.starts_with(' '));
    groups.filter(|group| group[0].starts_with(['>', '<', '.']))
}

fn event(line: &str) -> Result<(Side, Event)> {
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    let side = match &mark[1..] {
        "" => Side::Both,
        "reference" => Side::Reference,
        "ours" => Side::Ours,
        _ => return Err(Error(format!("no such mark: {line}"))),
    };
    let event = match (&mark[..1], rest) {
        (">", _) if side == Side::Both => match command::parse(rest)? {
            Step::Send(bytes) => Event::Sent(bytes),
            _ => return Err(Error(format!("no packet: {line}"))),
        },
        ("<", "closes") => Event::Closes,
        ("<", _) => Event::Received(response(rest)?),
        (".", _) => Event::Traced(rest.to_owned()),
        _ => return Err(Error(format!("cannot read: {line}"))),
    };
    Ok((side, event))
}

/// A response in words: letter and strings; `O` and hexadecimal numbers, then stages with their lists; `i`
/// and `m` with an index; `b` and bytes.
pub fn response(line: &str) -> Result<Vec<u8>> {
    let all = words(line)?;
    let (letter, args) = all.split_first().ok_or_else(|| Error("an empty response".into()))?;
    let [letter] = letter.bytes[..] else { return Err(Error(format!("no letter: {line}"))) };
    let strings = |args: &[Word]| -> Vec<u8> {
        args.iter().flat_map(|word| word.expand().into_iter().chain([0])).collect()
    };
    let index = |word: &Word| -> Result<[u8; 4]> {
        u32::try_from(number(&word.text())?).map(u32::to_be_bytes).map_err(|e| Error::new(line, e))
    };
    let mut payload = Vec::new();
    match (letter, args) {
        (b'O', [version, actions, protocol, lists @ ..]) => {
            for word in [version, actions, protocol] {
                let value = u32::from_str_radix(&word.text(), 16);
                payload.extend(value.map_err(|e| Error::new(line, e))?.to_be_bytes());
            }
            for pair in lists.chunks(2) {
                let [stage, list] = pair else { return Err(Error(format!("no list: {line}"))) };
                payload.extend(index(stage)?);
                payload.extend(strings(std::slice::from_ref(list)));
            }
        }
        (b'i' | b'm', [first, rest @ ..]) => {
            payload.extend(index(first)?);
            payload.extend(strings(rest));
        }
        (b'b', args) => payload.extend(args.iter().flat_map(Word::expand)),
        (_, args) => payload.extend(strings(args)),
    }
    Ok(packet(letter, &payload))
}

/// Whether the lines of bytes are those of the packet.
fn same(packet: &[u8], lines: &[String]) -> Result<()> {
    let text = lines.concat();
    let (shown, long) = match text.trim().strip_suffix("...") {
        Some(beginning) if packet.len() > LONG => (beginning, true),
        _ => (text.trim(), false),
    };
    let shown = hex(shown).ok_or_else(|| Error(format!("no bytes: {}", text.trim())))?;
    let good = if long { shown.len() >= 8 && packet.starts_with(&shown) } else { shown == packet };
    if good { Ok(()) } else { Err(Error(format!("the bytes are\n{}", dump(packet).join("\n")))) }
}

/// The lines of bytes for a packet.
pub fn dump(packet: &[u8]) -> Vec<String> {
    const COLUMNS: usize = 24;
    let shown = if packet.len() > LONG { &packet[..2 * COLUMNS] } else { packet };
    let line = |bytes: &[u8]| {
        let words: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        format!("  {}", words.join(" "))
    };
    let mut lines: Vec<String> = shown.chunks(COLUMNS).map(line).collect();
    if packet.len() > LONG
        && let Some(last) = lines.last_mut()
    {
        last.push_str(" ...");
    }
    lines
}

/// The text of a page with the bytes of its examples made from their words.
pub fn with_bytes(page: &str) -> Result<String> {
    let mut out = String::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            inside = kind == "session";
        }
        if inside && line.starts_with(' ') {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if inside
            && line.starts_with(['>', '<'])
            && let (_, Event::Sent(packet) | Event::Received(packet)) = event(line)?
        {
            dump(&packet).iter().for_each(|bytes| {
                out.push_str(bytes);
                out.push('\n');
            });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "session HELO is refused\non helo: return reject\n\
        > H me\n  00 00 00 04 48 6d 65 00\n. helo \"me\" -> 1\n< r\n  00 00 00 01 72\n";

    fn parse(text: &str) -> Result<Example> {
        let lines = text.lines().map(str::to_owned).collect();
        Example::parse(&Block { kind: String::new(), line: 1, lines })
    }

    #[test]
    fn words_and_bytes_must_agree() {
        let example = parse(TEXT).unwrap();
        let plays = example.plays(Linkage::OursDynamic);
        assert_eq!(plays.len(), 1);
        assert_eq!(plays[0].1, [b"\0\0\0\x01r"]);
        assert_eq!(example.trace(Linkage::OursDynamic).unwrap(), ["helo \"me\" -> 1"]);
        for (from, to) in [("6d 65", "6d 66"), ("01 72", "01 73"), ("< r", "< t"), ("H me", "H ma")]
        {
            assert!(parse(&TEXT.replacen(from, to, 1)).is_err(), "{to}");
        }
        assert_eq!(
            with_bytes(&format!("```session\n{TEXT}```\n")).unwrap().matches("72").count(),
            1
        );
    }

    #[test]
    fn responses_have_the_bytes_of_the_protocol() {
        for (line, bytes) in [
            ("c", &b"\0\0\0\x01c"[..]),
            ("y \"550 5.7.1 no\"", b"\0\0\0\x0ey550 5.7.1 no\0"),
            ("i 0 I v", b"\0\0\0\x09i\0\0\0\0I\0v\0"),
            ("O 6 1 0 1 \"j\"", b"\0\0\0\x13O\0\0\0\x06\0\0\0\x01\0\0\0\0\0\0\0\x01j\0"),
            ("b \"a\\0d\\0a\"", b"\0\0\0\x04ba\x0d\x0a"),
        ] {
            assert_eq!(response(line).unwrap(), bytes, "{line}");
        }
    }
}
