//! A verdict in the middle of a message, and an MTA that goes on with it.

use super::Play;
use crate::proto::codes::{status, step};
use crate::proto::command::Command;

/// Verdicts on a whole message and their letters.
const VERDICTS: [(i32, &str); 4] =
    [(status::REJECT, "r"), (status::DISCARD, "d"), (status::ACCEPT, "a"), (status::TEMPFAIL, "t")];

/// A message, with the command of each packet.
const MESSAGE: [(&str, Command); 9] = [
    ("M<a>|", Command::Mail),
    ("R<b>|", Command::Rcpt),
    ("R<c>|", Command::Rcpt),
    ("T", Command::Data),
    ("Ln|v|", Command::Header),
    ("Lm|w|", Command::Header),
    ("N", Command::Eoh),
    ("Bx", Command::Body),
    ("E", Command::Eom),
];

/// A filter that gets what these flags leave, one of whose callbacks has given a verdict.
fn settled(protocol: u32, packets: &[&str], by: Command, result: i32) -> Play {
    let mut play = Play::agreed(&[], protocol);
    play.run(&["Ch|U"]);
    play.returns(by, result);
    play.run(packets);
    play
}

#[test]
fn a_verdict_holds_for_the_rest_of_the_message() {
    for (result, letter) in VERDICTS {
        for (at, (_, command)) in MESSAGE.iter().enumerate() {
            // A recipient that is refused leaves the message to the others.
            if *command == Command::Eom || *command == Command::Rcpt && result != status::ACCEPT {
                continue;
            }
            let packets: Vec<&str> = MESSAGE.iter().map(|(packet, _)| *packet).collect();
            let (before, rest) = packets.split_at(at + 1);
            let mut play = settled(0, before, *command, result);
            for packet in rest {
                assert_eq!(play.say(packet), format!("> {letter}"), "{command:?} {packet}");
            }
            play.check(&[("M<d>|", "envfrom <d>| > c")]);
            assert_eq!(play.finish(), "abort, close");
            assert_eq!(play.reports(), [""; 0]);
        }
    }
}

/// The client's unknown command comes within a message, and is no part of it.
#[test]
fn an_unknown_command_leaves_the_verdict() {
    for (result, letter) in VERDICTS {
        let mut play = settled(0, &["M<a>|"], Command::Mail, result);
        let again = format!("> {letter}");
        let again = again.as_str();
        play.returns(Command::Unknown, status::CONTINUE).returns(Command::Unknown, status::REJECT);
        play.returns(Command::Unknown, status::ACCEPT);
        play.check(&[
            ("R<b>|", again),
            ("Ux|", "unknown x|| > c"),
            ("T", again),
            ("Ux|", "unknown x|| > r"),
            ("N", again),
            ("Ux|", "unknown x|| > a"),
            ("E", again),
            ("Ux|", "unknown x|| > c"),
            ("E", "bye"),
        ]);
    }
}

#[test]
fn an_unknown_command_that_is_accepted_settles_the_message() {
    let mut play = settled(0, &["M<a>|", "R<b>|", "Ux|"], Command::Unknown, status::ACCEPT);
    play.check(&[("T", "> a"), ("E", "> a"), ("M<c>|", "envfrom <c>| > c")]);
}

/// It is over with its end, with the next message, and with the client.
#[test]
fn a_verdict_is_lent_to_no_other_message() {
    for (result, letter) in VERDICTS {
        let settled = || settled(0, &["M<a>|"], Command::Mail, result);
        settled().check(&[("R<b>|", &format!("> {letter}")), ("A", ""), ("R<b>|", "bye")]);
        settled().check(&[("E", &format!("> {letter}")), ("E", "bye")]);
        settled().check(&[("Hme|", "helo me| > c"), ("R<b>|", "bye")]);
        settled().check(&[("K", "close"), ("R<b>|", "bye")]);
        settled().check(&[("DMi|2|", ""), ("M<b>|", "envfrom <b>| > c"), ("E", "abort bye")]);
        let mut play = Play::agreed(&[], 0);
        play.returns(Command::Connect, result).returns(Command::Eom, result);
        play.run(&["Ch|U"]);
        play.check(&[("R<b>|", "bye")]);
        let mut play = Play::with_recipient(&[], 0);
        play.returns(Command::Eom, result);
        play.run(&["E"]);
        play.check(&[("T", "bye")]);
    }
}

#[test]
fn another_message_may_be_settled_otherwise() {
    let mut play = settled(0, &["M<a>|"], Command::Mail, status::ACCEPT);
    play.returns(Command::Mail, status::REJECT);
    play.check(&[("M<c>|", "envfrom <c>| > r"), ("R<d>|", "> r")]);
}

/// The reply text is part of the verdict, and goes with it.
#[test]
fn a_reply_text_is_repeated_with_its_verdict() {
    let mut play = Play::agreed(&[], 0);
    play.act(|context, command| {
        if command == Command::Data {
            context.set_reply(b"554", Some(b"5.7.1"), Some(b"no")).unwrap();
        }
    });
    play.returns(Command::Data, status::REJECT).returns(Command::Mail, status::CONTINUE);
    play.returns(Command::Mail, status::REJECT);
    play.run(&["Ch|U", "M<a>|", "R<b>|"]);
    let text = "> y554 5.7.1 no|";
    play.check(&[
        ("T", &format!("data {text}")),
        ("R<c>|", text),
        ("E", text),
        ("M<d>|", "envfrom <d>| > r"),
    ]);
}

/// Where silence was agreed, the MTA hears of the verdict by the first reply it waits for.
#[test]
fn a_verdict_under_a_promise_is_told_with_the_next_reply() {
    for (result, letter) in VERDICTS {
        let again = format!("> {letter}");
        let again = again.as_str();
        let silent = step::NR_HDR | step::NR_EOH;
        let mut play = settled(silent, &["M<a>|", "R<b>|"], Command::Header, result);
        play.check(&[
            ("Ln|v|", "header n|v|"),
            ("Ln|v|", ""),
            ("N", ""),
            ("Bx", again),
            ("E", again),
            ("M<c>|", "envfrom <c>| > c"),
        ]);
        assert_eq!(play.finish(), "abort, close");
    }
}

/// A filter's bug must not let the message through where the MTA waits for a reply.
#[test]
fn an_unlisted_result_is_told_where_the_promise_is_the_librarys() {
    for result in [-1, 5, 9, 20, 22, 100] {
        let mut play = Play::fresh(&[]);
        play.filter.negotiate.1 = Some(step::NR_HDR | step::NR_RCPT);
        let _answered = play.packet(b'O', &super::offer([6, 0x1ff, 0x37f]));
        play.returns(Command::Rcpt, result).returns(Command::Header, result);
        play.run(&["Ch|U", "M<a>|"]);
        play.check(&[
            ("R<b>|", "envrcpt <b>| > t"),
            ("R<c>|", "envrcpt <c>| > c"),
            ("Ln|v|", "header n|v| > t"),
            ("Ln|v|", "> t"),
            ("E", "> t"),
        ]);
        let reports = play.reports();
        let text = format!("envrcpt returned {result}, which is no SMFIS_ value; taken as SMFIS_T");
        assert!(reports[0].contains(&text), "{reports:?}");
    }
}

const NO_ENVELOPE: u32 = step::NOMAIL | step::NORCPT;

/// Filters that skip the envelope see a message begin with its headers.
#[test]
fn a_message_without_an_envelope_is_settled_too() {
    for (result, letter) in VERDICTS {
        let again = format!("> {letter}");
        let again = again.as_str();
        let mut play = settled(NO_ENVELOPE, &["T", "Ln|v|", "N"], Command::Eoh, result);
        play.check(&[("Bx", again), ("By", again), ("E", again), ("T", "data > c")]);
        let mut play = settled(NO_ENVELOPE, &["T", "Ln|v|"], Command::Header, result);
        play.check(&[("Lm|w|", again), ("N", again), ("E", again), ("T", "data > c")]);
        let mut play = settled(0x7f & !step::NOBODY, &["Bx"], Command::Body, result);
        play.check(&[("By", again), ("E", again), ("Bx", "body x > c")]);
    }
}

/// MTAs that send nothing more of a settled message begin the next one without MAIL: a command or
/// macros that go back tell.
#[test]
fn the_next_message_without_an_envelope_is_a_new_one() {
    for (result, _) in VERDICTS {
        let no_data = NO_ENVELOPE | step::NODATA;
        let settled = || settled(no_data, &["Ln|v|", "N"], Command::Eoh, result);
        settled().check(&[("Ln|v|", "header n|v| > c")]);
        settled().check(&[("N", "eoh > c")]);
        settled().check(&[("A", ""), ("Bx", "body x > c")]);
        for macros in ["DM", "DMi|2|", "DRi|2|", "DN", "DT"] {
            let mut play = settled();
            play.run(&[macros]);
            assert_eq!(play.say("Bx"), "body x > c", "{macros}");
        }
        for macros in ["DB", "DE", "DEi|1|", "DU", "DC", "D?"] {
            let mut play = settled();
            play.run(&[macros]);
            assert!(!play.say("Bx").contains("body"), "{macros}");
        }
    }
}
