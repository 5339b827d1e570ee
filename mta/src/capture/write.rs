//! Writing captures.

use std::io;

use super::escape::{escape, pieces};
use super::types::{Capture, FIRST_LINE, Record, Side, What};

/// Writes a capture as it comes.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
}

impl<W: io::Write> Writer<W> {
    /// Writes the first lines.
    pub fn begin(mut out: W, facts: &[(String, String)]) -> io::Result<Writer<W>> {
        out.write_all(head(facts).as_bytes())?;
        Ok(Writer { out })
    }

    /// Writes what was seen.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        self.out.write_all(line(record).as_bytes())
    }
}

impl Capture {
    /// The capture as a file holds it; comments of the file it was read from are gone.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines = self.records.iter().map(line);
        (head(&self.facts) + &lines.collect::<String>()).into_bytes()
    }
}

/// First line and facts; what would break a value's line is escaped.
fn head(facts: &[(String, String)]) -> String {
    let mut text = format!("{FIRST_LINE}\n");
    for (name, value) in facts {
        let value: String = value.chars().map(plain).collect();
        text.push_str(&format!("{name}: {}\n", value.trim()));
    }
    text + "\n"
}

fn plain(letter: char) -> String {
    if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() }
}

/// One record with its line end; a long text goes on over further lines.
fn line(record: &Record) -> String {
    let at = record.at;
    let arrow = match record.from {
        Side::Mta => '>',
        Side::Milter => '<',
    };
    let start = format!("{}.{:06} {arrow} ", at.as_secs(), at.subsec_micros());
    let (word, bytes) = match &record.what {
        What::Packet(packet) => (letter(packet.letter), &packet.payload),
        What::Raw(bytes) => ("raw".to_owned(), bytes),
        What::Closed => return format!("{start}close\n"),
    };
    let mut text = format!("{start}{word} {}", bytes.len());
    let pieces = pieces(bytes);
    match &pieces[..] {
        _ if bytes.is_empty() => {}
        [only] if text.len() + only.len() < LINE => text.push_str(&format!(" \"{only}\"")),
        pieces => text.extend(pieces.iter().map(|piece| format!("\n  \"{piece}\""))),
    }
    text + "\n"
}

/// Longest line of a record with its text, in characters.
const LINE: usize = 96;

/// A packet's letter; what is no visible character, or would be taken for something else, escaped.
fn letter(letter: u8) -> String {
    match letter {
        b'#' | b'"' | b'\\' | b' ' => format!("\\x{letter:02x}"),
        _ => match escape(&[letter]) {
            text if text.len() == 1 => text,
            _ => format!("\\x{letter:02x}"),
        },
    }
}
