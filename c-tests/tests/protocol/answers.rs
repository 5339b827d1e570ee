//! What callbacks and calls are answered with, by the tables of docs/protocol.md and by both libraries.

use super::page::*;
use super::play::{PATHS, alone, bytes_of, one};
use c_tests::Headers;
use c_tests::protocol::constants::of_headers;
use c_tests::trace::command::Step;
use c_tests::trace::play::play;
use c_tests::trace::script::callback_of;
use c_tests::trace::{TraceMilter, process};
use milter_mta::Client;
use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{ClientInfo, Event, Mta, Profile, Session, Verdict};
use std::time::Duration;

#[test]
fn results_become_these_responses() {
    let table = document().table(RESULTS);
    let constants = of_headers(Headers::Reference).unwrap();
    let mut problems = Vec::new();
    let mut shown = 0;
    for row in &table.rows {
        let result = constants[&row[0]];
        for letter in row[2].split_whitespace().flat_map(str::chars) {
            let (_, path) = PATHS.iter().find(|(known, _)| *known == letter).unwrap();
            let callback = callback_of(letter).unwrap();
            let mut session = one(&format!(
                "session {letter}\nfilter all\non negotiate: return all_opts\n\
                 on {callback}: return {result}\n> O 6 1ff 1fffff{path}\n"
            ));
            session.steps.push(Step::Send(bytes_of(letter)));
            shown += 1;
            for linkage in BOTH {
                let seen = alone(linkage, &session).packets.pop();
                if seen.as_deref() != Some(row[1].as_bytes()) {
                    problems.push(format!("{linkage:?} {letter} {row:?}: {seen:02x?}"));
                }
            }
        }
    }
    report(&problems);
    // Five results at ten commands, and skip.
    assert_eq!(shown, 51);
}

/// Which commands a call sends something in answer to, with both libraries.
fn answers(letter: &str, call: &str, milters: &[TraceMilter; 2]) -> String {
    let mut out: Vec<String> = Vec::new();
    for (command, path) in PATHS {
        let callback = callback_of(command).unwrap();
        let mut session =
            one(&format!("session x\non {callback}: {call}\n> O 6 1ff 1fffff{path}\n"));
        session.steps.push(Step::Send(bytes_of(command)));
        let [theirs, ours] = milters.each_ref().map(|milter| {
            let seen = play(milter, &session).unwrap().packets;
            seen.iter().any(|packet| letter.as_bytes()[0] == packet[0])
        });
        assert_eq!(theirs, ours, "{call} in answer to {command}");
        if ours {
            out.push(command.to_string());
        }
    }
    out.join(" ")
}

#[test]
fn changes_answer_what_the_page_says() {
    let table = document().table(RESPONSES);
    let program = process::program().unwrap();
    let registration = one("session x\n").registration;
    let milters = BOTH.map(|linkage| TraceMilter::start(&program, linkage, &registration).unwrap());
    for (letter, call) in [
        ("h", "addheader X v"),
        ("i", "insheader 0 X v"),
        ("m", "chgheader X 1 v"),
        ("e", "chgfrom <x@y> NULL"),
        ("+", "addrcpt <x@y>"),
        ("2", "addrcpt_par <x@y> A=b"),
        ("-", "delrcpt <x@y>"),
        ("q", "quarantine x"),
        ("b", "replacebody x 1"),
    ] {
        let row = table.rows.iter().find(|row| row[0] == letter).unwrap();
        assert_eq!(row[4], answers(letter, call, &milters), "{row:?}");
    }
    // Where the libraries send it, which is more than what MTAs take: section 9.3.
    let everywhere = PATHS.map(|(letter, _)| letter.to_string()).join(" ");
    assert_eq!(answers("p", "progress", &milters), everywhere);
}

/// A verdict of "discard" throws a message away where it may answer, and nowhere else.
#[test]
fn discard_answers_what_the_page_says() {
    let table = document().table(RESPONSES);
    let row = table.rows.iter().find(|row| row[0] == "d").unwrap();
    let mut without: Vec<String> = Vec::new();
    let program = process::program().unwrap();
    let registration = one("session x\n").registration;
    let [_, ours] =
        BOTH.map(|linkage| TraceMilter::start(&program, linkage, &registration).unwrap());
    for (letter, _) in PATHS.iter().filter(|(letter, _)| *letter != 'U') {
        let callback = callback_of(*letter).unwrap();
        let session = one(&format!("session x\non {callback}: return discard\n"));
        ours.set_script(&session.script).unwrap();
        let mut observer = |_: Event<'_>| {};
        let client = Client::from_fd(ours.connect().unwrap());
        let mut witness = Session::open(client, Profile::new(Mta::Postfix), &mut observer).unwrap();
        let client = ClientInfo::new(None, "192.0.2.1".parse().unwrap(), 40_000);
        witness.connect(&client).unwrap();
        witness.helo("me").unwrap();
        let message = Message::parse(b"Subject: x\n\nx\n");
        let outcome = witness.deliver("1", &Envelope::new("a@b", &["c@d"]), &message).unwrap();
        witness.quit(Duration::from_secs(30)).unwrap();
        while ours.next_line().unwrap().is_some() {}
        if outcome.verdict != Verdict::Discard {
            without.push(letter.to_string());
        }
    }
    assert_eq!(row[4], format!("all but {}", without.join(" ")));
}
