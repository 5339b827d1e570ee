//! Which commands are processed, which break a message off, which close the connection.

use super::Play;
use crate::proto::codes::{status, step};
use crate::proto::command::Command;

#[test]
fn a_whole_session() {
    let mut play = Play::agreed(&[], 0);
    play.check(&[
        ("Chost|4\x04\x02192.0.2.1|", "connect host| V4([4, 2], 192.0.2.1) > c"),
        ("Hme|", "helo me| > c"),
        ("Di|Q1|", ""),
        ("DMi|Q1|", ""),
        ("M<a@b>|SIZE=1|", "envfrom <a@b>|SIZE=1| > c"),
        ("R<c@d>|", "envrcpt <c@d>| > c"),
        ("R<e@f>|NOTIFY=NEVER|", "envrcpt <e@f>|NOTIFY=NEVER| > c"),
        ("T", "data > c"),
        ("LSubject| hi|", "header Subject| hi| > c"),
        ("LX||", "header X|| > c"),
        ("N", "eoh > c"),
        ("Bhello", "body hello > c"),
        ("Bworld", "body world > c"),
        ("E", "eom > c"),
        ("M<x>|", "envfrom <x>| > c"),
        ("A", "abort"),
        ("Q", "bye"),
    ]);
    assert_eq!(play.finish(), "close");
    assert_eq!(play.reports(), [""; 0]);
}

/// Payload-wise correct packets of all commands that need a place in the order.
const COMMANDS: [(&str, &str); 10] = [
    ("Ch|U", "connect h|"),
    ("Hme|", "helo me|"),
    ("M<m>|", "envfrom <m>|"),
    ("R<r>|", "envrcpt <r>|"),
    ("T", "data"),
    ("Ln|v|", "header n|v|"),
    ("N", "eoh"),
    ("Bx", "body x"),
    ("E", "eom"),
    ("Uxyz|", "unknown xyz|"),
];

/// How to get from negotiation to each state, with all callbacks set.
const PATHS: [(&str, &[&str]); 9] = [
    ("OPTS", &[]),
    ("CONN", &["Ch|U"]),
    ("HELO", &["Ch|U", "Hme|"]),
    ("MAIL", &["Ch|U", "M<a>|"]),
    ("RCPT", &["Ch|U", "M<a>|", "R<b>|"]),
    ("DATA", &["Ch|U", "M<a>|", "R<b>|", "T"]),
    ("HDRS", &["Ch|U", "M<a>|", "R<b>|", "T", "Ln|v|"]),
    ("EOHS", &["Ch|U", "M<a>|", "R<b>|", "T", "N"]),
    ("ENDM", &["Ch|U", "M<a>|", "R<b>|", "T", "N", "E"]),
];

/// '+' processed, 'a' processed after the message under way was broken off, 'x' connection closed,
/// 'X' message broken off and connection closed.
#[test]
fn every_command_in_every_state() {
    let mut table = Vec::new();
    for (state, path) in PATHS {
        let mut row = format!("{state} ");
        for (packet, callback) in COMMANDS {
            let mut play = Play::agreed(&[], 0);
            play.run(path);
            let outcome = play.say(packet);
            let (aborted, rest) = match outcome.strip_prefix("abort") {
                Some(rest) => (true, rest.trim_start_matches(", ")),
                None => (false, outcome.as_str()),
            };
            let processed = rest.starts_with(callback) && rest.ends_with("> c");
            assert!(processed || rest.trim() == "bye", "{state} {packet}: {outcome}");
            row.push(match (processed, aborted) {
                (true, false) => '+',
                (true, true) => 'a',
                (false, false) => 'x',
                (false, true) => 'X',
            });
        }
        table.push(row);
    }
    assert_eq!(
        table,
        [
            //    CHMRTLNBEU
            "OPTS +++xxxxxx+",
            "CONN x++xxxxxx+",
            "HELO x++xxxxxx+",
            "MAIL Xaa+XXXXX+",
            "RCPT Xaa+++++++",
            "DATA XaaXX++++a",
            "HDRS XaaXX++XXa",
            "EOHS XaaXXXX++a",
            "ENDM x++xxxxxx+",
        ]
    );
}

#[test]
fn a_command_out_of_order_is_logged_when_the_connection_closes() {
    let mut play = Play::agreed(&[], 0);
    play.check(&[("Ch|U", "connect h| Unknown > c"), ("E", "bye")]);
    assert_eq!(
        play.reports(),
        ["session 1: Eom command can't follow in state 2 (Conn); closing the connection"]
    );
    assert_eq!(play.finish(), "close");
}

#[test]
fn negotiation_comes_first_and_once() {
    let mut play = Play::agreed(&[], 0);
    let (_, calls, responses) = play.packet(b'O', &super::offer(super::OFFER));
    assert_eq!((calls.len(), responses.len()), (0, 0));
    assert_eq!(play.reports().len(), 1);
    let mut play = Play::fresh(&[]);
    play.check(&[("M<a>|", "envfrom <a>| > c")]);
}

/// An unknown command does not disturb the message it comes in (its sender is a remote client).
#[test]
fn an_unknown_command_leaves_the_message_as_it_is() {
    for next in ["T", "Ln|v|", "N", "Bx", "E", "R<c>|"] {
        let mut play = Play::with_recipient(&[Command::Data], 0);
        play.check(&[("UFOO|", "unknown FOO|| > c")]);
        let outcome = play.say(next);
        assert!(outcome.ends_with("> c") && !outcome.contains("abort"), "{next}: {outcome}");
    }
}

#[test]
fn an_unknown_command_is_terminated_for_the_callback() {
    let mut play = Play::agreed(&[], 0);
    play.check(&[("UFOO", "unknown FOO| > c")]);
}

#[test]
fn a_message_needs_neither_headers_nor_body() {
    for packets in [&["T", "E"][..], &["T", "Bx", "E"], &["E"], &["N", "E"], &["Bx", "E"]] {
        let mut play = Play::with_recipient(&[Command::Eoh], step::NOEOH);
        for packet in packets {
            let outcome = play.say(packet);
            assert!(outcome.ends_with("> c") && !outcome.contains("abort"), "{packet}: {outcome}");
        }
    }
}

/// The flags of one session do not leak into another's order.
#[test]
fn skipped_stages_are_a_matter_of_one_session() {
    let mut all = Play::agreed(&[], 0x7f);
    all.check(&[("E", "eom > c")]);
    let mut none = Play::agreed(&[], 0);
    none.check(&[("Ch|U", "connect h| Unknown > c"), ("E", "bye")]);
}

#[test]
fn missing_callbacks_are_answered_and_their_payload_is_not_looked_at() {
    use Command::{Body, Connect, Data, Eoh, Eom, Header, Helo, Mail, Rcpt, Unknown};
    let missing = [Connect, Helo, Mail, Rcpt, Data, Header, Eoh, Body, Eom, Unknown];
    let mut play = Play::agreed(&missing, 0);
    for packet in ["Cjunk", "Hno-nul", "Mjunk", "Rjunk", "Ujunk", "T", "Ljunk", "N", "Bx", "Ex"] {
        assert_eq!(play.say(packet), "> c", "{packet}");
    }
}

#[test]
fn malformed_payloads_close_the_connection() {
    let with = |path: &[&str], packet: &str| {
        let mut play = Play::agreed(&[], 0);
        play.run(path);
        let outcome = play.say(packet);
        assert_eq!(outcome, "bye", "{packet}");
        let reports = play.reports();
        assert!(!reports.is_empty() && reports.len() <= 2, "{packet}: {reports:?}");
        play.finish()
    };
    for packet in
        ["C", "Ch", "Ch|", "Ch|4", "Ch|4\x01\x021.2.3.4", "Ch|X\x01\x02x|", "Ch|4\x01\x02h|"]
    {
        assert_eq!(with(&[], packet), "close", "{packet}");
    }
    for packet in ["H", "Hno-nul", "M", "Mno-nul", "U", "D", "Z", "\x01", "o"] {
        assert_eq!(with(&["Ch|U"], packet), "close", "{packet}: no message, no abort");
    }
    let message = ["Ch|U", "M<a>|"];
    for packet in ["R", "Rno-nul", "D", "?"] {
        assert_eq!(with(&message, packet), "abort, close", "{packet}");
    }
    let headers = ["Ch|U", "M<a>|", "R<b>|"];
    for packet in ["L", "LX|", "LX", "LX|v", "L||", "L|v|", "B"] {
        assert_eq!(with(&headers, packet), "abort, close", "{packet}");
    }
}

#[test]
fn verdicts_end_the_message_save_those_on_one_recipient_or_one_command() {
    use status::{ACCEPT, DISCARD, REJECT, TEMPFAIL};
    for (result, letter) in [(REJECT, 'r'), (TEMPFAIL, 't'), (DISCARD, 'd'), (ACCEPT, 'a')] {
        let mut play = Play::agreed(&[], 0);
        play.run(&["Ch|U", "M<a>|"]);
        play.returns(Command::Rcpt, result);
        assert_eq!(play.say("R<b>|"), format!("envrcpt <b>| > {letter}"));
        let over = result == ACCEPT;
        assert_eq!(play.say("A"), if over { "" } else { "abort" }, "{letter}");
        play.run(&["M<a>|"]);
        play.returns(Command::Mail, result);
        assert_eq!(play.say("M<c>|"), format!("abort, envfrom <c>| > {letter}"));
        assert_eq!(play.say("A"), "", "{letter}");
        play.run(&["M<a>|", "R<b>|"]);
        play.returns(Command::Unknown, result);
        assert_eq!(play.say("UX|"), format!("unknown X|| > {letter}"));
        assert_eq!(play.say("A"), if over { "" } else { "abort" }, "{letter}");
    }
}

#[test]
fn a_refused_recipient_leaves_the_message_to_the_others() {
    let mut play = Play::agreed(&[], 0);
    play.run(&["Ch|U", "M<a>|"]);
    play.returns(Command::Rcpt, status::REJECT);
    play.check(&[
        ("R<b>|", "envrcpt <b>| > r"),
        ("R<c>|", "envrcpt <c>| > c"),
        ("T", "data > c"),
        ("E", "eom > c"),
    ]);
}
