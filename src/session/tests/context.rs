//! What callbacks can do with their session: changes, macros.

use super::{Context, Play};
use crate::proto::codes::action;
use crate::proto::command::Command;
use crate::session::{Refused, Wrong};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One call of each kind, with the action it needs and the packet it sends.
pub(super) type Change = (u32, &'static str, fn(&Context) -> Result<(), Refused>);

pub(super) const CHANGES: [Change; 11] = [
    (action::ADDHDRS, "hN|v|", |c| c.add_header(Some(b"N"), Some(b"v"))),
    (action::ADDHDRS, "i|||\\x02N||", |c| c.insert_header(2, Some(b"N"), Some(b""))),
    (action::CHGHDRS, "m|||\\x01N||", |c| c.change_header(Some(b"N"), 1, None)),
    (action::CHGFROM, "ea|", |c| c.change_from(Some(b"a"), None)),
    (action::CHGFROM, "ea|x|", |c| c.change_from(Some(b"a"), Some(b"x"))),
    (action::ADDRCPT, "+a|", |c| c.add_recipient(Some(b"a"))),
    (action::ADDRCPT_PAR, "2a||", |c| c.add_recipient_with(Some(b"a"), Some(b""))),
    (action::DELRCPT, "-a|", |c| c.delete_recipient(Some(b"a"))),
    (action::QUARANTINE, "qwhy|", |c| c.quarantine(Some(b"why"))),
    (action::CHGBODY, "bnew", |c| c.replace_body(b"new")),
    (action::CHGBODY, "b", |c| c.replace_body(b"")),
];

#[test]
fn every_change_needs_its_action() {
    for (needed, packet, change) in CHANGES {
        for granted in (0..9).map(|bit| 1 << bit) {
            let mut play = Play::fresh(&[Command::Negotiate]);
            play.filter.traits.actions = granted;
            let (_, _, answer) = play.packet(b'O', &super::offer(super::OFFER));
            assert_eq!(answer[0].1[4..8], granted.to_be_bytes());
            play.run(&["Ch|U", "M<a>|", "R<b>|"]);
            let fits = granted == needed;
            play.act(move |context, command| {
                if command == Command::Eom {
                    let want = if fits { Ok(()) } else { Err(Refused::Right(needed)) };
                    assert_eq!(change(context), want);
                }
            });
            let want = if fits { format!("eom > {packet} c") } else { "eom > c".to_owned() };
            assert_eq!(play.say("E"), want);
        }
    }
}

#[test]
fn changes_are_for_the_end_of_message() {
    let mut play = Play::agreed(&[], 0);
    let made = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&made);
    play.act(move |context, command| {
        if CHANGES.iter().all(|(_, _, change)| change(context).is_ok()) {
            seen.lock().push(command);
        }
    });
    play.run(&["Ch|U", "Hme|", "M<a>|", "R<b>|", "T", "Ln|v|", "N", "Bx", "E"]);
    play.run(&["UX|", "M<a>|", "A", "M<a>|", "R<b>|", "Ex"]);
    play.finish();
    // The last body callback runs within the end of message.
    assert_eq!(*made.lock(), [Command::Eom, Command::Body, Command::Eom]);
    let after = play.session.context().add_header(Some(b"N"), Some(b"v"));
    assert_eq!(after, Err(Refused::Stage), "nor are they for other threads afterwards");
}

#[test]
fn arguments_that_are_missing_or_out_of_range() {
    let mut play = Play::with_recipient(&[], 0);
    play.act(|c, command| {
        if command != Command::Eom {
            return;
        }
        let refused: [Result<(), Refused>; 14] = [
            c.add_header(None, Some(b"v")),
            c.add_header(Some(b""), Some(b"v")),
            c.add_header(Some(b"N"), None),
            c.insert_header(-1, Some(b"N"), Some(b"v")),
            c.insert_header(0, Some(b"N"), None),
            c.change_header(Some(b"N"), -1, None),
            c.change_header(None, 1, None),
            c.change_from(None, None),
            c.change_from(Some(b""), Some(b"x")),
            c.add_recipient(None),
            c.add_recipient_with(Some(b""), None),
            c.delete_recipient(Some(b"")),
            c.quarantine(None),
            c.quarantine(Some(b"")),
        ];
        use Wrong::{Address, Index, Name, Reason, Value};
        let wrong = [
            Name, Name, Value, Index, Value, Index, Name, Address, Address, Address, Address,
            Address, Reason, Reason,
        ];
        assert_eq!(refused, wrong.map(|wrong| Err(Refused::Argument(wrong))));
    });
    assert_eq!(play.say("E"), "eom > c");
}

#[test]
fn a_long_body_goes_out_in_chunks() {
    for (size, chunks) in [
        (65_534, &[65_534][..]),
        (65_535, &[65_535]),
        (65_536, &[65_535, 1]),
        (131_070, &[65_535, 65_535]),
        (131_071, &[65_535, 65_535, 1]),
    ] {
        let mut play = Play::with_recipient(&[], 0);
        play.act(move |context, command| {
            if command == Command::Eom {
                context.replace_body(&vec![b'x'; size]).unwrap();
            }
        });
        let (_, _, responses) = play.packet(b'E', b"");
        let sizes: Vec<usize> =
            responses.iter().filter(|(l, _)| *l == b'b').map(|(_, p)| p.len()).collect();
        assert_eq!(sizes, chunks);
    }
}

#[test]
fn a_change_over_the_data_size_limit_fails_alone() {
    let mut play = Play::with_recipient(&[], 0);
    play.act(|context, command| {
        if command == Command::Eom {
            assert!(context.add_header(Some(b"N"), Some(&[b'x'; 97])).is_ok());
            let over = context.add_header(Some(b"N"), Some(&[b'x'; 98]));
            assert_eq!(over, Err(Refused::TooLong(101)));
        }
    });
    play.limit.store(100, Ordering::Relaxed);
    let (_, _, responses) = play.packet(b'E', b"");
    let letters: Vec<u8> = responses.iter().map(|(letter, _)| *letter).collect();
    assert_eq!(letters, b"hc");
}

#[test]
fn progress_may_be_sent_in_any_callback() {
    let mut play = Play::agreed(&[], 0);
    play.act(|context, _| context.progress().unwrap());
    play.check(&[
        ("Ch|U", "connect h| Unknown > p c"),
        ("M<a>|", "envfrom <a>| > p c"),
        ("A", "abort > p"),
        ("K", "close > p"),
    ]);
}

#[test]
fn a_failed_send_is_told_to_the_callback() {
    let mut play = Play::with_recipient(&[], 0);
    play.act(|context, command| {
        if command == Command::Eom {
            assert_eq!(context.add_header(Some(b"N"), Some(b"v")), Err(Refused::Send));
            assert_eq!(context.progress(), Err(Refused::Send));
        }
    });
    play.output.broken.store(true, Ordering::Relaxed);
    assert_eq!(play.say("E"), "eom bye");
}

/// Values of the macros "c", "h", "m", "r", "e" that each callback sees.
fn macros_seen(packets: &[&str]) -> Vec<(Command, String)> {
    let mut play = Play::agreed(&[], 0);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    play.act(move |context, command| {
        let value = |name: &u8| match context.macro_value(&[*name], |v| v.to_vec()) {
            Some(value) => String::from_utf8(value).unwrap().replace('\0', ""),
            None => "-".to_owned(),
        };
        log.lock().push((command, b"chmre".iter().map(value).collect()));
    });
    play.run(packets);
    play.finish();
    seen.lock().clone()
}

#[test]
fn macros_live_as_long_as_their_stage() {
    use Command::{Abort, Connect, Eom, Helo, Mail, Quit, Rcpt};
    let seen = macros_seen(&[
        "DCc|1|", "Ch|U", "DHh|1|", "Hme|", "DMm|1|", "M<a>|", "DRr|1|", "R<b>|", "DEe|1|", "E",
        // Those of the first message are seen until they are replaced or cleared.
        "M<c>|", "DMm|2|", "DRr|2|", "R<d>|", "A", "M<e>|",
    ]);
    let want = [
        (Connect, "1----"),
        (Helo, "11---"),
        (Mail, "111--"),
        (Rcpt, "1111-"),
        (Eom, "11111"),
        (Mail, "111--"),
        (Rcpt, "1122-"),
        (Abort, "1122-"),
        (Mail, "112--"),
        (Abort, "112--"),
        (Quit, "112--"),
    ];
    assert_eq!(seen, want.map(|(command, values)| (command, values.to_owned())));
}

/// A list of odd length: its last name has no value, and nothing behind it is read.
#[test]
fn a_macro_without_value_is_not_found() {
    let mut play = Play::agreed(&[], 0);
    play.act(|context, command| {
        if command == Command::Connect {
            assert_eq!(context.macro_value(b"a", |v| v.to_vec()).as_deref(), Some(&b"1\0"[..]));
            assert_eq!(context.macro_value(b"odd", |v| v.to_vec()), None);
            assert_eq!(context.macro_value(b"none", |v| v.to_vec()), None);
        }
    });
    play.run(&["DCa|1|odd|", "Ch|U"]);
}
