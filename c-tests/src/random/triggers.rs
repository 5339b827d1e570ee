//! Finds the packet at which an entry of docs/differences.md begins to matter.
//!
//! Follows the reference's session packet by packet. It may name a packet too many, never one too
//! few: a difference without a trigger before it fails the test.

use super::profile::Profile;
use super::states::number::*;
use super::states::{in_message, reachable, target};
use crate::trace::process::Registration;
use crate::trace::script::callback_of;
use std::collections::BTreeMap;

/// Results of callbacks: name and number of the call; continue if absent.
pub type Results = BTreeMap<(&'static str, usize), i64>;

/// What one packet does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The entry that begins to matter, or `?` where this model ends.
    pub trigger: Option<&'static str>,
    /// Whether the reference ends the session here.
    pub closed: bool,
}

/// The reference's session.
#[derive(Clone, Debug)]
pub struct Session<'a> {
    profile: &'a Profile,
    registration: &'a Registration,
    /// Number of its state.
    pub state: u8,
    /// How far the last message had got when a callback gave a verdict on it.
    settled: Option<u8>,
    calls: BTreeMap<&'static str, usize>,
    /// Whether any callback may have set a reply.
    pub reply_set: bool,
}

fn because(id: &'static str) -> Effect {
    Effect { trigger: Some(id), closed: false }
}

impl<'a> Session<'a> {
    /// A session right after it was accepted.
    pub fn new(profile: &'a Profile, registration: &'a Registration) -> Self {
        Self {
            profile,
            registration,
            state: INIT,
            settled: None,
            calls: BTreeMap::new(),
            reply_set: false,
        }
    }

    /// The number that the next call of a callback will have.
    pub fn next_call(&self, callback: &str) -> usize {
        self.calls.get(callback).copied().unwrap_or(0) + 1
    }

    /// Whether the library calls this callback; old filters lack some.
    fn has(&self, callback: &str) -> bool {
        let since = match callback {
            "unknown" => 3,
            "data" => 4,
            _ => 0,
        };
        self.registration.version >= since && self.registration.has(callback)
    }

    fn call(&mut self, callback: &'static str, results: &Results) -> i64 {
        if !self.has(callback) {
            return 0;
        }
        let n = self.next_call(callback);
        self.calls.insert(callback, n);
        results.get(&(callback, n)).copied().unwrap_or(0)
    }

    /// The end of input.
    pub fn end(&self) -> Effect {
        // The reference calls xxfi_close a second time.
        if self.state == QNC { because("D6") } else { Effect::default() }
    }

    /// One packet.
    pub fn packet(&mut self, letter: u8, payload: &[u8], results: &Results) -> Effect {
        let old = self.state;
        if self.is_rest(letter, payload) {
            return because("D7");
        }
        let effect = self.effect(letter, payload, results);
        let ends_unused = old == QNC && (effect.closed || letter == b'A');
        if ends_unused && effect.trigger.is_none() { because("D6") } else { effect }
    }

    /// Whether a command that the reference takes for the first of a message is part of the one
    /// with a verdict, or may be.
    fn is_rest(&mut self, letter: u8, payload: &[u8]) -> bool {
        let Some(place) = self.settled else {
            return false;
        };
        let about = if letter == b'D' { payload.first().copied() } else { Some(letter) };
        let new = about.and_then(target).filter(|new| (HELO..=ENDM).contains(new));
        let goes_back = new.is_some_and(|new| {
            let repeats = matches!(new, RCPT | HDRS | BODY);
            (new < place || new == place && !repeats) && reachable(HELO, new, self.profile.flags)
        });
        if goes_back || matches!(letter, b'A' | b'K' | b'M' | b'H') {
            self.settled = None;
        }
        letter != b'D'
            && self.settled.is_some()
            && new.is_some_and(|new| reachable(HELO, new, self.profile.flags))
    }

    fn effect(&mut self, letter: u8, payload: &[u8], results: &Results) -> Effect {
        let closed = Effect { trigger: None, closed: true };
        if letter == b'D' {
            return macros(payload);
        }
        let Some(new) = target(letter) else {
            return closed;
        };
        let old = self.state;
        let flags = self.profile.flags;
        let aborted = in_message(old) && !reachable(old, new, flags);
        if !reachable(old, new, flags) {
            if letter == b'K' || (letter == b'Q' && old == QNC) {
                return because("D6");
            }
            if letter == b'Q' {
                return closed;
            }
            if !reachable(HELO, new, flags) {
                return match (old, letter) {
                    (DATA, b'B' | b'E') => because("D5"),
                    (_, b'A') => {
                        self.state = HELO;
                        Effect::default()
                    }
                    _ => because("D7"),
                };
            }
        } else if let Some(effect) = self.odd(letter, new) {
            return effect;
        }
        if letter == b'A' && !in_message(old) {
            return because("D10");
        }
        if aborted {
            self.call("abort", results);
        }
        if payload.is_empty() && b"BCDHLMORU".contains(&letter) {
            return Effect { trigger: aborted.then_some("D10"), closed: true };
        }
        // A message begins with its first command, and a malformed one begins none.
        let begins = in_message(new) && (aborted || !in_message(old));
        self.state = new;
        self.run(letter, payload, results, begins || aborted)
    }

    /// Transitions that the reference takes and ours does not, or with other callbacks.
    fn odd(&self, letter: u8, new: u8) -> Option<Effect> {
        let odd_state = self.state == UNKN || self.state == ABRT;
        let from_helo = reachable(HELO, new, self.profile.flags);
        match letter {
            b'U' if in_message(self.state) => Some(because("D4")),
            b'R' | b'T' | b'B' if odd_state && !from_helo => Some(because("D4")),
            b'K' if self.reply_set => Some(because("D6")),
            b'Q' if self.state == QNC => Some(because("D6")),
            _ => None,
        }
    }

    /// The callback of an accepted command and what its result means.
    fn run(&mut self, letter: u8, payload: &[u8], results: &Results, begins: bool) -> Effect {
        let callback = match letter {
            b'A' => "abort",
            b'K' | b'Q' => "close",
            _ => match callback_of(letter) {
                Some(callback) => callback,
                None => return Effect::default(),
            },
        };
        if self.has(callback)
            && let Some(trigger) = malformed(letter, payload)
        {
            let trigger = if begins && trigger.is_empty() { "D10" } else { trigger };
            return Effect { trigger: (!trigger.is_empty()).then_some(trigger), closed: true };
        }
        if letter == b'E' && !payload.is_empty() && self.call("body", results) != 0 {
            return because("D9");
        }
        let result = self.call(callback, results);
        if matches!(letter, b'A' | b'K' | b'Q') {
            return Effect { trigger: None, closed: letter == b'Q' };
        }
        self.verdict(letter, result)
    }

    fn verdict(&mut self, letter: u8, result: i64) -> Effect {
        let no_reply = match letter {
            b'C' => 0x1000,
            b'H' => 0x2000,
            b'M' => 0x4000,
            b'R' => 0x8000,
            b'T' => 0x10000,
            b'U' => 0x20000,
            b'L' => 0x80,
            b'N' => 0x40000,
            b'B' => 0x80000,
            _ => 0,
        };
        match result {
            0 => {}
            1 | 2 | 4 if letter == b'R' || letter == b'U' => {}
            1..=4 => {
                if in_message(self.state) {
                    self.settled = Some(self.state);
                }
                self.state = HELO;
            }
            7 if self.profile.flags & no_reply != 0 => {}
            8 if letter == b'B' && self.profile.skips() => {}
            8 => return because("D18"),
            _ => return because("D3"),
        }
        Effect::default()
    }
}

/// Macro lists whose last name has no value make the reference read past them.
fn macros(payload: &[u8]) -> Effect {
    if payload.is_empty() {
        return Effect { trigger: None, closed: true };
    }
    let strings = payload.iter().skip(1).filter(|b| **b == 0).count();
    if strings % 2 == 1 { because("D12") } else { Effect::default() }
}

/// Why a payload ends the session: an entry, or "" if both libraries do the same.
fn malformed(letter: u8, payload: &[u8]) -> Option<&'static str> {
    let terminated = payload.last() == Some(&0);
    match letter {
        b'C' if !payload.contains(&0) => Some("D12"),
        b'H' if !terminated => Some("D8"),
        b'U' if !terminated => Some("D12"),
        b'M' | b'R' if !payload.contains(&0) => Some(""),
        b'L' => {
            // The name's end is looked for from the second byte on.
            let name = payload.iter().skip(1).position(|b| *b == 0).map(|n| n + 1);
            let whole = terminated && name.is_some_and(|end| end + 1 < payload.len());
            (!whole).then_some("")
        }
        b'C' => connect(payload),
        _ => None,
    }
}

fn connect(payload: &[u8]) -> Option<&'static str> {
    let host = payload.iter().position(|b| *b == 0)?;
    let rest = payload.get(host + 1..).unwrap_or_default();
    match rest {
        [b'U', ..] => None,
        [b'4' | b'6' | b'L', _, _, address @ ..] if address.last() == Some(&0) => {
            let end = address.iter().position(|b| *b == 0).unwrap_or(0);
            let text = String::from_utf8_lossy(&address[..end]).into_owned();
            let fine = match rest[0] {
                b'4' => text.parse::<std::net::Ipv4Addr>().is_ok(),
                b'6' => text.parse::<std::net::Ipv6Addr>().is_ok(),
                _ => text.len() < 108,
            };
            // Odd spellings of addresses are for the scripted sessions.
            (!fine).then_some("?")
        }
        _ => Some(""),
    }
}
