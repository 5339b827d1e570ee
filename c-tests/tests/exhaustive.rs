//! Every command in every state with every callback result and every command after it.

use c_tests::random::{Generated, Outcome, PROFILES, Pair, Profile};
use c_tests::trace::matrix::COMMANDS;
use c_tests::trace::process::program;
use c_tests::trace::script::callback_of;
use c_tests::trace::text::quote;
use std::collections::BTreeMap;

/// How each state is reached, after the negotiation.
const STATES: [(&str, &[&str]); 14] = [
    ("OPTS", &[]),
    ("CONN", &["C host U"]),
    ("HELO", &["C host U", "H me"]),
    ("MAIL", &["C host U", "M <a@b>"]),
    ("RCPT", &["C host U", "M <a@b>", "R <c@d>"]),
    ("DATA", &["C host U", "M <a@b>", "R <c@d>", "T"]),
    ("HDRS", &["C host U", "M <a@b>", "R <c@d>", "T", "L a b"]),
    ("EOHS", &["C host U", "M <a@b>", "R <c@d>", "T", "L a b", "N"]),
    ("BODY", &["C host U", "M <a@b>", "R <c@d>", "T", "L a b", "N", "B x"]),
    ("ENDM", &["C host U", "M <a@b>", "R <c@d>", "T", "L a b", "N", "B x", "E"]),
    ("ABRT", &["C host U", "M <a@b>", "R <c@d>", "A"]),
    ("UNKN", &["C host U", "U x"]),
    ("UNKM", &["C host U", "M <a@b>", "R <c@d>", "U x"]),
    ("QNC", &["C host U", "M <a@b>", "R <c@d>", "E", "K"]),
];

fn written((letter, payload): &(char, &[u8])) -> String {
    match payload {
        [] => format!("X {letter}"),
        _ => format!("X {letter} {}", quote(payload)),
    }
}

/// Compares all of them for one profile; returns how often each outcome came.
fn play(profile: &Profile) -> BTreeMap<&'static str, usize> {
    let program = program().unwrap();
    let mut pair = Pair::new(&program, profile);
    let mut outcomes = BTreeMap::new();
    let mut problems = Vec::new();
    for (state, before) in STATES {
        for command in &COMMANDS {
            let callback = callback_of(command.0);
            let results: &[i64] = if callback.is_some() { &[0, 1, 2, 3, 4, 7, 8] } else { &[0] };
            for result in results {
                for after in &COMMANDS {
                    let mut session = Generated::default();
                    session.commands.extend(before.iter().map(|text| (*text).to_owned()));
                    session.commands.push(written(command));
                    session.commands.push(written(after));
                    if let Some(name) = callback {
                        let earlier = before.iter().filter(|text| text.starts_with(command.0));
                        let call = earlier.count() + 1;
                        session.on.push(format!("{name}#{call}: return {result}"));
                        session.results.insert((name, call), *result);
                    }
                    match pair.compare(&session).unwrap() {
                        Outcome::Equal => *outcomes.entry("equal").or_default() += 1,
                        Outcome::EqualUntil(id) => *outcomes.entry(id).or_default() += 1,
                        Outcome::Different(text) => problems.push(format!(
                            "{state} {} {result} {}\n{}\n{text}",
                            command.0,
                            after.0,
                            session.text(profile, usize::MAX)
                        )),
                    }
                }
            }
        }
    }
    let shown = problems.iter().take(10).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(problems.is_empty(), "{} problems\n{shown}", problems.len());
    outcomes
}

fn check(profile: &Profile) {
    let outcomes = play(profile);
    println!("{}: {outcomes:?}", profile.filter);
    assert!(outcomes["equal"] > 1500, "too few were compared to the end: {outcomes:?}");
}

#[test]
fn with_every_callback() {
    check(&PROFILES[0]);
}

#[test]
fn without_xxfi_data_and_xxfi_unknown() {
    check(&PROFILES[3]);
}

#[test]
fn with_states_that_can_be_skipped() {
    check(&PROFILES[14]);
}

#[test]
fn with_skip_negotiated() {
    check(&PROFILES[16]);
}

#[test]
fn with_promises_of_silence() {
    check(&PROFILES[17]);
}

#[test]
fn with_promises_of_silence_emulated() {
    check(&PROFILES[19]);
}
