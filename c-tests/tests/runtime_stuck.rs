//! A stop while callbacks do not return: it ends in time, and says what it leaves behind.

use super::runtime_support::{Filter, Session, eventually};
use c_tests::differences::assert_ours;
use rustix::process::Signal;

#[test]
fn a_callback_that_never_returns_is_named_and_left_behind() {
    let filter = Filter::start(&["trace=1"]);
    let pipe = filter.pipe();
    let mut stuck = filter.session("stuck");
    stuck.task("header", &pipe.block());
    stuck.mail();
    // More packets wait in the same buffer; their callbacks must not run once smfi_main is back.
    for _ in 0..3 {
        stuck.client.queue_strings(b'L', &["Name", "value"]);
    }
    stuck.client.flush().unwrap();
    filter.wait_for("stuck blocked");
    let mut idle = filter.session("idle");
    filter.signal(Signal::INT);
    idle.closed();
    assert_eq!(filter.returned(1).0, "0");
    let log = filter.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("xxfi_header") && log[0].contains("session "), "{log:?}");
    eventually("main and the one that is stuck are left", || filter.threads() == 2);
    pipe.release();
    stuck_is_over(&filter);
    let (events, _) = filter.end();
    let after: Vec<_> = events.iter().skip_while(|e| !e.starts_with("main returned")).collect();
    let of_session: Vec<_> = after.iter().filter(|e| e.starts_with("stuck")).collect();
    assert_eq!(of_session, [&&"stuck released".to_owned()], "no callback after smfi_main");
}

#[test]
fn a_close_callback_that_never_returns_is_named_and_left_behind() {
    let filter = Filter::start(&[]);
    let pipe = filter.pipe();
    let mut stuck = filter.session("stuck");
    stuck.task("close", &pipe.block());
    let mut others: Vec<_> = (0..20).map(|n| filter.session(&format!("other{n}"))).collect();
    filter.signal(Signal::TERM);
    // Those that come after the blocked one in its loop are closed all the same.
    for other in &mut others {
        other.closed();
    }
    assert_eq!(filter.returned(1).0, "0");
    let log = filter.log();
    assert!(log.iter().any(|line| line.contains("xxfi_close has not returned")), "{log:?}");
    pipe.release();
    stuck_is_over(&filter);
    let (events, _) = filter.end();
    assert_eq!(events.iter().filter(|e| e.starts_with("other")).count(), 20);
}

fn stuck_is_over(filter: &Filter) {
    filter.wait_for("stuck released");
    eventually("the thread left behind ends", || filter.threads() == 1);
}

/// Packets that have arrived are not worked off when everything is to end at once.
#[test]
fn no_new_callback_of_a_message_begins_after_int() {
    let filter = Filter::start(&["trace=1"]);
    let pipe = filter.pipe();
    let mut session = filter.session("s");
    session.task("header", &pipe.block());
    session.mail();
    for _ in 0..3 {
        session.client.queue_strings(b'L', &["Name", "value"]);
    }
    session.client.flush().unwrap();
    filter.wait_for("s blocked");
    let mut idle = filter.session("idle");
    filter.signal(Signal::INT);
    filter.wait_for("idle closed");
    idle.closed();
    pipe.release();
    assert_eq!(filter.returned(1).0, "0");
    let (events, _) = filter.end();
    let headers = events.iter().filter(|e| *e == "s header").count();
    assert_eq!(headers, 1, "{events:?}");
    assert!(events.contains(&"s abort".to_owned()), "{events:?}");
}

/// Ten seconds are what service managers give. Without the variable it takes seven, so that four show that
/// it counts.
#[test]
fn a_stop_ends_in_time_whatever_callbacks_do() {
    for (variables, seconds) in [(&[][..], 10), (&[("LIBMILTER_STOP_SECONDS", "1")], 4)] {
        let filter = Filter::start_env(variables, &[]);
        let pipe = filter.pipe();
        let mut sessions: Vec<_> = ["eom", "close"]
            .map(|callback| {
                let mut session = filter.session(callback);
                session.task(callback, &pipe.block());
                session
            })
            .into();
        let mut silent = filter.session("silent");
        silent.mail();
        sessions[0].mail();
        sessions[0].send(b'E', &[]);
        filter.wait_for("eom blocked");
        let start = std::time::Instant::now();
        filter.signal(Signal::TERM);
        assert_eq!(filter.returned(1).0, "0");
        let took = start.elapsed().as_secs();
        assert_ours("D81", took < seconds, true);
        let log = filter.log();
        for line in ["sessions are still open", "xxfi_eom has not returned", "xxfi_close has not"] {
            assert!(log.iter().any(|l| l.contains(line)), "{log:#?}");
        }
        pipe.release();
        filter.end();
    }
}

/// They take a twentieth of a second, where a message in hand has five seconds.
#[test]
fn idle_sessions_hold_up_no_stop() {
    let filter = Filter::start(&[]);
    let mut sessions: Vec<_> = (0..20).map(|n| filter.session(&format!("s{n}"))).collect();
    let start = std::time::Instant::now();
    filter.signal(Signal::TERM);
    assert_eq!(filter.returned(1).0, "0");
    assert!(start.elapsed().as_secs() < 3, "{:?}", start.elapsed());
    sessions.iter_mut().for_each(Session::closed);
    filter.end();
}

#[test]
fn a_budget_that_is_none_is_told_of() {
    for value in ["0", "-1", "soon", ""] {
        let filter = Filter::start_env(&[("LIBMILTER_STOP_SECONDS", value)], &[]);
        filter.session("served").quit();
        let (_, log) = filter.stop();
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains("is not a positive number; 8 is used"), "{log:?}");
    }
}
