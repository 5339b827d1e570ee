//! Every scripted session with every way of linking; `sessions/*.txt` says what is played.
//!
//! `UPDATE_SESSIONS=1 cargo test -p c-tests sessions::` records what our library does in the
//! sessions that name a difference; read the change of `sessions/ours` before committing it.

use c_tests::Linkage;
use c_tests::differences::entries;
use c_tests::machine::machine;
use c_tests::protocol::{Document, Grammar};
use c_tests::trace::session::Session;
use c_tests::trace::suite::{self, Key, Results};
use c_tests::trace::transcript::difference;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::OnceLock;

fn sessions() -> &'static BTreeMap<Key, Session> {
    static SESSIONS: OnceLock<BTreeMap<Key, Session>> = OnceLock::new();
    SESSIONS.get_or_init(|| suite::sessions().unwrap())
}

fn reference() -> &'static Results {
    static REFERENCE: OnceLock<Results> = OnceLock::new();
    REFERENCE.get_or_init(|| suite::run(sessions(), Linkage::ReferenceDynamic).unwrap())
}

/// Fails with all problems at once.
fn report(problems: &[String]) {
    let mut text = String::new();
    for problem in problems.iter().take(20) {
        writeln!(text, "\n{problem}").unwrap();
    }
    assert!(problems.is_empty(), "{} problems{text}", problems.len());
}

#[test]
fn there_are_enough_sessions() {
    assert!(sessions().len() >= 400, "{}", sessions().len());
}

#[test]
fn the_reference_does_what_the_sessions_expect() {
    let mut problems = Vec::new();
    for (key, session) in sessions() {
        match &reference()[key] {
            Ok(played) => {
                let text = &played.transcript;
                let missing = session.expect.iter().filter(|line| !text.has(line));
                problems.extend(missing.map(|line| format!("{key:?}: no line {line}\n{text}")));
            }
            Err(error) => problems.push(format!("{key:?}: {error}")),
        }
    }
    report(&problems);
}

/// The replies of a library that docs/protocol.md has no words for.
fn malformed(played: &Results) -> Vec<String> {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    let grammar = GRAMMAR.get_or_init(|| {
        let page = Document::read("protocol.md").unwrap();
        page.grammar().unwrap()
    });
    let mut problems = Vec::new();
    for (key, played) in played {
        let packets = played.iter().flat_map(|played| &played.packets);
        // Of the largest ones, the sizes are what matters, and matching takes its time.
        for packet in packets.filter(|packet| packet.len() <= 4096) {
            if !grammar.matches("response", packet) {
                problems.push(format!("{key:?}: {:?}", String::from_utf8_lossy(packet)));
            }
        }
    }
    problems
}

#[test]
fn replies_follow_the_grammar_of_the_protocol() {
    let mut problems = malformed(reference());
    // Entry D13: the reference sends a line to be continued, and nothing after it.
    let known = |problem: &String| problem.contains("setmlreply without lines");
    assert_eq!(problems.iter().filter(|problem| known(problem)).count(), 1);
    problems.retain(|problem| !known(problem));
    report(&problems);
}

#[test]
fn reference_static_equals_reference_dynamic() {
    let other = suite::run(sessions(), Linkage::ReferenceStatic).unwrap();
    let mut problems = Vec::new();
    for key in sessions().keys() {
        match (&reference()[key], &other[key]) {
            (Ok(one), Ok(two)) if one.transcript == two.transcript => {}
            (one, two) => problems.push(format!("{key:?}: {one:?}\n{two:?}")),
        }
    }
    report(&problems);
}

/// Lines that the reference logs and ours does not; ours may log more.
fn unlogged(key: &Key, theirs: &[String], ours: &[String]) -> Vec<String> {
    // Entry D54: every session of the reference has the number 0.
    let plain = |line: &String| -> String {
        let digits = |c: char| c.is_ascii_digit();
        line.split('[').map(|part| part.trim_start_matches(digits)).collect::<Vec<_>>().join("[")
    };
    let ours: Vec<String> = ours.iter().map(plain).collect();
    let mut promises = 0;
    let timely = theirs.iter().filter(|line| {
        // Entry D15: a broken promise is logged once.
        promises += usize::from(line.contains("milter claimed not to reply"));
        let repeated = promises > 1 && line.contains("milter claimed not to reply");
        // Logged when the session is torn down: after the end of the connection or before it.
        !repeated && !line.ends_with("private data not NULL")
    });
    let missing = timely.map(plain).filter(|line| !ours.contains(line));
    missing.map(|line| format!("{key:?} does not log\n  {line}\n  but {ours:?}")).collect()
}

/// Equal where no difference is named; else different, and exactly as recorded.
fn compare(linkage: Linkage) {
    let mut played = sessions().clone();
    if machine().is_some_and(|machine| machine.narrow) {
        played.retain(|_, session| !session.needs_wide_long());
        assert!(played.len() + 10 > sessions().len(), "{}", played.len());
    }
    let ours = suite::run(&played, linkage).unwrap();
    if linkage == Linkage::OursDynamic && std::env::var_os("UPDATE_SESSIONS").is_some() {
        suite::record(sessions(), &ours).unwrap();
    }
    let recorded = suite::recorded().unwrap();
    let mut problems = malformed(&ours);
    for (key, session) in &played {
        let (theirs, ours) = match (&reference()[key], &ours[key]) {
            (Ok(theirs), Ok(ours)) => {
                if session.differs.is_empty() {
                    problems.extend(unlogged(key, &theirs.log, &ours.log));
                }
                (&theirs.transcript, &ours.transcript)
            }
            (theirs, ours) => {
                let errors = [theirs, ours].map(|side| side.as_ref().err());
                problems.push(format!("{key:?}: (reference, ours) failed {errors:?}"));
                continue;
            }
        };
        let named = &session.differs;
        if named.is_empty() {
            if theirs != ours {
                problems.push(format!("{key:?} differs\n{}", difference(theirs, ours)));
            }
        } else if theirs == ours {
            problems.push(format!("{key:?} names {named:?} but does not differ\n{ours}"));
        } else {
            match recorded.get(key) {
                Some(wanted) if *wanted == ours.to_string().trim_end() => {}
                Some(wanted) => {
                    problems.push(format!(
                        "{key:?} {named:?} is not as recorded\n{ours}\nbut\n{wanted}"
                    ));
                }
                None => problems.push(format!("{key:?} {named:?} is not recorded\n{ours}")),
            }
        }
    }
    report(&problems);
}

with_ours!(compare);

#[test]
fn recorded_transcripts_belong_to_differing_sessions() {
    let stale = suite::recorded()
        .unwrap()
        .into_keys()
        .filter(|key| sessions().get(key).is_none_or(|session| session.differs.is_empty()));
    report(&stale.map(|key| format!("{key:?} is recorded in vain")).collect::<Vec<_>>());
}

#[test]
fn named_differences_are_documented() {
    let entries = entries().unwrap();
    let mut problems = Vec::new();
    for (key, session) in sessions() {
        let unknown = session.differs.iter().filter(|id| !entries.contains(*id));
        problems.extend(unknown.map(|id| format!("{key:?}: docs/differences.md has no {id}")));
    }
    report(&problems);
}
