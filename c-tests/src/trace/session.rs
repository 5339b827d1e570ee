//! Files of scripted sessions.
//!
//! ```text
//! # comment
//! macro greet = open | H me            commands under one name, for the rest of the file
//! session {cb} says {r}                one session for each combination of the `each` values
//! each r = accept reject               a variable with its values
//! each cb cmd                          several variables that go together, one row per value
//!   helo    : H me
//!   envfrom : M <a@b>
//! filter -eoh +negotiate flags=0x1     the registration; `none +eom` starts from nothing
//! on {cb}: return {r}                  what a callback does; `on helo#2:` only its second call
//! pace bytes                           together (default), step, bytes
//! differs D4                           the transcripts differ, as this entry of differences.md says
//! expect < y "550 no\00"               the reference's transcript has this line
//! > greet | {cmd} | wait | close       commands; a session ends by half-close unless closed
//! ```

use super::command::{self, MACROS, Step};
use super::process::Registration;
use super::script;
use crate::error::{Error, Result};
use std::path::Path;

/// How the MTA's bytes are cut into writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pace {
    /// As many packets as possible in one write.
    Together,
    /// One packet, then a short look for its reply, as MTAs do.
    Step,
    /// Every byte in a write of its own.
    Bytes,
}

/// One scripted session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Unique within its file.
    pub name: String,
    /// The filter it needs.
    pub registration: Registration,
    /// Lines for the trace filter.
    pub script: String,
    /// The MTA's side.
    pub steps: Vec<Step>,
    /// How bytes are cut into writes.
    pub pace: Pace,
    /// Entries of `docs/differences.md` that make our transcript another one.
    pub differs: Vec<String>,
    /// Lines that the reference's transcript must have.
    pub expect: Vec<String>,
}

impl Session {
    /// Whether the script has a number for which a `long` of 32 bits is too narrow.
    pub fn needs_wide_long(&self) -> bool {
        let mut integers = self.script.split_whitespace().filter_map(|word| word.strip_prefix('i'));
        integers.any(|word| word.parse::<i64>().is_ok() && word.parse::<i32>().is_err())
    }

    /// Sessions with equal keys may share a filter process.
    ///
    /// The reference remembers what any session negotiated for the whole process (entry D1), so
    /// sessions share one only if they negotiate alike; process-wide settings ask for their own.
    pub fn process_key(&self) -> String {
        let mut key = format!("{:?}", self.registration);
        for line in self.script.lines() {
            let operation = line.split(' ').nth(2).unwrap_or_default();
            if line.starts_with("negotiate ") {
                key.push_str(line);
            } else if ["setmaxdatasize", "settimeout", "setdbg"].contains(&operation) {
                key.push_str(&self.name);
            }
        }
        for step in &self.steps {
            if let Step::Send(bytes) = step
                && bytes.get(4) == Some(&b'O')
            {
                key.push_str(&format!("{bytes:02x?}"));
            }
        }
        key
    }
}

/// Reads a file of sessions.
pub fn read(path: &Path) -> Result<Vec<Session>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::new(path.display(), e))?;
    parse(&text).map_err(|e| Error::new(path.display(), e))
}

/// Parses the text of a file.
pub fn parse(text: &str) -> Result<Vec<Session>> {
    let mut macros: Vec<(String, String)> =
        MACROS.iter().map(|(name, body)| ((*name).into(), (*body).into())).collect();
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix("macro ") {
            let (name, body) =
                rest.split_once('=').ok_or_else(|| Error(format!("macro without '=': {line}")))?;
            macros.push((name.trim().into(), body.trim().into()));
        } else if line.starts_with("session ") {
            blocks.push(vec![line]);
        } else {
            let block = blocks.last_mut();
            block.ok_or_else(|| Error(format!("before the first session: {line}")))?.push(line);
        }
    }
    let mut sessions = Vec::new();
    for block in blocks {
        for lines in expand(&block)? {
            let name = lines.first().cloned().unwrap_or_default();
            let session = one(&lines, &macros).map_err(|e| Error::new(&name, e))?;
            if sessions.iter().any(|other: &Session| other.name == session.name) {
                return Err(Error(format!("twice: {name}")));
            }
            sessions.push(session);
        }
    }
    Ok(sessions)
}

/// One variable set of an `each`: names and rows of values.
type Each = (Vec<String>, Vec<Vec<String>>);

/// Carries out the `each` lines: every combination gives the block's other lines once.
pub(crate) fn expand(block: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut plain = Vec::new();
    let mut variables: Vec<Each> = Vec::new();
    for line in block {
        if let Some(rest) = line.strip_prefix("each ") {
            variables.push(match rest.split_once('=') {
                Some((name, values)) => (
                    vec![name.trim().to_owned()],
                    values.split_whitespace().map(|v| vec![v.to_owned()]).collect(),
                ),
                None => (rest.split_whitespace().map(str::to_owned).collect(), Vec::new()),
            });
        } else if line.starts_with(' ') {
            let (names, rows) =
                variables.last_mut().ok_or_else(|| Error(format!("a row without each: {line}")))?;
            let row: Vec<String> =
                line.splitn(names.len(), " : ").map(|v| v.trim().to_owned()).collect();
            if row.len() != names.len() {
                return Err(Error(format!("a row with too few columns: {line}")));
            }
            rows.push(row);
        } else {
            plain.push((*line).to_owned());
        }
    }
    let mut out = vec![plain];
    for (names, rows) in variables {
        out = out
            .iter()
            .flat_map(|lines| rows.iter().map(|row| substitute(lines, &names, row)))
            .collect();
    }
    Ok(out)
}

fn substitute(lines: &[String], names: &[String], row: &[String]) -> Vec<String> {
    let replace = |line: &String| {
        names
            .iter()
            .zip(row)
            .fold(line.clone(), |line, (name, value)| line.replace(&format!("{{{name}}}"), value))
    };
    lines.iter().map(replace).collect()
}

fn one(lines: &[String], macros: &[(String, String)]) -> Result<Session> {
    let mut session = Session {
        name: String::new(),
        registration: Registration::default(),
        script: String::new(),
        steps: Vec::new(),
        pace: Pace::Together,
        differs: Vec::new(),
        expect: Vec::new(),
    };
    for line in lines {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "session" => session.name = rest.trim().to_owned(),
            "filter" => session.registration = Registration::parse(rest)?,
            "on" => session.script.push_str(&script::encode(rest)?),
            "differs" => session.differs.extend(rest.split_whitespace().map(str::to_owned)),
            "expect" => session.expect.push(rest.to_owned()),
            "pace" => {
                session.pace = match rest.trim() {
                    "together" => Pace::Together,
                    "step" => Pace::Step,
                    "bytes" => Pace::Bytes,
                    other => return Err(Error(format!("no pace {other:?}"))),
                }
            }
            ">" => commands(rest, macros, &mut session.steps)?,
            _ => return Err(Error(format!("cannot read: {line}"))),
        }
    }
    Ok(session)
}

/// Parses `a | b | c`, with macros carried out.
fn commands(line: &str, macros: &[(String, String)], out: &mut Vec<Step>) -> Result<()> {
    for command in line.split(" | ").map(str::trim) {
        // The latest definition wins, and may use the earlier one.
        match macros.iter().rposition(|(name, _)| name == command) {
            Some(at) => commands(&macros[at].1, &macros[..at], out)?,
            None if command.is_empty() => {}
            None => out.push(command::parse(command)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gives_every_combination() {
        let text = "macro greet = open | H me\n\
                    session {cb} {r} {cmd}\neach r = 1 2\neach cb cmd\n  helo : H x\n  eom : E\n\
                    filter none +{cb} flags=0x3\non {cb}: return {r}\n> greet | {cmd}\ndiffers D1\n";
        let sessions = parse(text).unwrap();
        let names: Vec<&str> = sessions.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["helo 1 H x", "eom 1 E", "helo 2 H x", "eom 2 E"]);
        assert_eq!(sessions[3].script, "eom * return i2\n");
        assert_eq!(sessions[3].steps.len(), 4);
        assert_eq!(sessions[3].registration.flags, 3);
        assert_eq!(sessions[3].differs, ["D1"]);
    }
}
