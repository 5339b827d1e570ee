//! What callback results become on the wire.

use super::Play;
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use std::sync::atomic::Ordering;

/// Path to, packet, command and flag of each command that can be promised silence.
const STAGES: [(&[&str], &str, Command, u32); 9] = [
    (&[], "Ch|U", Command::Connect, step::NR_CONN),
    (&["Ch|U"], "Hme|", Command::Helo, step::NR_HELO),
    (&["Ch|U"], "M<a>|", Command::Mail, step::NR_MAIL),
    (&["Ch|U", "M<a>|"], "R<b>|", Command::Rcpt, step::NR_RCPT),
    (&["Ch|U", "M<a>|", "R<b>|"], "T", Command::Data, step::NR_DATA),
    (&["Ch|U", "M<a>|", "R<b>|"], "Ln|v|", Command::Header, step::NR_HDR),
    (&["Ch|U", "M<a>|", "R<b>|"], "N", Command::Eoh, step::NR_EOH),
    (&["Ch|U", "M<a>|", "R<b>|"], "Bx", Command::Body, step::NR_BODY),
    (&["Ch|U", "M<a>|", "R<b>|"], "UX|", Command::Unknown, step::NR_UNKN),
];

/// The responses to a stage's packet when its callback returns `result`.
fn reply(stage: usize, protocol: u32, result: i32) -> (String, Vec<String>) {
    let (path, packet, command, _) = STAGES[stage];
    let mut play = Play::agreed(&[], protocol);
    play.run(path);
    play.returns(command, result);
    let outcome = play.say(packet);
    let responses = outcome.rsplit_once(" > ").map_or("", |(_, rest)| rest);
    (responses.to_owned(), play.reports())
}

#[test]
fn every_result_has_its_letter_at_every_stage() {
    for (stage, (_, packet, ..)) in STAGES.iter().enumerate() {
        for (result, letter) in [
            (status::CONTINUE, "c"),
            (status::REJECT, "r"),
            (status::DISCARD, "d"),
            (status::ACCEPT, "a"),
            (status::TEMPFAIL, "t"),
        ] {
            assert_eq!(reply(stage, 0, result), (letter.to_owned(), vec![]), "{packet} {result}");
        }
    }
}

/// A callback bug must not leave the MTA waiting, nor leak what the library uses itself.
#[test]
fn unlisted_results_are_failures_of_the_filter() {
    for (stage, (_, packet, command, _)) in STAGES.iter().enumerate() {
        for result in [-2, -1, 5, 6, 9, 10, 11, 19, 20, 21, 22, 23, 100, i32::MIN, i32::MAX] {
            let (responses, reports) = reply(stage, 0, result);
            assert_eq!(responses, "t", "{packet} {result}");
            let name = command.callback_name();
            assert_eq!(reports.len(), 1, "{reports:?}");
            assert!(reports[0].contains(&format!("{name} returned {result}")), "{reports:?}");
        }
    }
}

#[test]
fn an_unlisted_result_at_the_end_of_message() {
    let mut play = Play::with_recipient(&[], 0);
    play.returns(Command::Eom, -1);
    play.check(&[("E", "eom > t"), ("M<c>|", "envfrom <c>| > c")]);
    assert!(play.reports()[0].contains("xxfi_eom returned -1"));
}

#[test]
fn silence_that_was_not_agreed_is_not_kept() {
    for (stage, (_, packet, ..)) in STAGES.iter().enumerate() {
        let (responses, reports) = reply(stage, 0, status::NOREPLY);
        assert_eq!(responses, "c", "{packet}");
        assert!(reports[0].contains("SMFIS_NOREPLY"), "{reports:?}");
    }
    let mut play = Play::with_recipient(&[], step::NR_ALL);
    play.returns(Command::Eom, status::NOREPLY);
    play.check(&[("E", "eom > c")]);
}

#[test]
fn silence_that_was_agreed_is_kept_whatever_the_callback_returns() {
    for (stage, (_, packet, _, flag)) in STAGES.iter().enumerate() {
        let (responses, reports) = reply(stage, *flag, status::NOREPLY);
        assert_eq!((responses.as_str(), reports.len()), ("", 0), "{packet}");
        for result in [0, 1, 2, 3, 4, 8] {
            let (responses, reports) = reply(stage, *flag, result);
            assert_eq!(responses, "", "{packet} {result}");
            assert_eq!(reports.len(), 2, "{packet} {result}");
            let text = format!("but did anyway {result}");
            assert!(
                reports[0].starts_with("milter claimed not to reply in state ")
                    && reports[0].ends_with(&text),
                "{reports:?}"
            );
        }
        assert_eq!(reply(stage, *flag, -1).0, "", "{packet}");
    }
}

#[test]
fn a_broken_promise_is_logged_once_a_session_also_without_callback() {
    let mut play = Play::with_recipient(&[Command::Eoh], step::NR_HDR | step::NR_EOH);
    for _ in 0..5 {
        play.check(&[("Ln|v|", "header n|v|")]);
    }
    play.check(&[("N", "")]);
    assert_eq!(play.reports().len(), 2);
    let mut play = Play::with_recipient(&[Command::Header], step::NR_HDR);
    play.check(&[("Ln|v|", ""), ("Ln|v|", "")]);
    let reports = play.reports();
    assert_eq!(reports[0], "milter claimed not to reply in state 7 but did anyway 0");
    assert_eq!(reports.len(), 2, "{reports:?}");
}

#[test]
fn a_verdict_under_a_promise_still_ends_the_message() {
    let mut play = Play::with_recipient(&[], step::NR_HDR);
    play.returns(Command::Header, status::ACCEPT);
    play.check(&[("Ln|v|", "header n|v|"), ("Ln|v|", ""), ("Bx", "> a"), ("E", "> a")]);
    assert_eq!(play.finish(), "close");
}

#[test]
fn skip_is_for_bodies() {
    for (stage, (_, packet, command, _)) in STAGES.iter().enumerate() {
        let (responses, reports) = reply(stage, step::SKIP, status::SKIP);
        if *command == Command::Body {
            assert_eq!((responses.as_str(), reports.len()), ("s", 0));
        } else {
            assert_eq!(responses, "c", "{packet}");
            assert!(reports[0].contains("SMFIS_SKIP"), "{reports:?}");
        }
    }
}

#[test]
fn an_mta_that_knows_no_skip_sends_chunks_that_are_swallowed() {
    let mut play = Play::with_recipient(&[], 0);
    play.returns(Command::Body, status::SKIP);
    play.check(&[
        ("Bone", "body one > c"),
        ("Btwo", "> c"),
        ("Bthree", "> c"),
        ("E", "eom > c"),
        ("M<a>|", "envfrom <a>| > c"),
        ("R<b>|", "envrcpt <b>| > c"),
        ("Bone", "body one > c"),
    ]);
    assert_eq!(play.reports(), [""; 0]);
}

#[test]
fn the_last_chunk_is_swallowed_too() {
    let mut play = Play::with_recipient(&[], 0);
    play.returns(Command::Body, status::SKIP);
    play.check(&[("Bone", "body one > c"), ("Etwo", "eom > c")]);
}

#[test]
fn the_last_chunk_may_come_with_the_end_of_message() {
    for result in [status::CONTINUE, status::SKIP, status::NOREPLY] {
        let mut play = Play::with_recipient(&[], 0);
        play.returns(Command::Body, result).returns(Command::Eom, status::REJECT);
        play.check(&[("Elast", "body last, eom > r"), ("A", "")]);
        assert_eq!(play.finish(), "close");
    }
    for (result, letter) in [(1, 'r'), (2, 'd'), (3, 'a'), (4, 't'), (-1, 't'), (5, 't')] {
        let mut play = Play::with_recipient(&[], 0);
        play.returns(Command::Body, result);
        assert_eq!(play.say("Elast"), format!("body last > {letter}"), "{result}");
        play.check(&[("A", ""), ("M<c>|", "envfrom <c>| > c")]);
    }
    let mut play = Play::with_recipient(&[Command::Eom], 0);
    play.returns(Command::Body, status::ACCEPT);
    play.check(&[("Elast", "body last > a")]);
    let mut play = Play::with_recipient(&[Command::Body, Command::Eom], 0);
    play.check(&[("Elast", "> c")]);
}

#[test]
fn a_stored_reply_goes_out_with_the_verdict_of_its_class() {
    let with = |code: &'static [u8], result: i32| {
        let mut play = Play::agreed(&[], 0);
        play.act(move |context, command| {
            if command == Command::Connect {
                context.set_reply(code, Some(b"5.7.1"), Some(b"no")).unwrap();
            }
        });
        play.run(&["Ch|U"]);
        play.returns(Command::Helo, result);
        let first = play.say("Hme|");
        play.returns(Command::Helo, result);
        (first, play.say("Hme|"))
    };
    let pair = |a: &str, b: &str| (format!("helo me| > {a}"), format!("helo me| > {b}"));
    assert_eq!(with(b"554", status::REJECT), pair("y554 5.7.1 no|", "r"));
    assert_eq!(with(b"451", status::TEMPFAIL), pair("y451 5.7.1 no|", "t"));
    assert_eq!(with(b"451", status::REJECT), pair("r", "r"));
    assert_eq!(with(b"554", status::TEMPFAIL), pair("t", "t"));
}

#[test]
fn a_stored_reply_waits_for_its_verdict() {
    let mut play = Play::agreed(&[], 0);
    play.act(|context, command| {
        if command == Command::Connect {
            context.set_multiline_reply(b"554", None, &[b"one", b"two"]).unwrap();
        }
    });
    play.run(&["Ch|U"]);
    play.returns(Command::Mail, status::ACCEPT).returns(Command::Mail, status::DISCARD);
    play.returns(Command::Mail, status::TEMPFAIL);
    play.run(&["M<1>|", "M<2>|", "M<3>|", "Hme|", "M<4>|", "A", "M<5>|", "R<b>|"]);
    play.returns(Command::Eom, status::REJECT);
    let text = "554-5.0.0 one\\r\\n554 5.0.0 two|";
    assert_eq!(play.say("E"), format!("eom > y{text}"));
}

#[test]
fn a_reply_that_is_over_the_limit_closes_the_connection_with_a_reason() {
    let mut play = Play::agreed(&[], 0);
    play.act(|context, _| context.set_reply(b"554", None, Some(&[b'x'; 200])).unwrap());
    play.limit.store(100, Ordering::Relaxed);
    play.returns(Command::Helo, status::REJECT);
    assert_eq!(play.say("Hme|"), "helo me| bye");
    assert_eq!(play.reports().len(), 1);
}
