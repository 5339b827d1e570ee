//! docs/differences.md: nothing in it is stale, and the entries that take more than one session.

use c_tests::differences::{assert_differs, assert_ours, entries};
use c_tests::trace::play::{self, Played};
use c_tests::trace::session::{Session, parse};
use c_tests::trace::{TraceMilter, matrix, process, suite};
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

/// Plays sessions one after the other in one process.
fn in_one_process(linkage: Linkage, sessions: &[Session]) -> Vec<Played> {
    let program = process::program().unwrap();
    let milter = TraceMilter::start(&program, linkage, &sessions[0].registration).unwrap();
    sessions.iter().map(|session| play::play(&milter, session).unwrap()).collect()
}

/// Letters of the replies to each.
fn letters(linkage: Linkage, sessions: &[Session]) -> Vec<String> {
    let played = in_one_process(linkage, sessions);
    played.iter().map(|played| played.transcript.letters()).collect()
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
        (letters(Linkage::ReferenceDynamic, &order), ["Oc", "Oc", "Occ"].map(Into::into).into()),
        (letters(Linkage::OursDynamic, &order), ["Oc", "Oc", "Oc"].map(Into::into).into()),
    );
}

/// The negotiated packet size of entry D2 belongs to its connection.
#[test]
fn large_packets_of_one_connection_do_not_change_another() {
    let text = "session {p}\neach p = 101fffff 1fffff\nfilter all -negotiate version=0x01000002\n\
                > O 6 1ff {p} | C h U | mail | head | B \"x\"*100000 | E | Q\n";
    let sessions = parse(text).unwrap();
    let order = [sessions[1].clone(), sessions[0].clone(), sessions[1].clone()];
    let seen = letters(Linkage::OursDynamic, &order);
    assert_eq!(seen, ["Occcccc", "Occcccccc", "Occcccc"]);
}

fn only(text: &str) -> Session {
    parse(text).unwrap().pop().unwrap()
}

fn played(linkage: Linkage, session: &Session) -> Played {
    in_one_process(linkage, std::slice::from_ref(session)).pop().unwrap()
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

/// The peer says no more and keeps its end open: what ends the session is the length alone.
#[test]
fn a_length_over_the_limit_is_enough() {
    let session = only(
        "session length\n> O 6 1ff 1fffff | C h U | M a | raw \"\\00\\01\\00\\01\" | wait 9\n",
    );
    let Played { transcript, log, .. } = played(Linkage::OursDynamic, &session);
    assert_ours("D58", transcript.callbacks(), vec!["connect", "envfrom", "abort", "close"]);
    let line = "err trace: session 1: packet of 65536 bytes is larger than the data size limit of \
                65535; closing the connection";
    assert_eq!(log, [line]);
}

#[test]
fn log_lines_have_the_number_of_their_session() {
    let text = "session too old\nfilter all\n> O 1 1ff 1fffff\n\
                session without an address\nfilter all\n\
                > O 6 1ff 1fffff | X C \"h\\004\\04\\d2not an address\\00\"\n";
    let sessions = parse(text).unwrap();
    let lines = |linkage| -> Vec<String> {
        let log = in_one_process(linkage, &sessions).into_iter().flat_map(|played| played.log);
        // Entry D85: another line follows the first.
        log.filter(|line| !line.contains(": session ")).collect()
    };
    let wanted = |first: u32, second: u32| {
        vec![
            format!("err trace: st_optionneg[{first}]: protocol version too old 1 < 2"),
            format!("err trace: connect[{second}]: inet_aton failed"),
        ]
    };
    assert_differs(
        "D54",
        (lines(Linkage::ReferenceDynamic), wanted(0, 0)),
        (lines(Linkage::OursDynamic), wanted(1, 2)),
    );
}
