//! The tables of `sessions/matrix/*.txt`: each command in each state, with both libraries.
//!
//! Lines: `filter SETTINGS` starts a table; `state NAME CALLBACKS = COMMANDS` says how a state is
//! reached and how many callbacks that takes; `NAME LETTER : CELL` is what either library does,
//! `NAME LETTER : CELL : CELL IDS` what the reference and ours do and the entries that say why.
//!
//! A cell is `callbacks>replies` up to the next MAIL, whose implicit xxfi_abort counts, and ends
//! with `!` if the library closed the connection before that MAIL.

use super::command::{Step, packet};
use super::session::{self, Session};
use super::suite;
use super::transcript::Transcript;
use crate::error::{Error, Result};

/// One cell of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Settings of the table, state and command, for messages.
    pub name: String,
    /// What is played.
    pub session: Session,
    /// Callbacks and replies that reach the state.
    before: (usize, usize),
    /// What the reference does.
    pub reference: String,
    /// What our library does, and the entries that say why, if it is something else.
    pub ours: Option<(String, Vec<String>)>,
}

/// The command's packet: payloads that are fine for it.
pub const COMMANDS: [(char, &[u8]); 15] = [
    ('A', b""),
    ('B', b"text"),
    ('C', b"host\0U"),
    ('D', b"Mi\0id\0"),
    ('E', b""),
    ('H', b"me\0"),
    ('K', b""),
    ('L', b"Subject\0hi\0"),
    ('M', b"<a@b>\0"),
    ('N', b""),
    ('O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"),
    ('Q', b""),
    ('R', b"<c@d>\0"),
    ('T', b""),
    ('U', b"NOOP\0"),
];

const PROBE: &[u8] = b"<probe@x>\0";

/// Every cell of every file.
pub fn cells() -> Result<Vec<Cell>> {
    let mut out = Vec::new();
    for path in suite::files(&suite::directory().join("matrix"))? {
        let text = std::fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
        out.extend(parse(&text).map_err(|e| Error::new(path.display(), e))?);
    }
    Ok(out)
}

/// Reads the tables of one file.
pub fn parse(text: &str) -> Result<Vec<Cell>> {
    let mut filter = String::new();
    let mut states: Vec<(String, usize, Session)> = Vec::new();
    let mut cells = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let bad = || Error(format!("cannot read: {line}"));
        if let Some(settings) = line.strip_prefix("filter ") {
            filter = settings.to_owned();
            states.clear();
        } else if let Some(rest) = line.strip_prefix("state ") {
            let (head, commands) = rest.split_once(" =").ok_or_else(bad)?;
            let (name, count) = head.split_once(' ').ok_or_else(bad)?;
            let text = format!("session {name}\nfilter {filter}\n> {}\n", commands.trim());
            let session = session::parse(&text)?.pop().ok_or_else(bad)?;
            states.push((name.to_owned(), count.parse().map_err(|_| bad())?, session));
        } else {
            let mut columns = line.split(" : ");
            let (state, letter) =
                columns.next().and_then(|head| head.split_once(' ')).ok_or_else(bad)?;
            let found = states.iter().find(|(name, _, _)| name == state).ok_or_else(bad)?;
            let reference = columns.next().ok_or_else(bad)?.to_owned();
            let ours = columns.next().map(|column| {
                let mut words = column.split(' ').map(str::to_owned);
                (words.next().unwrap_or_default(), words.collect())
            });
            cells.push(cell(&filter, found, letter, reference, ours).ok_or_else(bad)?);
        }
    }
    Ok(cells)
}

fn cell(
    filter: &str,
    (state, callbacks, prefix): &(String, usize, Session),
    letter: &str,
    reference: String,
    ours: Option<(String, Vec<String>)>,
) -> Option<Cell> {
    let (letter, payload) = COMMANDS.iter().find(|(known, _)| letter.chars().eq([*known]))?;
    let byte = u8::try_from(*letter).ok()?;
    let mut session = prefix.clone();
    let silent = |step: &&Step| matches!(step, Step::Send(b) if b"DAQK".contains(&b[4]));
    let replies = session.steps.len() - session.steps.iter().filter(silent).count();
    session.steps.push(Step::Send(packet(byte, payload)));
    session.steps.push(Step::Send(packet(b'M', PROBE)));
    session.name = format!("{filter}: {state} {letter}");
    Some(Cell {
        name: session.name.clone(),
        session,
        before: (*callbacks, replies),
        reference,
        ours,
    })
}

impl Cell {
    /// The cell as a library's transcript shows it.
    pub fn seen(&self, transcript: &Transcript) -> String {
        let lines: Vec<&String> =
            transcript.trace.iter().filter(|line| !line.starts_with(' ')).collect();
        let probe = lines.iter().position(|line| line.starts_with("envfrom \"<probe@x>\""));
        let end = probe.unwrap_or(lines.len());
        let callbacks: Vec<&str> =
            transcript.callbacks().drain(..end).skip(self.before.0).collect();
        let mut letters: String = transcript.letters().chars().skip(self.before.1).collect();
        if probe.is_some() {
            letters.pop();
        }
        let closed = if probe.is_some() { "" } else { "!" };
        let arrow = if letters.is_empty() { "" } else { ">" };
        let callbacks = if callbacks.is_empty() { "-".into() } else { callbacks.join(",") };
        format!("{callbacks}{arrow}{letters}{closed}")
    }
}
