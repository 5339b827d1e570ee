//! What the filter does wrong is told, once a session.

use super::Play;
use crate::proto::codes::{status, step};
use crate::proto::command::Command;

/// What is told after the callback of a command has done something.
fn told(command: Command, packets: &[&str], act: fn(&super::Context)) -> Vec<String> {
    let mut play = Play::with_recipient(&[], 0);
    play.act(move |context, running| {
        if running == command {
            act(context);
        }
    });
    play.run(packets);
    play.reports()
}

#[test]
fn headers_that_bring_other_lines_along() {
    let line = |function: &str, part: &str, which: &str| {
        format!(
            "session 1: {function} outside of callbacks: the {part} of the header has a line break{which}: \
             what follows it becomes a line of its own in the message"
        )
    };
    let behind = " without a blank or tab behind it";
    let add = told(Command::Eom, &["E"], |context| {
        for _ in 0..3 {
            context.add_header(Some(b"X"), Some(b"a\nBcc: b")).unwrap();
        }
    });
    assert_eq!(add, [line("smfi_addheader", "value", behind)]);
    let insert = told(Command::Eom, &["E"], |context| {
        context.insert_header(0, Some(b"X: a\nY"), Some(b"a")).unwrap();
    });
    assert_eq!(insert, [line("smfi_insheader", "name", "")]);
    let change = told(Command::Eom, &["E"], |context| {
        context.change_header(Some(b"X"), 1, Some(b"a\r\n")).unwrap();
    });
    assert_eq!(change, [line("smfi_chgheader", "value", behind)]);
    let folded = told(Command::Eom, &["E"], |context| {
        context.add_header(Some(b"X"), Some(b"a\n\tb\r\n c")).unwrap();
    });
    assert_eq!(folded, [""; 0]);
    // What is not sent brings nothing along.
    let refused = told(Command::Body, &["Bx"], |context| {
        context.add_header(Some(b"X"), Some(b"a\nb")).unwrap_err();
    });
    assert_eq!(refused, [""; 0]);
}

#[test]
fn calls_that_fail_are_told_by_kind() {
    let reports = told(Command::Eom, &["E"], |context| {
        for _ in 0..2 {
            let refused = context.add_header(Some(b""), None).unwrap_err();
            context.failed("smfi_addheader", refused);
            let refused = context.set_reply(b"250", None, None).unwrap_err();
            context.failed("smfi_setreply", refused);
        }
    });
    assert_eq!(
        reports,
        [
            "session 1: smfi_addheader failed outside of callbacks: the name is NULL or empty",
            "session 1: smfi_setreply failed outside of callbacks: the code is not three digits of which \
             the first is 4 or 5",
        ]
    );
}

#[test]
fn a_reply_of_the_other_class() {
    for (code, result, told) in [
        (
            b"451",
            status::REJECT,
            "xxfi_envfrom returned SMFIS_REJECT where the reply that was set has the code 451: a code that begins with 5 goes with it; the MTA takes a text of its own",
        ),
        (
            b"550",
            status::TEMPFAIL,
            "xxfi_envfrom returned SMFIS_TEMPFAIL where the reply that was set has the code 550: a code that begins with 4 goes with it; the MTA takes a text of its own",
        ),
        (b"550", status::REJECT, ""),
        (b"451", status::TEMPFAIL, ""),
        (b"451", status::CONTINUE, ""),
        (b"451", status::DISCARD, ""),
    ] {
        let mut play = Play::agreed(&[], 0);
        play.act(move |context, command| {
            if command == Command::Mail {
                context.set_reply(code, None, None).unwrap();
            }
        });
        for _ in 0..2 {
            play.returns(Command::Mail, result);
        }
        play.run(&["Ch|U", "M<a>|", "M<a>|"]);
        let wanted: Vec<String> =
            [told].iter().filter(|t| !t.is_empty()).map(|t| format!("session 1: {t}")).collect();
        assert_eq!(play.reports(), wanted);
    }
}

#[test]
fn a_result_where_silence_was_promised() {
    let mut play = Play::agreed(&[], step::NR_HELO);
    play.run(&["Ch|U", "Hme|", "Hme|"]);
    assert_eq!(
        play.reports(),
        [
            "milter claimed not to reply in state 3 but did anyway 0",
            "session 1: xxfi_helo returned SMFIS_CONTINUE, or is not set, where SMFIP_NR_HELO was \
             negotiated: it has to be there and return SMFIS_NOREPLY",
        ]
    );
}
