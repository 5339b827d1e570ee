//! What one session looked like from outside, in a form that can be compared and read.

use super::text::{quote, show};
use std::fmt;

/// Replies received and callbacks traced, each in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// Reply packets, then how the connection ended.
    pub wire: Vec<String>,
    /// Callbacks with arguments, calls with results.
    pub trace: Vec<String>,
}

/// Columns of a printed transcript.
const WIDTH: usize = 100;

/// Several items on a line, for reading and for the recorded transcripts.
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, items) in [("<", &self.wire), (".", &self.trace)] {
            let mut line = String::new();
            for item in items {
                // A callback that makes calls begins a line of its own.
                let own = item.starts_with(' ') || !(item.contains(" -> ") || sign == "<");
                if !line.is_empty() && (own || line.len() + item.len() > WIDTH) {
                    writeln!(f, "{sign} {line}")?;
                    line.clear();
                }
                if !line.is_empty() {
                    line.push_str("; ");
                }
                line.push_str(item);
                if own {
                    writeln!(f, "{sign} {line}")?;
                    line.clear();
                }
            }
            if !line.is_empty() {
                writeln!(f, "{sign} {line}")?;
            }
        }
        Ok(())
    }
}

impl Transcript {
    /// Whether it has this line: `< ` and a reply, or `. ` and a line of the trace.
    pub fn has(&self, line: &str) -> bool {
        let (sign, item) = line.split_at_checked(2).unwrap_or((line, ""));
        let items = if sign == "< " { &self.wire } else { &self.trace };
        items.iter().any(|known| known == item)
    }

    /// Puts the result of a callback that called nothing on the callback's own line.
    pub fn join_results(&mut self) {
        let mut joined: Vec<String> = Vec::new();
        for line in std::mem::take(&mut self.trace) {
            match joined.last_mut() {
                Some(last) if line.starts_with("  -> ") && !last.starts_with(' ') => {
                    last.push_str(&line[1..]);
                }
                _ => joined.push(line),
            }
        }
        self.trace = joined;
    }

    /// Names of the callbacks in order, such as `["helo", "close"]`.
    pub fn callbacks(&self) -> Vec<&str> {
        let calls = self.trace.iter().filter(|line| !line.starts_with(' '));
        calls.map(|line| line.split(' ').next().unwrap_or_default()).collect()
    }

    /// The letters of the replies in order, such as `"Occ"`.
    pub fn letters(&self) -> String {
        self.wire
            .iter()
            .filter(|line| *line != "EOF")
            .filter_map(|line| line.chars().next())
            .collect()
    }
}

/// One reply in words: letter and payload.
pub fn reply(packet: &[u8]) -> String {
    let Some((letter, payload)) = packet.split_first() else { return "empty packet".into() };
    let name = match letter {
        b'!'..=b'~' => char::from(*letter).to_string(),
        _ => quote(&[*letter]),
    };
    match payload {
        [] => name,
        _ => format!("{name} {}", show(payload)),
    }
}

/// Cuts complete packets, without their lengths, from the front of the bytes.
pub fn take_packets(bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 4) {
        let length = head.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b));
        let Some(packet) = bytes.get(at + 4..at + 4 + length) else { break };
        out.push(packet.to_vec());
        at += 4 + length;
    }
    bytes.drain(..at);
    out
}

/// The first place where two transcripts differ, for a failure message.
pub fn difference(reference: &Transcript, ours: &Transcript) -> String {
    let mut out = String::new();
    for (what, a, b) in
        [("wire", &reference.wire, &ours.wire), ("trace", &reference.trace, &ours.trace)]
    {
        if a == b {
            continue;
        }
        let same = a.iter().zip(b.iter()).take_while(|(x, y)| x == y).count();
        out.push_str(&format!("{what}: {same} equal lines, then\n"));
        for (who, lines) in [("reference", a), ("ours", b)] {
            let rest: Vec<&str> = lines[same..].iter().take(8).map(String::as_str).collect();
            out.push_str(&format!("  {who}: {}\n", rest.join(" / ")));
        }
    }
    out
}
