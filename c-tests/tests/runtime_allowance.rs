//! What an administrator allows peers: sessions, bytes, time to the first packet.

use super::runtime_support::{Filter, Session, eventually};
use c_tests::Linkage;
use c_tests::differences::assert_ours;
use rustix::process::Signal;

fn filter_with(variables: &[(&str, &str)], spec: &str) -> Filter {
    let mut command = Linkage::OursDynamic.command(&super::runtime_support::program()).unwrap();
    command.envs(variables.iter().copied());
    let filter = Filter::launch_command(command, spec, &[]);
    filter.wait_for("ready ");
    filter
}

const UNIX: &str = "unix:{dir}/socket";

/// A connection that asks to be served.
fn asking(filter: &Filter) -> Session {
    let mut session = Session { client: filter.connect() };
    session.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    session.client.flush().unwrap();
    session
}

/// A connection that is refused: what it is told, then the end.
fn refused(filter: &Filter) {
    let mut session = Session { client: filter.connect() };
    assert_eq!(session.reply(), 't');
    session.closed();
}

/// The TCP port on which a filter listens.
pub(crate) fn port(filter: &Filter) -> u16 {
    ports(filter)[0]
}

/// All of them.
pub(crate) fn ports(filter: &Filter) -> Vec<u16> {
    let dir = format!("/proc/{}/fd", filter.milter.pid());
    let files = std::fs::read_dir(dir).unwrap().flatten();
    let targets: Vec<_> = files.filter_map(|file| std::fs::read_link(file.path()).ok()).collect();
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let listens = sockets.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_its =
            targets.iter().any(|t| t.as_os_str() == format!("socket:[{}]", fields[9]).as_str());
        let port = fields[1].rsplit(':').next().unwrap();
        (fields[3] == "0A" && is_its).then(|| u16::from_str_radix(port, 16).unwrap())
    });
    listens.collect()
}

fn lines(log: &[String], variable: &str) -> usize {
    log.iter().filter(|line| line.contains(variable)).count()
}

#[test]
fn connections_over_the_limit_wait_for_a_session_to_end() {
    for mode in ["pool", "session"] {
        let variables = [("LIBMILTER_MAX_SESSIONS", "3"), ("LIBMILTER_THREADS", mode)];
        let filter = filter_with(&variables, UNIX);
        let served: Vec<Session> = (0..3).map(|n| filter.session(&format!("s{n}"))).collect();
        let mut waiting: Vec<Session> = (0..6).map(|_| asking(&filter)).collect();
        // Those that have been accepted are served as ever.
        for mut session in served {
            session.mail();
            session.rest();
            assert!(filter.log().len() <= 1, "{:?}", filter.log());
            session.quit();
        }
        while !waiting.is_empty() {
            // Whichever come first: three at a time.
            let rest = waiting.split_off(waiting.len().min(3));
            for mut session in waiting {
                assert_eq!(session.reply(), 'O');
                session.quit();
            }
            waiting = rest;
        }
        let (_, log) = filter.stop();
        assert_eq!((log.len(), lines(&log, "LIBMILTER_MAX_SESSIONS")), (1, 1), "{log:?}");
    }
}

/// They hear that they failed for now, where the reference resets what nobody has accepted.
#[test]
fn connections_that_wait_at_a_stop_are_answered() {
    let filter = filter_with(&[("LIBMILTER_MAX_SESSIONS", "1")], UNIX);
    let mut first = filter.session("first");
    first.mail();
    let mut waiting = Session { client: filter.connect() };
    eventually("it waits", || lines(&filter.log(), "LIBMILTER_MAX_SESSIONS") == 1);
    filter.signal(Signal::TERM);
    assert_ours("D38", waiting.reply(), 't');
    waiting.closed();
    first.rest();
    first.closed();
    assert_eq!(filter.returned(1).0, "0");
    filter.end();
}

#[test]
fn connections_over_the_limit_fail_for_now_where_that_was_chosen() {
    let variables = [("LIBMILTER_MAX_SESSIONS", "2"), ("LIBMILTER_SURPLUS", "tempfail")];
    let filter = filter_with(&variables, UNIX);
    let first = filter.session("first");
    let mut second = filter.session("second");
    (0..20).for_each(|_| refused(&filter));
    second.mail();
    second.rest();
    first.quit();
    filter.wait_for("first closed");
    // Its session has ended once its close callback has returned, which is told a moment before.
    let third = (0..).find_map(|_| {
        let mut session = asking(&filter);
        (session.reply() == 'O').then_some(session)
    });
    refused(&filter);
    third.unwrap().quit();
    second.quit();
    let (_, log) = filter.stop();
    assert_eq!((log.len(), lines(&log, "LIBMILTER_MAX_SESSIONS")), (1, 1), "{log:?}");
}

#[test]
fn a_peer_over_its_own_limit_fails_for_now() {
    let variables = [("LIBMILTER_MAX_SESSIONS_PER_PEER", "2")];
    let mut filter = filter_with(&variables, "inet:0@127.0.0.1");
    filter.spec = format!("inet:{}@127.0.0.1", port(&filter)).parse().unwrap();
    let sessions: Vec<Session> = (0..2).map(|n| filter.session(&format!("s{n}"))).collect();
    (0..5).for_each(|_| refused(&filter));
    sessions.into_iter().for_each(Session::quit);
    let again = (0..).find_map(|_| {
        let mut session = asking(&filter);
        (session.reply() == 'O').then_some(session)
    });
    again.unwrap().quit();
    let (_, log) = filter.stop();
    assert_eq!(lines(&log, "127.0.0.1 has 2 sessions open"), 1, "{log:?}");
    assert_eq!(log.len(), 1, "{log:?}");
}

#[test]
fn a_session_that_has_more_to_keep_than_is_allowed_is_closed() {
    let filter = filter_with(&[("LIBMILTER_MAX_SESSION_BYTES", "20000")], UNIX);
    let other = filter.session("other");
    let value = "x".repeat(8000);
    let mut greedy = filter.session("greedy");
    for stage in ["C", "H"] {
        greedy.send(b'D', &[&format!("{stage}name"), &value]);
    }
    assert_eq!(greedy.ask(b'H', &["me"]), 'c');
    greedy.send(b'D', &["Mname", &value]);
    assert_eq!(greedy.reply(), 't');
    greedy.closed();
    filter.wait_for("greedy closed");
    // Half a packet counts as well.
    let mut half = filter.session("half");
    half.mail();
    half.client.send_raw(b"\0\0\xff\x00B").unwrap();
    half.client.send_raw(&[b'x'; 30_000]).unwrap();
    assert_eq!(half.reply(), 't');
    half.closed();
    filter.wait_for("half closed");
    other.deliver();
    let (_, log) = filter.stop();
    assert_eq!((log.len(), lines(&log, "LIBMILTER_MAX_SESSION_BYTES")), (1, 1), "{log:?}");
}

#[test]
fn a_peer_that_does_not_begin_is_cut() {
    for mode in ["pool", "session"] {
        let variables = [("LIBMILTER_FIRST_PACKET_SECONDS", "1"), ("LIBMILTER_THREADS", mode)];
        let filter = filter_with(&variables, UNIX);
        let begun = filter.session("begun");
        let mut mute = Session { client: filter.connect() };
        let mut half = Session { client: filter.connect() };
        half.client.send_raw(b"\0\0\0\x0dO").unwrap();
        mute.closed();
        half.closed();
        // Whoever has begun has the usual time.
        begun.deliver();
        let (_, log) = filter.stop();
        assert_eq!(lines(&log, "from the MTA within 1 s"), 2, "{log:?}");
    }
}
