//! Filters that do something wrong, MTAs that do not suit and strangers: each has its line in the log.

use crate::runtime_support::{BOUND, Session, start_with_session};
use c_tests::differences::{assert_differs, assert_ours};
use c_tests::trace::play::play;
use c_tests::trace::session::parse;
use c_tests::trace::{TraceMilter, process};
use c_tests::{Compile, Linkage};
use milter_mta::Client;
use rustix::process::Signal;

/// What a library logs of one session, in a process of its own.
fn logged(linkage: Linkage, session: &str) -> Vec<String> {
    let session = parse(&format!("session one\n{session}\n")).unwrap().pop().unwrap();
    let milter =
        TraceMilter::start(&process::program().unwrap(), linkage, &session.registration).unwrap();
    play(&milter, &session).unwrap().log
}

/// The session, and what ours says.
const MISTAKES: [(&str, &str); 14] = [
    (
        "on header: addheader X v; addheader X v\n> open | mail | head | E | Q",
        "smfi_addheader failed in xxfi_header: a message can be changed in xxfi_eom only",
    ),
    (
        "filter -header flags=0x1\non eom: quarantine why; chgfrom <a@b> NULL\n> open | mail | head | E | Q",
        "smfi_quarantine failed in xxfi_eom: SMFIF_QUARANTINE was not negotiated; the filter has to ask \
         for it, in xxfi_flags or, if the MTA offers it, in xxfi_negotiate",
    ),
    (
        "on eom: addheader NULL v; addrcpt \"\"\n> open | mail | head | E | Q",
        "smfi_addheader failed in xxfi_eom: the name is NULL or empty",
    ),
    (
        "on eom: insheader -1 X v\n> open | mail | head | E | Q",
        "smfi_insheader failed in xxfi_eom: the index is negative",
    ),
    (
        "on eom: replacebody NULL 3\n> open | mail | head | E | Q",
        "smfi_replacebody failed in xxfi_eom: the length is negative, or the body is NULL",
    ),
    (
        "on eom: chgheader X 1 \"v\"*65530\n> open | mail | head | E | Q",
        "smfi_chgheader failed in xxfi_eom: 65537 bytes are more than the data size limit of 65535",
    ),
    (
        "on envrcpt: setreply 250 NULL fine\n> open | mail | Q",
        "smfi_setreply failed in xxfi_envrcpt: the code is not three digits of which the first is 4 or 5",
    ),
    (
        "on envrcpt: setmlreply 550 5.7.1 \"a\\0ab\"\n> open | mail | Q",
        "smfi_setmlreply failed in xxfi_envrcpt: the text has a line break; smfi_setmlreply takes lines",
    ),
    (
        "filter all\non negotiate: setsymlist 7 i; return all_opts\n> open | Q",
        "smfi_setsymlist failed in xxfi_negotiate: there is no such SMFIM_ stage",
    ),
    (
        "on envrcpt: setreply 451 4.7.1 later; return reject\n> open | mail | Q",
        "xxfi_envrcpt returned SMFIS_REJECT where the reply that was set has the code 451: a code that \
         begins with 5 goes with it; the MTA takes a text of its own",
    ),
    (
        "on helo: setmlreply 550 5.7.1 never; return tempfail\n> open | H me | Q",
        "xxfi_helo returned SMFIS_TEMPFAIL where the reply that was set has the code 550: a code that \
         begins with 4 goes with it; the MTA takes a text of its own",
    ),
    (
        "on eom: addheader X \"v\\0aBcc: x\"\n> open | mail | head | E | Q",
        "smfi_addheader in xxfi_eom: the value of the header has a line break without a blank or tab \
         behind it: what follows it becomes a line of its own in the message",
    ),
    (
        "on eom: insheader 0 \"X: a\\0aY\" v\n> open | mail | head | E | Q",
        "smfi_insheader in xxfi_eom: the name of the header has a line break: what follows it becomes a \
         line of its own in the message",
    ),
    // The reference says so too, but not where.
    (
        "filter all\non negotiate: pf1 0x80; return continue\n> open | mail | head | E | Q",
        "xxfi_header returned SMFIS_CONTINUE, or is not set, where SMFIP_NR_HDR was negotiated: it has to \
         be there and return SMFIS_NOREPLY",
    ),
];

#[test]
fn what_a_filter_does_wrong_is_told_once_a_session() {
    for (session, wanted) in MISTAKES {
        let lines = |linkage| {
            let mut log = logged(linkage, session);
            log.retain(|line| !line.contains("milter claimed not to reply"));
            log
        };
        let wanted = vec![format!("info trace: session 1: {wanted}")];
        assert_differs(
            "D84",
            (lines(Linkage::ReferenceDynamic), vec![]),
            (lines(Linkage::OursDynamic), wanted),
        );
    }
}

#[test]
fn what_is_right_is_not_told() {
    for session in [
        "on eom: addheader X \"v\\0a\\09w\\0d\\0a x\"; chgheader X 1 NULL; replacebody NULL 0\n> open | msg | Q",
        "on envrcpt: setreply 550 5.7.1 no; return reject\n> open | mail | Q",
        "on connect: setreply 451 4.7.1 later\non close: setpriv 0\n> open | msg | Q",
        "filter all\non negotiate: pf1 0x80; return continue\non header: return noreply\n> open | mail | head | E | Q",
        "on connect: progress; setpriv 5\non close: setpriv 0\n> open | msg | Q",
    ] {
        assert_eq!(logged(Linkage::OursDynamic, session), [""; 0], "{session}");
    }
}

#[test]
fn private_data_that_is_left_is_told_with_its_session() {
    let session = "on connect: setpriv 5\n> open | Q";
    let lines = vec![
        "warning trace: private data not NULL",
        "info trace: session 1: the private pointer was still set at the end of the session: xxfi_close \
         has to free what it points to and call smfi_setpriv(ctx, NULL)",
    ];
    assert_ours(
        "D84",
        logged(Linkage::OursDynamic, session).iter().map(String::as_str).collect(),
        lines,
    );
}

/// The lines about calls that fail of a filter that has done it in so many sessions.
fn lines_of_many(sessions: usize, variables: &[(&str, &str)]) -> Vec<String> {
    let program = Compile::c("milters/mistaken.c").build().unwrap();
    let mut command = Linkage::OursDynamic.command(&program).unwrap();
    command.envs(variables.iter().copied());
    let (mut milter, mut session) = start_with_session(command);
    let spec = format!("unix:{}/socket", milter.dir().display()).parse().unwrap();
    for number in 1..=sessions {
        assert_eq!(session.ask(b'H', &["me"]), 'c');
        session.quit();
        let client = Client::connect(&spec, BOUND).unwrap();
        session = Session { client };
        session.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
        session.client.flush().unwrap();
        assert_eq!(session.reply(), 'O', "after session {number}");
    }
    milter.signal(Signal::TERM).unwrap();
    assert!(milter.wait().unwrap().success());
    milter.log().lines().unwrap()
}

#[test]
fn mistakes_do_not_fill_the_log_unless_it_is_asked_for() {
    let line = |session: usize| {
        format!(
            "info mistaken: session {session}: smfi_addheader failed in xxfi_helo: a message can be \
             changed in xxfi_eom only"
        )
    };
    // The first connection is the one by which the test has found the socket. The next may be accepted at the
    // same time, by another thread, and have its number.
    let is_first = |text: &str| [line(1), line(2)].contains(&text.to_owned());
    let lines = lines_of_many(9, &[]);
    let rest = "info mistaken: 8 more mistakes of the filter were not logged";
    assert!(lines.len() == 2 && is_first(&lines[0]) && lines[1] == rest, "{lines:?}");
    let mut lines = lines_of_many(9, &[("LIBMILTER_LOG", "syslog")]);
    assert!(lines.remove(0).contains(" serves "));
    assert!(is_first(&lines.remove(0)));
    assert_eq!(lines, (3..11).map(line).collect::<Vec<_>>());
}

#[test]
fn an_mta_that_does_not_suit_is_told_what_is_missing() {
    let help = "a current Postfix with milter_protocol = 6 and sendmail from 8.14 on offer all";
    for (session, theirs, explained) in [
        (
            "filter all -negotiate flags=0x61\n> O 2 3f 7f",
            "0x3f does not fulfill action requirements 0x61",
            "this MTA does not offer SMFIF_CHGFROM, without which the filter does not run; ",
        ),
        (
            "filter all\non negotiate: pf0 0; pf1 0x100c00; return continue\n> O 6 1ff 3ff",
            "0x3ff does not fulfill protocol requirements 0x100c00",
            "this MTA does not offer SMFIP_SKIP, SMFIP_RCPT_REJ, SMFIP_HDR_LEADSPC, without which the filter \
             does not run; ",
        ),
        (
            "> O 1 1ff 1fffff",
            "protocol version too old 1 < 2",
            "this MTA speaks version 1 of the milter protocol; versions 2 to 6 are spoken here; ",
        ),
        (
            "filter all\non negotiate: return reject\n> O 6 1f 1fffff",
            "xxfi_negotiate returned 1 (protocol options=0x1fffff, actions=0x1f)",
            "SMFIS_REJECT from xxfi_negotiate means that the filter does not serve this MTA (SMFIS_CONTINUE \
             and SMFIS_ALL_OPTS do), which does not offer SMFIF_QUARANTINE, SMFIF_CHGFROM, \
             SMFIF_ADDRCPT_PAR, SMFIF_SETSYMLIST; ",
        ),
    ] {
        let first = |n| format!("err trace: st_optionneg[{n}]: {theirs}");
        assert_differs(
            "D85",
            (logged(Linkage::ReferenceDynamic, session), vec![first(0)]),
            (
                logged(Linkage::OursDynamic, session),
                vec![first(1), format!("err trace: session 1: {explained}{help}")],
            ),
        );
    }
}

#[test]
fn strangers_are_named() {
    for (bytes, speaks) in [
        (
            "GET / HTTP/1.1\\0d\\0aHost: mx\\0d\\0a",
            "speaks HTTP (\"GET / HTTP/1.1\\x0d\\x0aHost: mx\\x0d\\x0a\")",
        ),
        ("\\16\\03\\01\\02\\00\\01\\00\\01\\fc", "speaks TLS"),
        ("EHLO me\\0d\\0a", "speaks SMTP (\"EHLO me\\x0d\\x0a\")"),
        ("PROXY TCP4 192.0.2.1", "speaks the PROXY protocol (\"PROXY TCP4 192.0.2.1\")"),
        ("starting up ...\\0a", "sends text (\"starting up ...\\x0a\")"),
    ] {
        let session = format!("> raw \"{bytes}\"");
        let line = format!(
            "err trace: session 1: the peer {speaks}, which is not the milter protocol; closing the \
             connection"
        );
        assert_differs(
            "D16",
            (logged(Linkage::ReferenceDynamic, &session), vec![]),
            (logged(Linkage::OursDynamic, &session), vec![line]),
        );
    }
}
