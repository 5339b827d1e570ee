//! Ten thousand idle sessions, and peers that are no MTAs.

use crate::runtime_support::{BOUND, Filter, Session, eventually};
use c_tests::differences::assert_ours;
use milter_mta::Client;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

/// Threads that may exist while nothing is going on, however many sessions there are.
const IDLE_THREADS: usize = 8;

/// Allows this process, and the filters it starts, so many descriptors; more where the limit allows
/// more, since other tests run beside this one.
fn allow_descriptors(count: u64) {
    let limits = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= count);
    if enough(limits.current) {
        return;
    }
    let maximum = if enough(limits.maximum) { limits.maximum } else { Some(count) };
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap_or_else(|error| {
        panic!(
            "this test needs {count} descriptors in each of two processes, but the limit is {:?} \
             and can't be raised: {error}; run it after `ulimit -Hn {count}` as root",
            limits.maximum
        )
    });
}

#[test]
fn ten_thousand_idle_sessions() {
    const SESSIONS: usize = 10_000;
    allow_descriptors(SESSIONS as u64 + 200);
    let filter = Filter::start(&[]);
    let mut sessions: Vec<Session> = (0..SESSIONS).map(|_| filter.session("idle")).collect();
    eventually("spare threads leave", || filter.threads() <= IDLE_THREADS);
    // Any of them is served at once, and so is one that is new.
    for session in sessions.iter_mut().step_by(100) {
        session.mail();
        session.rest();
    }
    let new = filter.session("new");
    new.deliver();
    eventually("spare threads leave", || filter.threads() <= IDLE_THREADS);
    filter.signal(Signal::TERM);
    for session in &mut sessions {
        session.closed();
    }
    assert_eq!(filter.returned(1).0, "0");
    let (events, log) = filter.end();
    let closed = events.iter().filter(|line| line.starts_with("idle closed after ")).count();
    assert_eq!(closed, SESSIONS);
    assert_eq!(log, [""; 0]);
}

/// First bytes after which a connection can't be followed any further, and what the log says.
const ATTACKS: [(&[u8], &str); 8] = [
    (b"\0\0\0\0Q", "packet length 0"),
    (b"\xff\xff\xff\xffB", "packet length 4294967295"),
    (b"\x80\0\0\0", "packet length 2147483648"),
    (b"\x7f\xff\xff\xffB", "larger than the data size limit"),
    (b"\0\x01\0\x01B", "larger than the data size limit"),
    (b"GET / HTTP/1.1\r\n\r\n", "the peer speaks HTTP"),
    (b"\0\0\0\x01\xee", "is not known"),
    (b"\0\0\0\x05Oabcd", "len too short"),
];

/// A session that is in the middle of a message while others misbehave.
fn bystander(filter: &Filter) -> Session {
    let mut session = filter.session("bystander");
    session.mail();
    session
}

#[test]
fn bytes_that_are_no_packets_close_their_connection_and_no_other() {
    let filter = Filter::start(&[]);
    let mut other = bystander(&filter);
    for (n, (bytes, reason)) in ATTACKS.into_iter().enumerate() {
        let mut client = filter.connect();
        client.send_raw(bytes).unwrap();
        assert_eq!(client.read_to_end(BOUND).unwrap(), b"", "{bytes:?}");
        let log = filter.log();
        assert_ours("D16", log.len(), n + 1);
        assert!(log[n].contains(reason), "{bytes:?}: {log:?}");
        assert_eq!(other.ask(b'R', &["<x>"]), 'c');
    }
    other.rest();
    other.quit();
    filter.stop();
}

#[test]
fn peers_that_stop_in_the_middle_of_a_packet_hold_no_thread() {
    let filter = Filter::start(&[]);
    let mut other = bystander(&filter);
    let mut half: Vec<Client> = (0..500).map(|_| filter.connect()).collect();
    for (n, client) in half.iter_mut().enumerate() {
        let packet = b"\0\0\0\x20Labcdefghijklmnopq";
        client.send_raw(&packet[..n % packet.len()]).unwrap();
        if n % 50 == 0 {
            assert_eq!(other.ask(b'R', &["<x>"]), 'c');
        }
    }
    other.rest();
    other.quit();
    eventually("no thread is held", || filter.threads() <= IDLE_THREADS);
    drop(half);
    filter.stop();
}

#[test]
fn thousands_of_connections_that_say_nothing_or_nonsense() {
    let filter = Filter::start(&[]);
    let mut other = bystander(&filter);
    for n in 0..3000 {
        let mut client = filter.connect();
        match n % 3 {
            0 => {}
            1 => client.send_raw(b"\0\0\0\x01!").unwrap(),
            _ => client.send_raw(&[0xff; 100]).unwrap(),
        }
        drop(client);
        if n % 300 == 0 {
            assert_eq!(other.ask(b'R', &["<x>"]), 'c');
        }
    }
    other.rest();
    other.quit();
    let (events, log) = filter.stop();
    assert_eq!(events.iter().filter(|line| line.starts_with("bystander closed")).count(), 1);
    // 2000 connections gave reason for a line; a flood of them is cut short, and said to be.
    assert!(!log.is_empty() && log.len() < 1000, "{} lines", log.len());
}

/// Random packets, valid and mutated, from many peers at once: the process survives, and serves.
#[test]
fn random_peers() {
    const LETTERS: &[u8] = b"OCHMRTLNBEUADKQ";
    let filter = Filter::start(&[]);
    let mut other = bystander(&filter);
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..40 {
        let mut peers: Vec<Session> = (0..8).map(|_| filter.session("random")).collect();
        for _ in 0..30 {
            let peer = random.choice(&mut peers).unwrap();
            let letter = LETTERS[random.usize(..LETTERS.len())];
            let mut payload = b"<a>\0b\0".to_vec();
            payload.truncate(random.usize(..=payload.len()));
            if random.u8(..20) == 0 {
                payload = (0..random.usize(..64)).map(|_| random.u8(..)).collect();
            }
            peer.client.queue(letter, &payload);
            // The filter may have closed the connection; that is its right.
            let _closed = peer.client.flush();
        }
        assert_eq!(other.ask(b'R', &["<x>"]), 'c');
    }
    other.rest();
    other.quit();
    let (events, _) = filter.stop();
    assert!(events.iter().any(|line| line.starts_with("bystander closed")));
    assert_eq!(events.iter().filter(|line| line.starts_with("random closed")).count(), 320);
}
