//! Peers that do not read what they are sent: they cost no thread, and nobody else anything.

use super::runtime_support::{BOUND, Filter, Session, eventually};
use rustix::process::Resource;

/// Commands that such a peer sends at once, with more replies than a socket has room for.
const COMMANDS: usize = 4000;

/// How many there are; others for a measurement.
fn peers() -> usize {
    std::env::var("DEAF_PEERS").map_or(100, |peers| peers.parse().unwrap())
}

/// A filter that may have only so many threads.
fn with_limit(threads: usize, options: &[&str]) -> Filter {
    Filter::start_env(&[("LIBMILTER_MAX_THREADS", &threads.to_string())], options)
}

fn own_threads() -> bool {
    module_path!().contains("::runtime_own_threads::")
}

/// A session that has sent more than it reads the replies to.
fn deaf(filter: &Filter, name: &str) -> Session {
    let mut session = filter.session(name);
    for _ in 0..COMMANDS {
        session.client.queue_strings(b'H', &["me"]);
    }
    session.client.flush().unwrap();
    session
}

fn whole_message(filter: &Filter, name: &str) {
    let session = filter.session(name);
    session.deliver();
}

/// kB of memory that a process has.
pub(crate) fn memory(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// With `DEAF_PEERS=2000` and `--nocapture`, what they cost.
#[test]
fn peers_that_do_not_read_hold_no_threads() {
    let limit = rustix::process::getrlimit(Resource::Nofile).maximum;
    let descriptors = rustix::process::Rlimit { current: limit, maximum: limit };
    rustix::process::setrlimit(Resource::Nofile, descriptors).unwrap();
    let peers = peers();
    let filter = with_limit(if own_threads() { peers + 3 } else { 3 }, &["nofile=4000"]);
    let mut honest = filter.session("honest");
    let before = memory(filter.milter.pid());
    let mut deaf: Vec<Session> = (0..peers).map(|n| deaf(&filter, &format!("deaf{n}"))).collect();
    for n in 0..5 {
        honest.mail();
        honest.rest();
        whole_message(&filter, &format!("new{n}"));
    }
    let (threads, after) = (filter.threads(), memory(filter.milter.pid()));
    println!("{peers} peers that do not read: {threads} threads, {before} kB before, {after} kB");
    if !own_threads() {
        assert!(threads <= 3 + 2, "{threads}");
        // Sixteen for what has arrived, as much for all else.
        assert!(after < before + 32 * peers + 4000, "{before} kB, then {after} kB");
    }
    // Nothing is lost, and those who read late are served like others.
    for session in deaf.iter_mut().take(5) {
        for _ in 0..COMMANDS {
            assert_eq!(session.reply(), 'c');
        }
        session.mail();
        session.rest();
    }
    // None of the others has a message in hand, so nobody waits for them.
    let (_, log) = filter.stop();
    assert_eq!(log, [""; 0]);
}

/// A stop does not wait for messages whose MTA has stopped reading.
#[test]
fn a_stop_does_not_wait_for_peers_that_do_not_read() {
    let filter = Filter::start(&["trace=1"]);
    let mut session = filter.session("deaf");
    session.mail();
    for _ in 0..COMMANDS {
        session.client.queue_strings(b'R', &["<c@example.org>"]);
    }
    session.client.flush().unwrap();
    // It is stuck when nothing has come for longer than a stop takes MTAs for slow.
    let clock = Filter::start(&["timeout=2"]);
    clock.session("clock").closed();
    clock.stop();
    assert!(filter.count("deaf envrcpt") < COMMANDS);
    filter.signal(rustix::process::Signal::TERM);
    assert_eq!(filter.returned(1).0, "0");
    let (events, log) = filter.end();
    assert!(events.contains(&"deaf abort".to_owned()), "{events:?}");
    assert!(!log.iter().any(|line| line.contains("still open")), "{log:?}");
}

#[test]
fn a_peer_that_does_not_read_replies_is_cut_when_its_time_is_over() {
    let filter = Filter::start(&["timeout=1"]);
    let session = deaf(&filter, "deaf");
    filter.wait_for("deaf closed");
    drop(session);
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("the MTA did not take a response within 1 s"), "{log:?}");
}

/// The callback waits, as its call may; the log does not say that it was the filter's fault.
#[test]
fn a_callback_that_waits_for_its_mta_is_not_taken_for_a_slow_one() {
    let filter = Filter::start(&[]);
    let mut session = filter.session("deaf");
    session.task("eom", "body");
    session.mail();
    session.send(b'E', &[]);
    // More than half of what a socket has room for.
    eventually("the socket is full", || {
        rustix::io::ioctl_fionread(&session.client).unwrap() > 120_000
    });
    whole_message(&filter, "other");
    filter.signal(rustix::process::Signal::TERM);
    assert_eq!(filter.returned(1).0, "0");
    let rest = session.client.read_to_end(BOUND).unwrap();
    assert!(rest.len() < 8 << 20, "{}", rest.len());
    let (events, log) = filter.end();
    assert!(events.contains(&"deaf replacebody -1".to_owned()), "{events:?}");
    assert!(!log.iter().any(|line| line.contains("has not returned")), "{log:?}");
    assert!(log.iter().any(|line| line.contains("write to the MTA failed")), "{log:?}");
}
