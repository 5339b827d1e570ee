//! LIBMILTER_THREADS=session: one thread for a session, from its first callback to its last.
//!
//! What holds with the pool holds here, too: the tests of timeouts, stopping and many sessions at once
//! run again. In each of them the filter checks in every callback that the session's thread is the one
//! it began on, and that the thread had no session before.

#![allow(clippy::duplicate_mod, reason = "the copies run with another mode of the library")]

#[path = "runtime_support/mod.rs"]
mod runtime_support;

#[path = "runtime_arrival.rs"]
mod arrival;
#[path = "runtime_concurrency.rs"]
mod concurrency;
#[path = "runtime_leave.rs"]
mod leave;
#[path = "runtime_peers.rs"]
mod peers;
#[path = "runtime_slow.rs"]
mod slow;
#[path = "runtime_stop.rs"]
mod stop;
#[path = "runtime_stress.rs"]
mod stress;
#[path = "runtime_stuck.rs"]
mod stuck;
#[path = "runtime_timeouts.rs"]
mod timeouts;

use c_tests::Linkage;
use runtime_support::{Filter, Session, eventually};
use rustix::process::Signal;

/// A filter that gives sessions threads of their own, unless told otherwise.
fn filter_with(variables: &[(&str, &str)], options: &[&str]) -> Filter {
    let mut command = Linkage::OursDynamic.command(&runtime_support::program()).unwrap();
    command.env("LIBMILTER_THREADS", "session").envs(variables.iter().copied());
    let filter = Filter::launch_command(command, "unix:{dir}/socket", options);
    filter.wait_for("ready ");
    filter
}

/// What a filter has kept by thread is freed when the session ends, not when the run does.
#[test]
fn the_thread_begins_and_ends_with_the_session() {
    let filter = filter_with(&[], &["own=1"]);
    let mut sessions: Vec<Session> = (0..20).map(|n| filter.session(&format!("s{n}"))).collect();
    // Main, signals, and the one that accepts connections.
    assert_eq!(filter.threads(), 20 + 3);
    for _ in 0..2 {
        for session in &mut sessions {
            session.mail();
        }
        for session in &mut sessions {
            session.rest();
        }
    }
    for (n, session) in sessions.into_iter().enumerate() {
        session.quit();
        filter.wait_for(&format!("thread ended of s{n}"));
        assert_eq!(filter.count(&format!("s{n} closed after {}", 2 + 2 * 7)), 1);
    }
    eventually("no thread is left without a session", || filter.threads() == 3);
    filter.stop();
}

/// The threads have run what is registered for their end before smfi_main returns.
#[test]
fn no_thread_is_left_when_smfi_main_returns() {
    let filter = filter_with(&[], &["own=1"]);
    let sessions: Vec<Session> = (0..20).map(|n| filter.session(&format!("s{n}"))).collect();
    filter.signal(Signal::TERM);
    let (result, after) = filter.returned(1);
    assert_eq!((result.as_str(), after.threads), ("0", 1));
    let events = filter.events();
    let end = events.iter().position(|event| event.starts_with("main returned")).unwrap();
    let ended = |n: &usize| events[..end].contains(&format!("thread ended of s{n}"));
    assert_eq!((0..20).filter(ended).count(), 20, "{events:?}");
    drop(sessions);
    filter.end();
}

#[test]
fn sessions_over_the_limit_wait_for_a_thread() {
    let filter = filter_with(&[("LIBMILTER_MAX_THREADS", "2")], &["own=1"]);
    let first = filter.session("first");
    let second = filter.session("second");
    let mut third = Session { client: filter.connect() };
    third.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    third.client.flush().unwrap();
    assert_eq!(filter.threads(), 2 + 3);
    first.quit();
    assert_eq!(third.reply(), 'O');
    eventually("the first session's thread is gone", || filter.threads() == 2 + 3);
    second.quit();
    third.quit();
    filter.stop();
}

#[test]
fn an_unknown_value_is_named_and_does_no_harm() {
    let filter = filter_with(&[("LIBMILTER_THREADS", "sesion")], &[]);
    filter.session("s").quit();
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 1, "{log:?}");
    let line = "LIBMILTER_THREADS=sesion is neither pool nor session; pool is used";
    assert!(log[0].contains(line), "{log:?}");
}
