//! What arrives at once, in portions, or with the end behind it: the system tells of it once only.

use super::runtime_support::{Filter, Session, eventually};
use c_tests::differences::assert_ours;
use rustix::io::IoSlice;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::Signal;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

/// Lets a filter find at once what `sends` has sent.
fn at_once<T>(filter: &Filter, sends: impl FnOnce() -> T) -> T {
    filter.signal(Signal::STOP);
    let status = format!("/proc/{}/status", filter.milter.pid());
    eventually("the process is stopped", || {
        std::fs::read_to_string(&status).unwrap().contains("State:\tT")
    });
    let sent = sends();
    filter.signal(Signal::CONT);
    sent
}

/// Sessions of both loops are ready when the first of them blocks, and those that another thread finds there
/// with the loop are not told of again.
#[test]
fn who_is_ready_when_a_loop_is_taken_away_is_served() {
    let filter = Filter::start(&[]);
    let pipe = filter.pipe();
    let mut blocker = filter.session("blocker");
    blocker.task("envfrom", &pipe.block());
    let mut others: Vec<_> = (0..40).map(|n| filter.session(&format!("s{n}"))).collect();
    at_once(&filter, || {
        for session in std::iter::once(&mut blocker).chain(&mut others) {
            session.send(b'M', &["<a@example.org>"]);
        }
    });
    for session in &mut others {
        assert_eq!(session.reply(), 'c');
    }
    filter.wait_until_blocked("blocker", 1);
    pipe.release_all(vec![blocker]);
    filter.stop();
}

/// Each time more than one turn receives, or serves.
#[test]
fn commands_that_arrive_at_once_are_all_served() {
    let filter = Filter::start(&[]);
    let mut session = filter.session("s");
    for (commands, long) in [(40, 500), (40, 1_000), (200, 4), (200, 500)] {
        let host = "x".repeat(long);
        at_once(&filter, || {
            for _ in 0..commands {
                session.client.queue_strings(b'H', &[&host]);
            }
            session.client.flush().unwrap();
        });
        for n in 0..commands {
            assert_eq!(session.reply(), 'c', "{n} of {commands}");
        }
    }
    filter.stop();
}

/// Packets that are larger than what is received at first, or at most; some end where that does.
#[test]
fn large_packets_that_arrive_at_once_are_all_served() {
    let filter = Filter::start(&[]);
    let mut session = filter.session("s");
    session.mail();
    assert_eq!(session.ask(b'T', &[]), 'c');
    assert_eq!(session.ask(b'N', &[]), 'c');
    for size in [16 << 10, (16 << 10) - 5, (16 << 10) - 4, 65_000, 65_535] {
        let chunk = "x".repeat(size - 6);
        for macros in [false, true, true] {
            if macros {
                session.client.queue_macros(b'B', &[("i", "1")]);
            }
            session.client.queue_strings(b'B', &[&chunk]);
        }
        session.client.flush().unwrap();
        for _ in 0..3 {
            assert_eq!(session.reply(), 'c', "{size}");
        }
    }
    assert_eq!(session.ask(b'E', &[]), 'c');
    session.quit();
    filter.stop();
}

/// Without a limit between packets, there is one from the first byte of a packet on, for each session that is
/// served after one wait.
#[test]
fn packets_that_begin_at_once_have_to_end_in_time() {
    let filter = Filter::start(&["timeout=0"]);
    let mut sessions: Vec<_> = (0..8).map(|n| filter.session(&format!("s{n}"))).collect();
    at_once(&filter, || {
        for session in &mut sessions {
            session.client.send_raw(b"\0\0\0\x0fM<a@exam").unwrap();
        }
    });
    for session in &mut sessions {
        session.closed();
    }
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 8, "{log:?}");
    assert!(log.iter().all(|line| line.contains("no complete packet")), "{log:?}");
}

/// The socket of a session that is over is not closed where a child of the filter has it as well. What its
/// MTA still does with it is nothing to the session that has its place in the loop.
#[test]
fn a_socket_that_a_child_keeps_costs_the_next_session_nothing() {
    let filter = Filter::start_env(&[("LIBMILTER_MAX_THREADS", "1")], &[]);
    let pipe = filter.pipe();
    let mut first = filter.session("first");
    first.task("helo", &format!("keep {}", pipe.path()));
    assert_eq!(first.ask(b'H', &["x"]), 'c');
    filter.wait_for("first kept 1");
    first.send(b'Q', &[]);
    filter.wait_for("first closed");
    let mut next = filter.session("next");
    next.mail();
    at_once(&filter, || first.send(b'H', &["x"]));
    assert_eq!(next.ask(b'R', &["<c@example.net>"]), 'c');
    at_once(&filter, || {
        first.send(b'H', &["x"]);
        first.client.shutdown_write().unwrap();
    });
    next.rest();
    drop(first);
    assert_eq!(next.ask(b'M', &["<a@example.org>"]), 'c');
    // Both at once.
    at_once(&filter, || next.send(b'R', &["<b@example.net>"]));
    assert_eq!(next.reply(), 'c');
    drop(pipe);
    next.rest();
    next.quit();
    let (events, log) = filter.stop();
    assert!(!events.iter().any(|event| event == "next abort"), "{events:?}");
    assert_eq!(log, [""; 0]);
}

/// With the last command, behind more than one turn receives, or just behind what it receives at once.
#[test]
fn the_end_is_seen_that_has_come_with_what_is_before_it() {
    let filter = Filter::start(&[]);
    const AT_ONCE: usize = 16 << 10;
    let sizes =
        [10, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, AT_ONCE + 5, AT_ONCE + 6, 2 * AT_ONCE, 80_000];
    for size in sizes {
        let name = format!("s{size}");
        let mut session = filter.session(&name);
        let mut commands = 0;
        at_once(&filter, || {
            while session.client.queued().len() < size {
                let left = size - session.client.queued().len();
                // Four of the length, the letter, and a NUL; as much at least is to be left for the last.
                let packet = if left > 520 { 500 } else { left };
                session.client.queue_strings(b'H', &["x".repeat(packet - 6)]);
                commands += 1;
            }
            assert_eq!(session.client.queued().len(), size);
            session.client.flush().unwrap();
            session.client.shutdown_write().unwrap();
        });
        for n in 0..commands {
            assert_eq!(session.reply(), 'c', "{n} of {size} bytes");
        }
        session.closed();
        filter.wait_for(&format!("{name} closed"));
    }
    // Who does not even wait for the reply.
    for n in 0..20 {
        let mut session = filter.session(&format!("gone{n}"));
        session.send(b'M', &["<a@example.org>"]);
    }
    for n in 0..20 {
        filter.wait_for(&format!("gone{n} closed"));
    }
    filter.stop();
}

/// Sends a command, and with it a descriptor.
fn send_with_descriptor(session: &mut Session) {
    session.client.queue_strings(b'H', &["host"]);
    let packet = session.client.queued().to_vec();
    session.client.clear_queue();
    let descriptors = [session.client.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    assert!(along.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = [IoSlice::new(&packet)];
    let sent = sendmsg(&session.client, &bytes, &mut along, SendFlags::empty()).unwrap();
    assert_eq!(sent, packet.len());
}

/// The system ends what is received there, though there is more.
#[test]
fn what_arrives_behind_a_descriptor_is_served_with_what_follows() {
    let filter = Filter::start(&[]);
    let before = filter.ready().fds.len();
    let mut session = filter.session("s");
    at_once(&filter, || {
        send_with_descriptor(&mut session);
        session.send(b'H', &["second"]);
    });
    assert_eq!(session.reply(), 'c');
    session.send(b'H', &["third"]);
    assert_ours("D94", [session.reply(), session.reply()], ['c', 'c']);
    session.quit();
    filter.wait_for("s closed");
    filter.signal(Signal::TERM);
    let (result, after) = filter.returned(1);
    assert_eq!((result.as_str(), after.fds.len()), ("0", before), "none is kept");
    filter.end();
}
