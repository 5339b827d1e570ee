//! Callbacks that end their thread, by pthread_exit or by being cancelled.

use c_tests::Linkage;
use c_tests::differences::assert_ours;

use super::runtime_support::{Filter, Session, eventually};

const WAYS: [&str; 5] = ["pthread_exit", "cancel", "cancel-late", "cancel-call", "cancel-off"];

/// A callback, what makes the MTA call it within a message, and whether it is answered.
const CALLBACKS: [(&str, u8, &str, bool); 8] = [
    ("envrcpt", b'R', "<c>", true),
    ("data", b'T', "", true),
    ("header", b'L', "Name", true),
    ("eoh", b'N', "", true),
    ("body", b'B', "text", true),
    ("eom", b'E', "", true),
    ("abort", b'A', "", false),
    ("close", b'Q', "", false),
];

/// Brings a session before the command that calls a callback.
fn begin(session: &mut Session, callback: &str) {
    assert_eq!(session.ask(b'M', &["<a>"]), 'c');
    let before: [(u8, &[&str]); 5] =
        [(b'R', &["<b>"]), (b'T', &[]), (b'L', &["A", "b"]), (b'N', &[]), (b'B', &["x"])];
    let steps = match callback {
        "envrcpt" => 0,
        "data" => 1,
        "header" | "abort" | "close" => 2,
        "eoh" => 3,
        "body" => 4,
        _ => 5,
    };
    for (letter, strings) in &before[..steps] {
        assert_eq!(session.ask(*letter, strings), 'c');
    }
}

/// Plays all callbacks with one way of ending the thread.
fn costs_its_session_only(linkage: Linkage, way: &str) {
    // In the others the callback has returned before.
    let unwinds = matches!(way, "pthread_exit" | "cancel");
    let filter = Filter::start_with(linkage, &[]);
    let mut others: Vec<_> = (0..4).map(|n| filter.session(&format!("other{n}"))).collect();
    for other in &mut others {
        other.mail();
    }
    for (callback, letter, argument, answered) in CALLBACKS {
        let mut session = filter.session(callback);
        session.task(callback, way);
        begin(&mut session, callback);
        match argument {
            "" => session.send(letter, &[]),
            "Name" => session.send(letter, &["Name", "value"]),
            argument => session.send(letter, &[argument]),
        }
        if answered {
            let reply = session.reply();
            let own_text = way == "cancel-call";
            assert_ours("D80", reply, if own_text { 'y' } else { 't' });
        }
        session.closed();
        if callback != "close" {
            filter.wait_for(&format!("{callback} closed"));
        }
    }
    for other in &mut others {
        other.rest();
    }
    let mut late = filter.session("late");
    late.mail();
    late.rest();
    filter.signal(rustix::process::Signal::TERM);
    let (result, after) = filter.returned(1);
    assert_eq!((result.as_str(), after.threads), ("0", 1));
    let (events, log) = filter.end();
    for (callback, ..) in CALLBACKS {
        let left = events.iter().filter(|e| **e == format!("{callback} left")).count();
        assert_eq!(left, usize::from(unwinds), "{way} {callback}");
        let name = format!("xxfi_{callback} has ended its thread");
        assert_eq!(log.iter().filter(|line| line.contains(&name)).count(), 1, "{log:#?}");
    }
    // A close callback that has left has not cleared its private data, of which two lines tell.
    let uncleared = 2 * usize::from(way != "cancel-off");
    assert_eq!(log.len(), CALLBACKS.len() + uncleared, "{log:#?}");
}

#[test]
fn a_callback_that_ends_its_thread_costs_its_session_only() {
    for linkage in [Linkage::OursDynamic, Linkage::OursStatic] {
        WAYS.iter().for_each(|way| costs_its_session_only(linkage, way));
    }
}

/// Its loop was taken away, or, later, it did not run in one at all.
#[test]
fn a_callback_that_has_blocked_may_end_its_thread() {
    let filter = Filter::start(&[]);
    for round in 0..3 {
        let pipe = filter.pipe();
        let mut sessions: Vec<_> = (0..4)
            .map(|n| {
                let mut session = filter.session(&format!("r{round}s{n}"));
                session.task("envfrom", &pipe.block().replace("block", "block-exit"));
                session.send(b'M', &["<a>"]);
                session
            })
            .collect();
        filter.wait_until_blocked(&format!("r{round}"), sessions.len());
        pipe.release();
        for session in &mut sessions {
            assert_eq!(session.reply(), 't');
            session.closed();
        }
        let other = filter.session("other");
        other.deliver();
    }
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 12, "{log:#?}");
}

/// What the filter has registered for a thread's end may take as long as it likes.
#[test]
fn a_thread_that_does_not_end_holds_up_nobody() {
    let filter = Filter::start_env(&[("LIBMILTER_STOP_SECONDS", "2")], &[]);
    let pipe = filter.pipe();
    let mut session = filter.session("s");
    session.task("envfrom", &pipe.block().replace("block", "at-end-exit"));
    assert_eq!(session.ask(b'M', &["<a>"]), 't');
    filter.wait_for("thread end blocked");
    // The supervisor is needed for these: they block the loops.
    let other_pipe = filter.pipe();
    let mut blocked: Vec<_> = (0..4)
        .map(|n| {
            let mut session = filter.session(&format!("b{n}"));
            session.task("envfrom", &other_pipe.block());
            session.send(b'M', &["<a>"]);
            session
        })
        .collect();
    filter.wait_until_blocked("b", blocked.len());
    other_pipe.release();
    for session in &mut blocked {
        assert_eq!(session.reply(), 'c');
        session.send(b'Q', &[]);
        session.closed();
    }
    filter.signal(rustix::process::Signal::TERM);
    assert_eq!(filter.returned(1).0, "0");
    let log = filter.log();
    assert!(log.iter().any(|line| line.contains("1 threads have not ended")), "{log:#?}");
    assert_eq!(filter.count("thread end released"), 0);
    pipe.release();
    filter.wait_for("thread end released");
    eventually("the thread left behind ends", || filter.threads() == 1);
    filter.end();
}
