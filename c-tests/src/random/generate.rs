//! A seed to a session: mostly what MTAs send, sometimes what they should not, sometimes garbage.

use super::profile::Profile;
use super::states::number::*;
use super::states::{in_message, reachable, target};
use super::triggers::{Results, Session};
use crate::trace::command::packet;
use crate::trace::process::Registration;
use crate::trace::script::callback_of;
use crate::trace::text::quote;
use fastrand::Rng;

/// One generated session, in parts that can be left out one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Lines after `on`.
    pub on: Vec<String>,
    /// Commands after the negotiation, each in the words of a session file.
    pub commands: Vec<String>,
    /// `together` (also if empty), `step` or `bytes`.
    pub pace: &'static str,
    /// What the callbacks return.
    pub results: Results,
}

impl Generated {
    /// The session as text of a session file.
    pub fn text(&self, profile: &Profile, commands: usize) -> String {
        let mut text = format!("session random\n{}", profile.head());
        if !self.pace.is_empty() {
            text.push_str(&format!("pace {}\n", self.pace));
        }
        for line in &self.on {
            text.push_str(&format!("on {line}\n"));
        }
        text.push_str(&format!("> {}\n", profile.negotiation()));
        for command in self.commands.iter().take(commands) {
            text.push_str(&format!("> {command}\n"));
        }
        text
    }
}

/// Sessions with a tendency to leave the entries of docs/differences.md alone.
const CAREFUL: f64 = 0.7;
/// Sessions with one damaged packet.
const MUTATED: f64 = 0.25;

/// Generates a session.
pub fn generate(rng: &mut Rng, profile: &Profile, registration: &Registration) -> Generated {
    let pace = match rng.u8(0..10) {
        0 => "bytes",
        1 => "step",
        _ => "together",
    };
    let mut out = Generated { on: vec![], commands: vec![], pace, results: Results::new() };
    let careful = rng.f64() < CAREFUL;
    let mut session = Session::new(profile, registration);
    session.state = OPTS;
    let mut packets: Vec<(u8, Vec<u8>)> = Vec::new();
    for _ in 0..rng.usize(1..40) {
        for _ in 0..if careful { 12 } else { 1 } {
            let letter = choose(rng, session.state, profile.flags);
            let payload = payload(rng, letter, if careful { 0.01 } else { 0.06 });
            let mut tried = session.clone();
            let mut results = out.results.clone();
            let line = behaviour(rng, letter, &tried, &mut results, careful);
            let effect = tried.packet(letter, &payload, &results);
            if careful && (effect.trigger.is_some() || (effect.closed && rng.f64() < 0.9)) {
                continue;
            }
            tried.reply_set |= line.as_ref().is_some_and(|line| line.contains("setreply"));
            (session, out.results) = (tried, results);
            out.on.extend(line);
            packets.push((letter, payload));
            break;
        }
    }
    if careful && session.state == QNC {
        packets.push((b'C', b"again\0U".to_vec()));
    }
    out.commands = packets.iter().map(|(letter, payload)| written(*letter, payload)).collect();
    if rng.f64() < MUTATED && !packets.is_empty() {
        mutate(rng, &mut out, &packets);
    }
    out
}

/// A packet in the words of a session file.
pub fn written(letter: u8, payload: &[u8]) -> String {
    match payload {
        [] => format!("X {}", char::from(letter)),
        _ => format!("X {} {}", char::from(letter), quote(payload)),
    }
}

/// A command: three times out of four one that fits the state.
fn choose(rng: &mut Rng, state: u8, flags: u32) -> u8 {
    const ALL: &[u8] = b"ABCDEHKLMNQRTUU";
    let fits = |letter: u8| target(letter).is_some_and(|new| reachable(state, new, flags));
    if rng.u8(0..8) == 0 {
        return b'D';
    }
    if rng.u8(0..4) > 0 {
        // Messages should get somewhere: few aborts, headers and body parts in small numbers.
        let next: &[u8] = match state {
            OPTS => b"CCCCU",
            CONN => b"HHHMU",
            HELO | ABRT => b"MMMHU",
            MAIL => b"RRRRRA",
            RCPT => b"RTTTLNBE",
            DATA => b"LLLNA",
            HDRS => b"LLNN",
            EOHS | BODY => b"BBEE",
            ENDM => b"MMMHKQA",
            UNKN => b"MMHUK",
            _ => b"CCCM",
        };
        let letter = next[rng.usize(0..next.len())];
        if fits(letter) || !in_message(state) {
            return letter;
        }
    }
    loop {
        let letter = ALL[rng.usize(0..ALL.len())];
        // An abrupt end only now and then.
        if letter != b'Q' || rng.u8(0..6) == 0 {
            return letter;
        }
    }
}

fn payload(rng: &mut Rng, letter: u8, odd: f64) -> Vec<u8> {
    let pick = |rng: &mut Rng, from: &[&[u8]]| from[rng.usize(0..from.len())].to_vec();
    let mut out = match letter {
        b'C' => pick(
            rng,
            &[
                b"h\0U",
                b"host.example\x004\x04\xd2192.0.2.1\0",
                b"h\x006\0\x19::1\0",
                b"h\0L\0\0/x\0",
            ],
        ),
        b'H' => pick(rng, &[b"me\0", b"\0", b"other.example\0", b"a\0b\0"]),
        b'M' | b'R' => {
            pick(rng, &[b"<a@b>\0", b"<>\0", b"<c@d>\0X=1\0", b"\0", b"<e@f>\0A\0B\0\0"])
        }
        b'L' => pick(rng, &[b"Subject\0hi\0", b"X\0\0", b"To\0a\n\tb\0", b"N\0 v\0more\0"]),
        b'B' => match rng.u8(0..20) {
            0 => vec![rng.u8(..); rng.usize(60_000..65_536)],
            _ => pick(rng, &[b"text\r\n", b"x", b"\0\0", b"longer text of a body\r\n.\r\n"]),
        },
        b'E' if rng.u8(0..10) == 0 => b"last".to_vec(),
        b'U' => pick(rng, &[b"NOOP\0", b"\0", b"VRFY x\0"]),
        b'D' => pick(
            rng,
            &[
                b"Cj\0mx\0",
                b"Mi\0Q1\0{auth}\0me\0",
                b"R{r}\0c@d\0",
                b"Ei\0Q2\0",
                b"Hh\0\0",
                b"Nx\x001\0",
                b"T",
                b"Z",
                b"Cj",
            ],
        ),
        _ => Vec::new(),
    };
    if rng.f64() < odd {
        match rng.u8(0..4) {
            0 => out.clear(),
            1 => drop(out.pop()),
            2 => out.push(rng.u8(..)),
            _ => out.insert(0, 0),
        }
    }
    out
}

/// What the callback of a command does and returns: usually nothing, and continue.
fn behaviour(
    rng: &mut Rng,
    letter: u8,
    session: &Session<'_>,
    results: &mut Results,
    careful: bool,
) -> Option<String> {
    let callback = callback_of(letter)?;
    let n = session.next_call(callback);
    let mut operations = Vec::new();
    while rng.u8(0..if letter == b'E' { 2 } else { 5 }) == 0 {
        operations.push(OPERATIONS[rng.usize(0..OPERATIONS.len())].to_owned());
    }
    let result = match rng.u8(0..100) {
        0..70 => 0,
        70..76 => 1,
        76..80 => 2,
        80..84 => 3,
        84..90 => 4,
        90..94 => 7,
        94..97 => 8,
        _ if careful => 0,
        _ => [-1, 5, 9, 10, 11, 23, 100][rng.usize(0..7)],
    };
    if operations.is_empty() && result == 0 {
        return None;
    }
    results.insert((callback, n), result);
    operations.push(format!("return {result}"));
    Some(format!("{callback}#{n}: {}", operations.join("; ")))
}

/// Calls that callbacks make, in the words of a session file.
pub const OPERATIONS: [&str; 26] = [
    "addheader X-A \"a value\"",
    "addheader NULL x",
    "insheader 1 X-I v",
    "insheader -1 X-I v",
    "chgheader Subject 1 new",
    "chgheader Subject 1 NULL",
    "chgfrom <n@x> NULL",
    "chgfrom <n@x> \"SIZE=1\"",
    "addrcpt <n@x>",
    "addrcpt_par <n@x> \"NOTIFY=NEVER\"",
    "delrcpt <c@d>",
    "replacebody new 3",
    "replacebody \"b\"*70000 70000",
    "quarantine why",
    "progress",
    "setreply \"550\" \"5.7.1\" \"no\"",
    "setreply \"450\" NULL \"later\"",
    "setreply \"250\" NULL \"wrong\"",
    "setmlreply \"554\" NULL one two",
    "getsymval j",
    "getsymval i",
    "getsymval \"{auth}\"",
    "getsymval r",
    "setsymlist 2 \"late\"",
    "setpriv 7",
    "getpriv",
];

/// Damages the bytes of one packet, which may make garbage of all that follow.
fn mutate(rng: &mut Rng, out: &mut Generated, packets: &[(u8, Vec<u8>)]) {
    let at = rng.usize(0..packets.len());
    let (letter, body) = &packets[at];
    let mut bytes = packet(*letter, body);
    let place = rng.usize(0..bytes.len());
    match rng.u8(0..9) {
        0 => bytes[place] = rng.u8(..),
        1 => drop(bytes.remove(place)),
        2 => bytes.insert(place, rng.u8(..)),
        3 => bytes[3] = bytes[3].wrapping_add(rng.u8(1..4)),
        4 => bytes[3] = bytes[3].wrapping_sub(1),
        5 => bytes[0] = rng.u8(..),
        6 => bytes.truncate(place),
        7 => bytes[4] = rng.u8(..),
        _ => bytes.extend_from_within(..),
    }
    out.commands[at] = format!("raw {}", quote(&bytes));
}
