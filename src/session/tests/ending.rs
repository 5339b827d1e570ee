//! `xxfi_abort` once for each message that was broken off, `xxfi_close` once for each SMTP
//! connection.

use super::{Flow, OFFER, Play, offer};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;

/// Packets that leave a message open, from MAIL on.
const OPEN: [&[&str]; 7] = [
    &["M<a>|"],
    &["M<a>|", "R<b>|"],
    &["M<a>|", "R<b>|", "T"],
    &["M<a>|", "R<b>|", "T", "Ln|v|"],
    &["M<a>|", "R<b>|", "T", "N"],
    &["M<a>|", "R<b>|", "T", "N", "Bx"],
    // A client's unknown command does not hide the message.
    &["M<a>|", "R<b>|", "UX|"],
];

fn opened(path: &[&str]) -> Play {
    let mut play = Play::agreed(&[], 0);
    play.run(&["Ch|U", "Hme|"]);
    play.run(path);
    play
}

#[test]
fn an_open_message_is_aborted_when_the_session_ends() {
    for path in OPEN {
        assert_eq!(opened(path).finish(), "abort, close", "{path:?}");
        let mut play = opened(path);
        play.check(&[("Q", "bye")]);
        assert_eq!(play.finish(), "abort, close", "{path:?}");
    }
}

#[test]
fn an_open_message_is_aborted_once_by_the_mta() {
    for path in OPEN {
        let mut play = opened(path);
        play.check(&[("A", "abort"), ("A", ""), ("M<c>|", "envfrom <c>| > c"), ("A", "abort")]);
        assert_eq!(play.finish(), "close", "{path:?}");
    }
}

#[test]
fn a_new_message_or_helo_breaks_the_open_one_off() {
    for path in OPEN {
        opened(path).check(&[("M<c>|", "abort, envfrom <c>| > c")]);
        let mut play = opened(path);
        play.check(&[("Hyou|", "abort, helo you| > c")]);
        assert_eq!(play.finish(), "close");
    }
}

#[test]
fn nothing_is_aborted_outside_of_a_message() {
    for path in [&[][..], &["Ch|U"], &["Ch|U", "Hme|"], &["Ch|U", "UX|"]] {
        let mut play = Play::agreed(&[], 0);
        play.run(path);
        play.check(&[("A", "")]);
        assert_eq!(play.finish(), "close", "{path:?}");
    }
    assert_eq!(Play::fresh(&[]).finish(), "close", "a probe that says nothing");
}

#[test]
fn a_session_that_had_a_message_to_its_end_is_told_apart() {
    let mut play = Play::agreed(&[], 0);
    for (packet, had) in [
        ("M<a>|", false),
        ("A", false),
        ("M<a>|", false),
        ("R<b>|", false),
        ("E", true),
        ("M<c>|", true),
    ] {
        play.run(&[packet]);
        assert_eq!(play.session.had_message(), had, "{packet}");
    }
}

/// The MTA sends ABORT after verdicts too; it means nothing then.
#[test]
fn an_ended_message_is_not_aborted() {
    let mut play = Play::with_recipient(&[], 0);
    play.check(&[("E", "eom > c"), ("A", "")]);
    assert_eq!(play.finish(), "close");
    for result in [status::REJECT, status::TEMPFAIL, status::DISCARD, status::ACCEPT] {
        let mut play = Play::with_recipient(&[], 0);
        play.returns(Command::Header, result);
        play.run(&["Ln|v|", "A"]);
        assert_eq!(play.finish(), "close", "{result}");
    }
}

#[test]
fn a_malformed_first_command_opens_no_message() {
    let mut play = Play::agreed(&[], 0);
    play.check(&[("Ch|U", "connect h| Unknown > c"), ("Mno-nul", "bye")]);
    assert_eq!(play.finish(), "close");
}

#[test]
fn a_command_that_is_out_of_order_and_malformed_aborts_once() {
    for packet in ["H", "Hno-nul", "M", "Mno-nul"] {
        let mut play = opened(&["M<a>|", "R<b>|"]);
        assert_eq!(play.say(packet), "abort bye", "{packet}");
        assert_eq!(play.finish(), "close", "{packet}");
    }
}

/// Without MAIL, a message begins with the first command of it that comes.
#[test]
fn without_mail_a_message_begins_later() {
    let protocol = step::NOMAIL;
    let mut play = Play::agreed(&[Command::Mail], protocol);
    play.check(&[
        ("Ch|U", "connect h| Unknown > c"),
        ("A", ""),
        ("R<b>|", "envrcpt <b>| > c"),
        ("A", "abort"),
        ("A", ""),
        ("R<b>|", "envrcpt <b>| > c"),
        ("E", "eom > c"),
        ("A", ""),
    ]);
    assert_eq!(play.finish(), "close");
}

#[test]
fn repeated_aborts_count_once_without_unknown_too() {
    let mut play = Play::agreed(&[Command::Unknown], step::NOUNKNOWN);
    play.run(&["Ch|U", "M<a>|"]);
    play.check(&[("A", "abort"), ("A", ""), ("R<b>|", "bye")]);
    assert_eq!(play.finish(), "close");
}

#[test]
fn a_session_without_these_callbacks_ends_quietly() {
    let mut play = Play::with_recipient(&[Command::Abort, Command::Quit], 0);
    play.check(&[
        ("A", ""),
        ("M<c>|", "envfrom <c>| > c"),
        ("K", ""),
        ("Ch|U", "connect h| Unknown > c"),
    ]);
    assert_eq!(play.finish(), "");
}

#[test]
fn a_message_is_over_even_if_its_reply_cannot_be_sent() {
    let mut play = Play::with_recipient(&[], 0);
    play.output.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    play.check(&[("E", "eom bye")]);
    assert_eq!(play.finish(), "close");
    let mut play = Play::with_recipient(&[], 0);
    play.output.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    play.check(&[("T", "data bye")]);
    assert_eq!(play.finish(), "abort, close");
}

/// A verdict of which the MTA can't be told ends nothing, also where the filter promised silence and
/// the library replies in its place.
#[test]
fn a_verdict_that_cannot_be_sent_leaves_the_message_to_be_aborted() {
    let silent =
        step::NR_MAIL | step::NR_RCPT | step::NR_DATA | step::NR_HDR | step::NR_EOH | step::NR_BODY;
    let path = [
        ("M<a>|", Command::Mail),
        ("R<b>|", Command::Rcpt),
        ("T", Command::Data),
        ("Ln|v|", Command::Header),
        ("N", Command::Eoh),
        ("Bx", Command::Body),
    ];
    let results = [status::ACCEPT, status::REJECT, status::TEMPFAIL, status::DISCARD];
    for (promised, offered) in [(0, OFFER[2]), (silent, OFFER[2] & !silent)] {
        for (at, (packet, command)) in path.iter().enumerate() {
            for result in results {
                let mut play = Play::fresh(&[]);
                play.filter.negotiate.1 = Some(promised);
                let (flow, _, _) = play.packet(b'O', &offer([6, 0x1ff, offered]));
                assert_eq!(flow, Flow::Continue);
                play.run(&["Ch|U", "Hme|"]);
                for (before, _) in &path[..at] {
                    play.run(&[before]);
                }
                play.output.broken.store(true, std::sync::atomic::Ordering::Relaxed);
                play.returns(*command, result);
                assert!(play.say(packet).ends_with(" bye"), "{packet}");
                assert_eq!(
                    play.finish(),
                    "abort, close",
                    "{packet} {result}, promised {promised:x}"
                );
            }
        }
    }
}

/// QUIT_NC is honoured wherever it comes.
#[test]
fn one_connection_serves_several_clients() {
    for path in OPEN {
        let mut play = opened(path);
        play.check(&[
            ("K", "abort, close"),
            ("Ch|U", "connect h| Unknown > c"),
            ("Hyou|", "helo you| > c"),
            ("M<c>|", "envfrom <c>| > c"),
            ("R<d>|", "envrcpt <d>| > c"),
            ("E", "eom > c"),
            ("K", "close"),
            ("K", ""),
        ]);
        assert_eq!(play.finish(), "", "{path:?}: nothing has come since");
    }
    for path in [&[][..], &["Ch|U"], &["Ch|U", "Hme|"], &["Ch|U", "M<a>|", "A"]] {
        let mut play = Play::agreed(&[], 0);
        play.run(path);
        play.check(&[("K", "close"), ("Ch|U", "connect h| Unknown > c")]);
        assert_eq!(play.finish(), "close", "{path:?}");
    }
}

#[test]
fn macros_and_refused_commands_open_no_connection() {
    let mut play = opened(&[]);
    play.check(&[("K", "close"), ("DCj|mx|", ""), ("E", "bye")]);
    assert_eq!(play.finish(), "");
}

/// The command that was to begin another SMTP connection may be refused, and then there is none.
#[test]
fn a_malformed_command_opens_no_connection() {
    for packet in
        ["C", "Ch", "Ch|", "Ch|4\x01\x02x|", "H", "Hno-nul", "M", "Mno-nul", "U", "D", "Z"]
    {
        let mut play = opened(&["M<a>|"]);
        play.check(&[("K", "abort, close"), (packet, "bye")]);
        assert_eq!(play.finish(), "", "{packet}");
    }
    for packet in ["Ch|U", "Hme|", "M<b>|", "UX|"] {
        let mut play = opened(&["K"]);
        play.run(&[packet]);
        assert!(play.finish().ends_with("close"), "{packet}");
    }
    let mut play = Play::agreed(&[Command::Connect], 0);
    play.check(&[("Cjunk", "> c"), ("K", "close"), ("Cjunk", "> c")]);
    assert_eq!(play.finish(), "close", "a payload that nobody looks at is fine");
}

#[test]
fn a_new_client_gets_neither_the_old_reply_nor_the_old_macros() {
    let mut play = opened(&["DCj|mx|", "DMi|Q1|", "M<a>|"]);
    play.act(|context, command| match command {
        Command::Quit => assert!(context.macro_value(b"i", |_| ()).is_some(), "close sees macros"),
        Command::Rcpt => context.set_reply(b"554", None, Some(b"old")).unwrap(),
        Command::Connect => {
            assert!(context.macro_value(b"i", |_| ()).is_none());
            assert!(context.macro_value(b"j", |_| ()).is_none());
            assert!(!context.private().is_null(), "the filter's own pointer stays");
        }
        _ => {}
    });
    play.session.context().set_private(std::ptr::dangling_mut());
    play.run(&["R<b>|", "K", "Ch|U"]);
    play.returns(Command::Helo, status::REJECT);
    play.check(&[("Hme|", "helo me| > r")]);
}

#[test]
fn private_data_left_behind_is_logged() {
    let mut play = opened(&[]);
    play.session.context().set_private(std::ptr::dangling_mut());
    play.finish();
    let line = "session 1: the private pointer was still set at the end of the session: xxfi_close has \
                to free what it points to and call smfi_setpriv(ctx, NULL)";
    assert_eq!(play.reports(), ["private data not NULL", line]);
    let mut play = opened(&[]);
    play.finish();
    assert_eq!(play.reports(), [""; 0]);
}
