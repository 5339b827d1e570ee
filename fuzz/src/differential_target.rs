//! The same session with sendmail's library and ours, each in a filter of its own, over a socket.
//!
//! What is compared, and up to where, is the business of `c_tests::random`; here sessions come from the
//! fuzzer's input. It sees no more of the libraries than they say, and finds its way by the model of the
//! reference's session that says where a documented difference begins.

use crate::input::Input;
use c_tests::random::generate::{OPERATIONS, written};
use c_tests::random::triggers::{Results, Session};
use c_tests::random::{Generated, Outcome, PROFILES, Pair, Profile};
use c_tests::trace::command::packet;
use c_tests::trace::process::{Registration, program};
use c_tests::trace::script::callback_of;
use c_tests::trace::text::quote;
use std::cell::RefCell;
use std::collections::HashMap;

/// Sessions that differ are played so often: the reference races with itself.
const TRIES: usize = 3;

/// Packets as they should be, by letter.
const USUAL: [(u8, &[&[u8]]); 16] = [
    (
        b'C',
        &[b"h\0U", b"host.example\x004\x04\xd2192.0.2.1\0", b"h\x006\0\x19::1\0", b"h\0L\0\0/x\0"],
    ),
    (b'H', &[b"me\0", b"\0", b"a\0b\0"]),
    (b'M', &[b"<a@b>\0", b"<a@b>\0SIZE=1\0", b"<>\0"]),
    (b'R', &[b"<c@d>\0", b"<e@f>\0A\0B\0\0", b"\0"]),
    (b'T', &[b""]),
    (b'L', &[b"Subject\0hi\0", b"X\0\0", b"\0a\0b\0", b"N\0 v\0more\0"]),
    (b'N', &[b""]),
    (b'B', &[b"text\r\n", b"\0", b"x"]),
    (b'E', &[b"", b"last"]),
    (b'U', &[b"NOOP\0", b"\0"]),
    (b'A', &[b""]),
    (b'K', &[b""]),
    (b'Q', &[b""]),
    (
        b'D',
        &[
            b"Cj\0mx\0",
            b"Mi\0Q1\0{auth}\0me\0",
            b"R{r}\0c@d\0",
            b"Ei\0Q2\0",
            b"Hh\0\0",
            b"Nx\x001\0",
        ],
    ),
    (b'R', &[b"<g@h>\0"]),
    (b'E', &[b""]),
];

/// Takes from the input what makes a session that the model follows for as long as possible.
fn decode(input: &mut Input<'_>, profile: &Profile, registration: &Registration) -> Generated {
    let pace = if input.byte() & 7 == 1 { "step" } else { "together" };
    let mut out = Generated { on: vec![], commands: vec![], pace, results: Results::new() };
    let mut session = Session::new(profile, registration);
    session.state = 1;
    while !input.is_empty() && out.commands.len() < 60 {
        let kind = usize::from(input.byte());
        let (letter, payload) = match kind {
            0..224 => {
                let (letter, payloads) = USUAL[kind % USUAL.len()];
                (letter, payloads[kind / USUAL.len() % payloads.len()].to_vec())
            }
            224..240 => (USUAL[kind % USUAL.len()].0, input.bytes()),
            _ => (input.byte(), input.bytes()),
        };
        let mut tried = session.clone();
        let mut results = out.results.clone();
        let line = behaviour(input, letter, &tried, &mut results);
        let effect = tried.packet(letter, &payload, &results);
        // Where a difference begins the comparison ends: mostly something else is taken.
        if (effect.trigger.is_some() || effect.closed) && input.byte() < 250 {
            continue;
        }
        tried.reply_set |= line.as_ref().is_some_and(|line| line.contains("reply"));
        (session, out.results) = (tried, results);
        out.on.extend(line);
        out.commands.push(match letter {
            b'A'..=b'Z' | b'a'..=b'z' => written(letter, &payload),
            _ => format!("raw {}", quote(&packet(letter, &payload))),
        });
    }
    out
}

/// What the callback of a command does and returns.
fn behaviour(
    input: &mut Input<'_>,
    letter: u8,
    session: &Session<'_>,
    results: &mut Results,
) -> Option<String> {
    let callback = callback_of(letter)?;
    let kind = input.byte();
    let count = if kind < 128 { 0 } else { kind & 3 };
    let mut words: Vec<String> = Vec::new();
    for _ in 0..count {
        words.push(OPERATIONS[usize::from(input.byte()) % OPERATIONS.len()].to_owned());
    }
    let result = match input.byte() {
        0..170 => 0,
        n => [1, 2, 3, 4, 7, 8, 1, 4][usize::from(n & 7)],
    };
    if words.is_empty() && result == 0 {
        return None;
    }
    let n = session.next_call(callback);
    results.insert((callback, n), result);
    words.push(format!("return {result}"));
    Some(format!("{callback}#{n}: {}", words.join("; ")))
}

thread_local! {
    /// A filter with each library for every profile met so far.
    static PAIRS: RefCell<HashMap<usize, Pair<'static>>> = RefCell::default();
}

/// # Panics
/// If the two libraries do something different and `docs/differences.md` does not say so.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data, 66_000);
    let number = usize::from(input.byte()) % PROFILES.len();
    let profile = &PROFILES[number];
    let registration = Registration::parse(profile.filter).expect("a profile");
    let generated = decode(&mut input, profile, &registration);
    PAIRS.with_borrow_mut(|pairs| {
        let pair = pairs.entry(number).or_insert_with(|| {
            let program = Box::leak(Box::new(program().expect("the filter compiles")));
            Pair::new(program, profile)
        });
        let mut differ = || match pair.compare(&generated).expect("both libraries play") {
            Outcome::Different(text) => Some(text),
            Outcome::Equal | Outcome::EqualUntil(_) => None,
        };
        let mut last = None;
        for _ in 0..TRIES {
            last = differ();
            if last.is_none() {
                return;
            }
        }
        let text = generated.text(profile, usize::MAX);
        panic!("the libraries differ\n{text}\n{}", last.unwrap_or_default());
    });
}
