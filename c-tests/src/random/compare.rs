//! One session with both libraries: equal up to where a documented difference begins.

use super::generate::Generated;
use super::profile::Profile;
use super::triggers::Session;
use crate::compile::Program;
use crate::error::{Error, Result};
use crate::linkage::Linkage;
use crate::trace::TraceMilter;
use crate::trace::command::Step;
use crate::trace::play::play;
use crate::trace::session::{self, Session as Script};
use crate::trace::transcript::{Transcript, difference};

/// How a comparison went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Equal to the end, and nothing of `docs/differences.md` was involved.
    Equal,
    /// Equal up to the packet where this entry begins to matter.
    EqualUntil(&'static str),
    /// A difference that no entry explains.
    Different(String),
}

/// The same filter with both libraries.
pub struct Pair<'a> {
    program: &'a Program,
    profile: &'a Profile,
    reference: Option<TraceMilter>,
    ours: Option<TraceMilter>,
}

impl<'a> Pair<'a> {
    /// Starts nothing yet.
    pub fn new(program: &'a Program, profile: &'a Profile) -> Self {
        Self { program, profile, reference: None, ours: None }
    }

    /// Compares a session, and its part before the first trigger if there is one.
    pub fn compare(&mut self, generated: &Generated) -> Result<Outcome> {
        let all = generated.commands.len();
        let script = self.script(generated, all)?;
        let trigger = first_trigger(&script, self.profile, generated);
        let different = match trigger {
            // The whole session may do anything, even hang the reference: play the part before.
            Some((commands, id)) => {
                let part = self.script(generated, commands)?;
                match first_trigger(&part, self.profile, generated) {
                    // The end of input itself is where it begins.
                    Some(_) => return Ok(Outcome::EqualUntil(id)),
                    None => self.play_both(&part)?,
                }
            }
            None => self.play_both(&script)?,
        };
        Ok(match (different, trigger) {
            (Some(text), _) => Outcome::Different(text),
            (None, Some((_, id))) => Outcome::EqualUntil(id),
            (None, None) => Outcome::Equal,
        })
    }

    fn script(&self, generated: &Generated, commands: usize) -> Result<Script> {
        let text = generated.text(self.profile, commands);
        session::parse(&text)?.pop().ok_or_else(|| Error("no session".into()))
    }

    fn play_both(&mut self, script: &Script) -> Result<Option<String>> {
        let theirs = one(&mut self.reference, self.program, Linkage::ReferenceDynamic, script);
        let ours = one(&mut self.ours, self.program, Linkage::OursDynamic, script);
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) if theirs == ours => Ok(None),
            (Ok(theirs), Ok(ours)) => Ok(Some(difference(&theirs, &ours))),
            (theirs, ours) => Ok(Some(format!("reference: {theirs:?}\nours: {ours:?}"))),
        }
    }
}

/// Plays with a running filter, or a new one after a failure.
fn one(
    slot: &mut Option<TraceMilter>,
    program: &Program,
    linkage: Linkage,
    script: &Script,
) -> Result<Transcript> {
    let milter = match slot.take() {
        Some(milter) => milter,
        None => TraceMilter::start(program, linkage, &script.registration)?,
    };
    let played = play(&milter, script)?;
    *slot = Some(milter);
    Ok(played.transcript)
}

/// The number of commands before the first trigger, and its entry.
fn first_trigger(
    script: &Script,
    profile: &Profile,
    generated: &Generated,
) -> Option<(usize, &'static str)> {
    let mut session = Session::new(profile, &script.registration);
    session.reply_set = generated.on.iter().any(|line| line.contains("reply"));
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for step in &script.steps {
        if let Step::Send(sent) = step {
            bytes.extend_from_slice(sent);
            ends.push(bytes.len());
        }
    }
    // The negotiation is the first step and not among the commands.
    let commands_before = |at: usize| ends.iter().skip(1).filter(|end| **end <= at).count();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 5) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if length == 0 || length > 1 << 31 {
            return Some((commands_before(at), "D23"));
        }
        let end = at + 4 + length as usize;
        // A TCP connection closed with bytes unread is reset, which may lose replies on their way.
        let resets = |end: usize| script.registration.tcp && end < bytes.len();
        if length > 65536 && resets(at + 5) {
            return Some((commands_before(at), "?"));
        }
        let Some(payload) = bytes.get(at + 5..end).filter(|_| length <= 65536) else {
            break;
        };
        let effect = session.packet(head[4], payload, &generated.results);
        if effect.closed && effect.trigger.is_none() && resets(end) {
            return Some((commands_before(at), "?"));
        }
        if let Some(id) = effect.trigger {
            return Some((commands_before(at), id));
        }
        if effect.closed {
            return None;
        }
        at = end;
    }
    // What is left is part of a packet, or one too large: the session ends.
    session.end().trigger.map(|id| (commands_before(at), id))
}
