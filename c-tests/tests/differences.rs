//! docs/differences.md: nothing in it is stale, and the entries that take more than one session.

use c_tests::differences::{assert_differs, assert_ours, entries};
use c_tests::trace::session::{Session, parse};
use c_tests::trace::{TraceMilter, matrix, play, process, suite};
use c_tests::{Linkage, paths, scenario};
use std::collections::BTreeSet;

/// Entries named where tests look for the difference, and fail if it is not there.
fn shown() -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for session in suite::sessions().unwrap().into_values() {
        ids.extend(session.differs);
    }
    for scenario in scenario::scenarios().unwrap() {
        ids.extend(scenario.differs);
    }
    for cell in matrix::cells().unwrap() {
        ids.extend(cell.ours.into_iter().flat_map(|(_, ids)| ids));
    }
    for file in std::fs::read_dir(paths::in_package("tests")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for call in ["assert_differs", "assert_ours"] {
            for part in text.split(call).skip(1) {
                let argument = part.trim_start_matches('(').trim_start();
                let id = argument.strip_prefix('"').and_then(|rest| rest.split('"').next());
                ids.extend(id.map(str::to_owned));
            }
        }
    }
    ids
}

#[test]
fn every_entry_is_shown_by_a_test() {
    let shown = shown();
    let stale: Vec<String> = entries().unwrap().difference(&shown).cloned().collect();
    assert_eq!(stale, Vec::<String>::new(), "no test shows these entries");
}

/// Plays the named sessions of a text one after the other in one process.
fn in_one_process(linkage: Linkage, sessions: &[Session]) -> Vec<String> {
    let program = process::program().unwrap();
    let milter = TraceMilter::start(&program, linkage, &sessions[0].registration).unwrap();
    sessions
        .iter()
        .map(|session| play::play(&milter, session).unwrap().transcript.letters())
        .collect()
}

#[test]
fn one_connection_does_not_change_another() {
    let text = "session strict\nfilter all\non negotiate: pf1 0; return continue\n\
                > O 6 1ff 1fffff | C h U | E | Q\n\
                session lax\nfilter all\non negotiate: pf1 0x37f; return continue\n\
                > O 6 1ff 1fffff | E | Q\n";
    let sessions = parse(text).unwrap();
    let order = [sessions[0].clone(), sessions[1].clone(), sessions[0].clone()];
    assert_differs(
        "D1",
        (
            in_one_process(Linkage::ReferenceDynamic, &order),
            ["Oc", "Oc", "Occ"].map(Into::into).into(),
        ),
        (in_one_process(Linkage::OursDynamic, &order), ["Oc", "Oc", "Oc"].map(Into::into).into()),
    );
}

/// The negotiated packet size of entry D2 belongs to its connection.
#[test]
fn large_packets_of_one_connection_do_not_change_another() {
    let text = "session {p}\neach p = 101fffff 1fffff\nfilter all -negotiate version=0x01000002\n\
                > O 6 1ff {p} | C h U | mail | head | B \"x\"*100000 | E | Q\n";
    let sessions = parse(text).unwrap();
    let order = [sessions[1].clone(), sessions[0].clone(), sessions[1].clone()];
    let seen = in_one_process(Linkage::OursDynamic, &order);
    assert_eq!(seen, ["Occcccc", "Occcccccc", "Occcccc"]);
}

fn only(text: &str) -> Session {
    parse(text).unwrap().pop().unwrap()
}

fn played(linkage: Linkage, session: &Session) -> play::Played {
    let program = process::program().unwrap();
    let milter = TraceMilter::start(&program, linkage, &session.registration).unwrap();
    play::play(&milter, session).unwrap()
}

/// A last name without value ends the list; every other look-up stays inside the packet.
#[test]
fn a_macro_without_value_is_missing() {
    let session = only(
        "session odd list\non connect: getsymval y; getsymval x; getsymval nothing; getsymval \"{y}\"\n\
         > O 6 1ff 1fffff | X D \"Cx\\001\\00y\\00\" | C h U | Q\n",
    );
    let seen = played(Linkage::OursDynamic, &session).transcript.trace;
    let wanted = [
        "connect \"h\" NULL",
        "  getsymval \"y\" = NULL",
        "  getsymval \"x\" = \"1\"",
        "  getsymval \"nothing\" = NULL",
        "  getsymval \"{y}\" = NULL",
        "  -> 0",
        "close -> 0",
    ];
    assert_ours("D12", seen, wanted.map(Into::into).into());
}

#[test]
fn an_unknown_command_without_nul_is_terminated() {
    let session = only("session bare\n> O 6 1ff 1fffff | C h U | X U \"text\" | Q\n");
    let seen = played(Linkage::OursDynamic, &session).transcript.trace;
    assert_ours("D12", seen[1].as_str(), "unknown \"text\" -> 0");
}

#[test]
fn a_broken_promise_is_logged_once() {
    let session = only(
        "session promise\nfilter all\non negotiate: pf1 0x80; return continue\n\
         > O 6 1ff 1fffff | C h U | mail | T | L a b | L c d | L e f | N | E | Q\n",
    );
    let lines = |linkage| {
        let log = played(linkage, &session).log;
        let promise = "err trace: milter claimed not to reply in state 7 but did anyway 0";
        log.iter().filter(|line| *line == promise).count()
    };
    assert_differs("D15", (lines(Linkage::ReferenceDynamic), 3), (lines(Linkage::OursDynamic), 1));
}
