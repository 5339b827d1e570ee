//! Negotiation as part of a session; its arithmetic is tested beside `proto::negotiate`.

use super::{OFFER, Play, offer, texts};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::session::Flow;

/// The answer's numbers, or `None` if the connection closes.
fn answer(play: &mut Play, offered: [u32; 3]) -> Option<Vec<u32>> {
    let (flow, _, responses) = play.packet(b'O', &offer(offered));
    if flow == Flow::Close {
        assert_eq!(responses.len(), 0);
        return None;
    }
    let [(b'O', payload)] = responses.as_slice() else { panic!("{responses:?}") };
    Some(payload.chunks(4).map(|n| u32::from_be_bytes(n.try_into().unwrap())).collect())
}

#[test]
fn the_callback_sees_the_offer_with_all_promises_of_silence() {
    let mut play = Play::fresh(&[]);
    let (_, calls, _) = play.packet(b'O', &offer([2, 0x3f, 0x7f]));
    assert_eq!(texts(&calls), "negotiate 3f ff0ff");
}

/// Bit 31 is one flag, not a sign.
#[test]
fn high_bits_of_an_offer_are_not_extended() {
    let mut play = Play::fresh(&[]);
    let (_, calls, _) = play.packet(b'O', &offer([6, 0x8000_01ff, 0x801f_ffff]));
    assert_eq!(texts(&calls), "negotiate 800001ff 801fffff");
}

#[test]
fn results_of_the_callback() {
    let mut play = Play::fresh(&[]);
    play.filter.negotiate = (status::ALL_OPTS, Some(0x7f));
    assert_eq!(answer(&mut play, OFFER), Some(vec![6, 0x1ff, step::SKIP]));
    let mut play = Play::fresh(&[]);
    play.filter.negotiate = (status::CONTINUE, Some(step::NR_HDR | step::SKIP));
    assert_eq!(answer(&mut play, OFFER), Some(vec![6, 0x1ff, step::NR_HDR | step::SKIP]));
    for result in [status::REJECT, status::NOREPLY, status::ACCEPT, -1, 11] {
        let mut play = Play::fresh(&[]);
        play.filter.negotiate = (result, None);
        assert_eq!(answer(&mut play, OFFER), None, "{result}");
        let text = format!("st_optionneg[1]: xxfi_negotiate returned {result} ");
        assert!(play.reports()[0].starts_with(&text));
        assert_eq!(play.finish(), "close");
    }
}

#[test]
fn failures_are_logged_and_close_the_connection() {
    for (offered, reason) in [
        ([1, 0x1ff, 0x1f_ffff], "protocol version too old 1 < 2"),
        ([6, 0x0f, 0x1f_ffff], "0xf does not fulfill action requirements 0x1ff"),
    ] {
        let mut play = Play::fresh(&[Command::Negotiate]);
        assert_eq!(answer(&mut play, offered), None);
        let reports = play.reports();
        assert_eq!(reports[0], format!("st_optionneg[1]: {reason}"));
        assert!(reports[1].starts_with("session 1: this MTA "), "{reports:?}");
        assert_eq!(play.finish(), "close");
    }
    let mut play = Play::fresh(&[]);
    assert_eq!(play.packet(b'O', &offer(OFFER)[..11]).0, Flow::Close);
    assert_eq!(play.reports(), ["st_optionneg[1]: len too short 11 < 12"]);
}

#[test]
fn promises_of_silence_that_the_mta_does_not_know_are_kept_for_it() {
    let mut play = Play::fresh(&[]);
    play.filter.negotiate.1 = Some(step::NR_ALL);
    assert_eq!(
        answer(&mut play, [2, 0x3f, 0x7f | step::NR_HDR]),
        Some(vec![2, 0x3f, step::NR_HDR])
    );
    for command in [Command::Connect, Command::Mail, Command::Rcpt, Command::Header] {
        play.returns(command, status::NOREPLY);
    }
    play.check(&[
        ("Ch|U", "connect h| Unknown > c"),
        ("M<a>|", "envfrom <a>| > c"),
        ("R<b>|", "envrcpt <b>| > c"),
        ("Ln|v|", "header n|v|"),
    ]);
    assert_eq!(play.reports(), [""; 0]);
    play.returns(Command::Eoh, status::ACCEPT);
    // The MTA knows nothing of the promise for body chunks, so it has to be told.
    play.check(&[("N", "eoh > c"), ("Ln|v|", ""), ("Bx", "> a"), ("E", "> a")]);
}

#[test]
fn lists_of_macros_go_to_mtas_that_take_them() {
    let set_lists = |context: &crate::session::Context, command: Command| {
        if command == Command::Negotiate {
            context.set_symbol_list(3, b"{rcpt_addr} j").unwrap();
            context.set_symbol_list(0, b"j").unwrap();
            context.set_symbol_list(6, b"").unwrap();
            assert!(context.set_symbol_list(0, b"k").is_err(), "one list a stage");
            assert!(context.set_symbol_list(7, b"k").is_err());
            assert!(context.set_symbol_list(-1, b"k").is_err());
        }
    };
    let lists = b"\0\0\0\0j\0\0\0\0\x03{rcpt_addr} j\0\0\0\0\x06\0";
    // What counts is the MTA's offer, not whether the filter asked for the action.
    for (offered, granted, want) in
        [(0x1ff, 0x1ff, &lists[..]), (0x1ff, 0xff, lists), (0xff, 0xff, b"")]
    {
        let mut play = Play::fresh(&[]);
        play.act(set_lists);
        play.filter.traits.actions = granted;
        let (_, _, responses) = play.packet(b'O', &offer([6, offered, 0x1f_ffff]));
        assert_eq!(&responses[0].1[12..], want, "{offered:x}");
    }
}

#[test]
fn macros_sent_before_negotiation_are_lost() {
    let mut play = Play::fresh(&[]);
    play.act(|context, command| {
        if command != Command::Negotiate {
            assert!(context.macro_value(b"j", |_| ()).is_none());
        }
    });
    play.check(&[("DCj|mx|", "")]);
    assert!(answer(&mut play, OFFER).is_some());
    play.check(&[("Ch|U", "connect h| Unknown > c")]);
}

/// One MTA's data size is not another's.
#[test]
fn a_negotiated_data_size_is_the_sessions_own() {
    let mut large = Play::fresh(&[]);
    large.filter.traits.mds = true;
    let offered = [6, 0x1ff, 0x1f_ffff | step::MDS_1M | step::MDS_256K];
    assert_eq!(answer(&mut large, offered), Some(vec![6, 0x1ff, step::MDS_1M]));
    assert_eq!(large.session.context().max_data_size(), 1_048_575);
    assert_eq!(large.limit.load(std::sync::atomic::Ordering::Relaxed), 65_535);
    let mut plain = Play::fresh(&[]);
    assert_eq!(answer(&mut plain, offered), Some(vec![6, 0x1ff, 0]));
    assert_eq!(plain.session.context().max_data_size(), 65_535);
    plain.limit.store(7, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(plain.session.context().max_data_size(), 7, "the process-wide limit holds at once");
}

#[test]
fn without_negotiation_no_action_is_granted() {
    let mut play = Play::fresh(&[]);
    play.act(|context, command| {
        if command == Command::Eom {
            assert!(context.add_header(Some(b"X"), Some(b"v")).is_err());
        }
    });
    play.check(&[("M<a>|", "envfrom <a>| > c"), ("R<b>|", "envrcpt <b>| > c"), ("E", "eom > c")]);
}
