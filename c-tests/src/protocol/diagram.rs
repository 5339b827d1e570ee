//! Diagrams: the bytes of one packet in boxes, and below them what they are.
//!
//! ```text
//! helo
//! +-------------+----+-------+----+
//! | 00 00 00 04 | 48 | 6d 65 | 00 |
//! | length 4    |'H' | "me"  | 0  |
//! +-------------+----+-------+----+
//! ```
//!
//! The first line names the rule of the grammar that the packet follows. A label is a text in quotes, with
//! `\xx` for a byte, or ends in the value: a number (big-endian, `0x` for hexadecimal) or a character,
//! `'H'`. A packet that needs several rows of boxes has them one below the other.

use super::document::Block;
use crate::error::{Error, Result};
use crate::trace::text;

/// One box.
#[derive(Clone, Debug)]
pub struct Field {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// What stands below.
    pub label: String,
}

/// One packet.
#[derive(Clone, Debug)]
pub struct Diagram {
    /// The rule it follows.
    pub rule: String,
    /// Its parts in order.
    pub fields: Vec<Field>,
}

impl Diagram {
    /// Reads a block, and checks that it is drawn well.
    pub fn parse(block: &Block) -> Result<Self> {
        let bad = |why: &str| Error(format!("line {}: {why}", block.line));
        let (rule, rows) = block.lines.split_first().ok_or_else(|| bad("an empty diagram"))?;
        let mut out = Self { rule: rule.trim().to_owned(), fields: Vec::new() };
        for row in rows.chunk_by(|one, two| !(one.starts_with('+') && two.starts_with('+'))) {
            let [top, bytes, labels, bottom] = row else { return Err(bad("not four lines")) };
            let corners = |line: &str, mark| -> Vec<usize> {
                line.char_indices().filter(|(_, c)| *c == mark).map(|(at, _)| at).collect()
            };
            let columns = corners(top, '+');
            if top != bottom
                || corners(bytes, '|') != columns
                || corners(labels, '|') != columns
                || !top.chars().all(|c| matches!(c, '+' | '-'))
            {
                return Err(bad("the lines of the boxes do not meet"));
            }
            for edges in columns.windows(2) {
                let inside = |line: &str| line[edges[0] + 1..edges[1]].trim().to_owned();
                let bytes = hex(&inside(bytes)).ok_or_else(|| bad("bytes are not hexadecimal"))?;
                out.fields.push(Field { bytes, label: inside(labels) });
            }
        }
        Ok(out)
    }

    /// The packet with its length.
    pub fn bytes(&self) -> Vec<u8> {
        self.fields.iter().flat_map(|field| field.bytes.clone()).collect()
    }

    /// What is wrong with the length and with the labels.
    pub fn check(&self) -> Result<()> {
        let bytes = self.bytes();
        let length = u32::try_from(bytes.len().saturating_sub(4)).unwrap_or_default();
        if bytes.first_chunk() != Some(&length.to_be_bytes()) {
            return Err(Error(format!("the length is not {length}, as of what follows it")));
        }
        for field in &self.fields {
            if !field.is_labelled_well()? {
                return Err(Error(format!("{:02x?} is not {}", field.bytes, field.label)));
            }
        }
        Ok(())
    }
}

impl Field {
    fn is_labelled_well(&self) -> Result<bool> {
        let label = self.label.as_str();
        if label.starts_with('"') {
            let words = text::words(label)?;
            let expected: Vec<u8> = words.iter().flat_map(text::Word::expand).collect();
            return Ok(expected == self.bytes);
        }
        let (name, number) = label.rsplit_once(' ').unwrap_or(("", label));
        if let Some(letter) = number.strip_prefix('\'').and_then(|n| n.strip_suffix('\'')) {
            return Ok(self.bytes == letter.as_bytes());
        }
        let value =
            text::number(number).map_err(|_| Error(format!("no value in {name} {number}")))?;
        let seen = self.bytes.iter().fold(0_i64, |n, b| n << 8 | i64::from(*b));
        Ok(self.bytes.len() <= 4 && seen == value)
    }
}

/// Bytes written as pairs of hexadecimal digits with blanks between.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let byte = |word: &str| u8::from_str_radix(word, 16).ok().filter(|_| word.len() == 2);
    text.split_whitespace().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagram(text: &str) -> Result<Diagram> {
        let lines = text.lines().map(str::to_owned).collect();
        let diagram = Diagram::parse(&Block { kind: String::new(), line: 1, lines })?;
        diagram.check()?;
        Ok(diagram)
    }

    const GOOD: &str = "helo\n\
                        +-------------+----+-------+----+\n\
                        | 00 00 00 04 | 48 | 6d 65 | 00 |\n\
                        | length 4    |'H' | \"me\"  | 0  |\n\
                        +-------------+----+-------+----+\n";

    #[test]
    fn a_byte_a_label_or_a_line_that_is_wrong_is_found() {
        let good = diagram(GOOD).unwrap();
        assert_eq!(good.bytes(), b"\0\0\0\x04Hme\0");
        assert_eq!(good.fields.len(), 4);
        for (from, to) in [
            ("6d 65", "6d 66"),
            ("00 04", "00 05"),
            ("| 48", "| 49"),
            ("length 4", "length 5"),
            ("\"me\" ", "\"mi\" "),
            ("| 0  |\n", "| 1  |\n"),
            ("'H'", "'I'"),
            ("+----+\n", "+---+-\n"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert!(bad != GOOD && diagram(&bad).is_err(), "{bad}");
        }
    }
}
