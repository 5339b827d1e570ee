//! Why sessions end and connections are refused, as LIBMILTER_STATS counts it.

use super::runtime_support::{Session, eventually};
use super::statistics_support::{Counted, numbers};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

fn ended(counted: &Counted, reason: &str) -> u64 {
    counted.number(&format!("libmilter_sessions_ended_total{{reason=\"{reason}\"}}"))
}

fn refused(counted: &Counted, reason: &str) -> u64 {
    counted.number(&format!("libmilter_refused_total{{reason=\"{reason}\"}}"))
}

fn calls(counted: &Counted, stage: &str) -> u64 {
    counted.number(&format!("libmilter_callback_duration_seconds_count{{stage=\"{stage}\"}}"))
}

/// Its callback has no end, but a length.
#[test]
fn a_callback_that_ends_its_thread() {
    for mode in ["pool", "session"] {
        let counted = Counted::start(&[("LIBMILTER_THREADS", mode)], &[]);
        let mut session = counted.filter.session("leaves");
        session.task("envfrom", "pthread_exit");
        assert_eq!(session.ask(b'M', &["<a@example.org>"]), 't');
        session.closed();
        eventually("it is counted", || ended(&counted, "callback_ended_thread") == 1);
        assert_eq!([calls(&counted, "mail"), calls(&counted, "abort")], [1, 0]);
        let tempfailed = "libmilter_messages_ended_total{result=\"tempfailed\"}";
        assert_eq!(counted.number(tempfailed), 1);
        assert_eq!(counted.number("libmilter_callbacks_under_way{stage=\"mail\"}"), 0);
        counted.filter.stop();
    }
}

/// The MTA's answer counts, and what the callback returns later does not.
#[test]
fn a_callback_that_is_answered_for() {
    let counted = Counted::start(&[("LIBMILTER_CALLBACK_LIMIT", "1")], &[]);
    let pipe = counted.filter.pipe();
    let mut session = counted.filter.session("slow");
    session.task("envfrom", &pipe.block());
    assert_eq!(session.ask(b'M', &["<a@example.org>"]), 't');
    let tempfailed = "libmilter_verdicts_total{stage=\"mail\",verdict=\"tempfail\"}";
    assert_eq!([counted.number(tempfailed), calls(&counted, "mail")], [1, 0]);
    pipe.release();
    eventually("it has returned", || calls(&counted, "mail") == 1);
    assert_eq!(counted.number(tempfailed), 1);
    assert_eq!(counted.number("libmilter_verdicts_total{stage=\"mail\",verdict=\"continue\"}"), 0);
    assert_eq!(counted.number("libmilter_messages_ended_total{result=\"tempfailed\"}"), 1);
    session.quit();
    counted.filter.stop();
}

#[test]
fn connections_that_are_refused() {
    let variables = [
        ("LIBMILTER_MAX_SESSIONS", "2"),
        ("LIBMILTER_SURPLUS", "tempfail"),
        ("LIBMILTER_MAX_SESSION_BYTES", "9000"),
    ];
    let counted = Counted::start(&variables, &[]);
    let (first, mut second) = (counted.filter.session("first"), counted.filter.session("second"));
    for n in 1..=3 {
        let mut refused = Session { client: counted.filter.connect() };
        assert_eq!(refused.reply(), 't');
        refused.closed();
        let name = "libmilter_refused_total{reason=\"max_sessions\"}";
        assert_eq!(counted.number(name), n);
    }
    assert_eq!(counted.number("libmilter_sessions_limit"), 2);
    second.send(b'D', &["Cname", &"x".repeat(10_000)]);
    assert_eq!(second.reply(), 't');
    second.closed();
    assert_eq!([refused(&counted, "max_session_bytes"), ended(&counted, "other")], [1, 1]);
    first.quit();
    counted.filter.stop();
}

/// A connection that waits is one of the reasons to look, however long it waits.
#[test]
fn connections_that_wait() {
    let counted = Counted::start(&[("LIBMILTER_MAX_SESSIONS", "1")], &[]);
    let first = counted.filter.session("first");
    let waits = counted.filter.connect();
    eventually("it waits", || refused(&counted, "max_sessions") > 0);
    first.quit();
    drop(waits);
    counted.filter.stop();
}

#[test]
fn log_lines_that_are_left_out() {
    let counted = Counted::start(&[], &[]);
    let name = "libmilter_log_lines_left_out_total";
    let mut sent = 0;
    // 200 in ten seconds are written.
    while counted.number(name) == 0 {
        for _ in 0..50 {
            let mut session = Session { client: counted.filter.connect() };
            session.client.send_raw(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            session.closed();
            sent += 1;
        }
        assert!(sent < 5000, "so many are never written");
    }
    let (left_out, ended) = (counted.number(name), ended(&counted, "not_milter_protocol"));
    assert_eq!(ended, sent);
    let written = counted.filter.log().iter().filter(|line| line.contains("HTTP")).count() as u64;
    assert_eq!(written + left_out, sent);
    counted.filter.stop();
}

/// Who asks waits as MTAs do, until a descriptor is there.
#[test]
fn no_descriptors_are_left() {
    let counted = Counted::start(&[], &["nofile=30"]);
    let clients: Vec<_> = (0..40).map(|_| counted.filter.connect()).collect();
    let failed = |line: &String| line.contains("accept() failed");
    eventually("none are left", || counted.filter.log().iter().any(failed));
    let mut asking = UnixStream::connect(counted.path()).unwrap();
    asking.write_all(b"GET /metrics\n").unwrap();
    drop(clients);
    let mut text = String::new();
    asking.read_to_string(&mut text).unwrap();
    assert!(numbers(&text)["libmilter_refused_total{reason=\"accept_failed\"}"] >= 1.0);
    counted.filter.stop();
}
