//! smfi_settimeout: silent, dripping and unreading peers are cut, blocked callbacks are not.

use super::runtime_support::{BOUND, Filter, Session, let_a_timeout_pass};
use c_tests::differences::assert_ours;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use std::os::fd::AsFd;
use std::time::Duration;

#[test]
fn a_silent_session_is_cut_with_abort_and_close() {
    let filter = Filter::start(&["timeout=1"]);
    let mut idle = filter.session("idle");
    let mut busy = filter.session("busy");
    busy.mail();
    let mut mute = Session { client: filter.connect() };
    idle.closed();
    busy.closed();
    mute.closed();
    filter.wait_for("idle closed");
    filter.wait_for("busy closed");
    assert_ours("D28", filter.count("busy abort"), 1);
    assert_eq!(filter.count("idle abort"), 0);
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(log.iter().all(|line| line.contains("within 1 s")), "{log:?}");
}

/// Sends a byte now and then until the filter has had enough.
fn drip(session: &mut Session, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        let mut fds = [PollFd::new(&session.client, PollFlags::IN)];
        let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        if poll(&mut fds, Some(&pause)).unwrap() > 0 {
            break;
        }
        if session.client.send_raw(&[*byte]).is_err() {
            break;
        }
    }
    session.closed();
}

/// A body packet that announces more than will ever come.
const ENDLESS: &[u8] = b"\0\0\xff\xffBxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

#[test]
fn a_dripping_peer_is_cut_by_the_time_of_the_whole_packet() {
    for timeout in ["timeout=1", "timeout=0"] {
        let filter = Filter::start(&[timeout]);
        let other = filter.session("other");
        let mut session = filter.session("dripping");
        session.mail();
        // Its first byte is what counts, not its last; each byte comes in time.
        drip(&mut session, ENDLESS);
        filter.wait_for("dripping closed");
        assert_ours("D27", filter.count("dripping abort"), 1);
        if timeout == "timeout=0" {
            // Between packets 0 means that there is no limit.
            other.deliver();
        }
        let (_, log) = filter.stop();
        let cut: Vec<_> = log.iter().filter(|l| l.contains("no complete packet")).collect();
        assert_eq!(cut.len(), 1, "{timeout} {log:?}");
    }
}

#[test]
fn a_peer_that_does_not_read_is_cut() {
    let filter = Filter::start(&["timeout=1"]);
    let mut session = filter.session("deaf");
    session.task("eom", "body");
    session.mail();
    session.send(b'E', &[]);
    // 8 MB do not fit the socket; the callback hears that they could not be sent.
    filter.wait_for("deaf replacebody -1");
    filter.wait_for("deaf closed");
    let rest = session.client.read_to_end(BOUND).unwrap();
    assert!(rest.len() < 8 << 20, "{}", rest.len());
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("did not take"), "{log:?}");
}

#[test]
fn what_a_peer_sent_before_it_hung_up_is_processed() {
    let filter = Filter::start(&["trace=1"]);
    let mut session = filter.session("brief");
    session.mail();
    session.client.queue_strings(b'L', &["Last", "words"]);
    session.client.flush().unwrap();
    drop(session);
    filter.wait_for("brief closed");
    assert_ours("D22", filter.count("brief header"), 1);
    filter.stop();
}

#[test]
fn a_slow_reader_gets_everything() {
    let filter = Filter::start(&[]);
    let mut session = filter.session("slow");
    session.task("eom", "body");
    session.mail();
    session.send(b'E', &[]);
    let mut bytes = 0;
    loop {
        let packet = session.packet();
        match packet.letter {
            b'b' => bytes += packet.payload.len(),
            b'c' => break,
            other => panic!("unexpected {}", other as char),
        }
    }
    assert_eq!(bytes, 8 << 20);
    filter.wait_for("slow replacebody 0");
    session.quit();
    filter.stop();
}

#[test]
fn without_limit_nobody_is_cut() {
    for timeout in ["timeout=0", "timeout=-1"] {
        let filter = Filter::start(&[timeout]);
        let idle = filter.session("idle");
        let mut busy = filter.session("busy");
        busy.mail();
        let_a_timeout_pass();
        busy.rest();
        idle.deliver();
        busy.quit();
        let (_, log) = filter.stop();
        assert_ours("D36", log, Vec::new());
    }
}

/// How long a callback takes is its own affair; the MTA's time begins when it has its reply.
#[test]
fn the_time_in_a_callback_does_not_count() {
    let filter = Filter::start(&["timeout=1"]);
    // The first time the callback blocks unforeseen, later it is known to be slow.
    for round in 0..2 {
        let pipe = filter.pipe();
        let mut session = filter.session(&format!("s{round}"));
        session.task("envfrom", &pipe.block());
        session.send(b'M', &["<a>"]);
        filter.wait_for(&format!("s{round} blocked"));
        let_a_timeout_pass();
        let_a_timeout_pass();
        pipe.release();
        assert_eq!(session.reply(), 'c');
        assert_eq!(session.ask(b'R', &["<b>"]), 'c', "round {round}");
        session.rest();
        session.quit();
    }
    let (_, log) = filter.stop();
    assert_eq!(log, [""; 0]);
}

/// Commands that came in time count, however late the filter gets to read them.
#[test]
fn what_has_arrived_before_the_deadline_counts() {
    if module_path!().contains("::runtime_own_threads::") {
        // With one thread the second session would wait for the first one's.
        return;
    }
    // One thread, which is busy for longer than the timeout.
    let filter = Filter::start_env(&[("LIBMILTER_MAX_THREADS", "1")], &["timeout=1", "trace=1"]);
    let mut sessions: Vec<_> = (0..3).map(|n| filter.session(&format!("s{n}"))).collect();
    let pipe = filter.pipe();
    let mut blocker = filter.session("blocker");
    blocker.task("envfrom", &pipe.block());
    for session in &mut sessions {
        session.mail();
    }
    blocker.send(b'M', &["<a>"]);
    filter.wait_for("blocker blocked");
    for session in &mut sessions {
        session.send(b'R', &["<c>"]);
    }
    let_a_timeout_pass();
    let_a_timeout_pass();
    pipe.release();
    for session in &mut sessions {
        assert_eq!(session.reply(), 'c');
        session.rest();
    }
    assert_eq!(blocker.reply(), 'c');
    filter.stop();
}

/// More of them than one wait returns.
#[test]
fn what_arrives_while_the_process_is_stopped_counts() {
    let filter = Filter::start(&["timeout=3"]);
    let mut sessions: Vec<_> = (0..300).map(|n| filter.session(&format!("s{n}"))).collect();
    filter.signal(Signal::STOP);
    for session in &mut sessions {
        session.send(b'M', &["<a>"]);
    }
    (0..5).for_each(|_| let_a_timeout_pass());
    filter.signal(Signal::CONT);
    for session in &mut sessions {
        assert_eq!(session.reply(), 'c');
        session.send(b'Q', &[]);
    }
    let (_, log) = filter.stop();
    assert!(log.iter().all(|line| !line.contains("within 3 s")), "{log:#?}");
}

/// The MTA's time goes on when the filter does: neither had the other's attention.
#[test]
fn time_in_which_the_process_is_stopped_does_not_count() {
    let filter = Filter::start(&["timeout=3"]);
    let mut session = filter.session("s");
    session.mail();
    filter.signal(Signal::STOP);
    (0..5).for_each(|_| let_a_timeout_pass());
    filter.signal(Signal::CONT);
    // The filter runs again, and has looked at its deadlines.
    filter.session("witness").quit();
    assert_eq!(session.ask(b'R', &["<c>"]), 'c');
    session.rest();
    // It stands still only while the process does.
    session.closed();
    let (_, log) = filter.stop();
    assert_ours("D82", log.len(), 1);
    assert!(log[0].contains("no command from the MTA within 3 s"), "{log:#?}");
}

#[test]
fn traffic_keeps_a_session_alive() {
    let filter = Filter::start(&["timeout=2"]);
    let mut session = filter.session("s");
    session.mail();
    let mut nothing = filter.session("silent");
    // One more command every half second, for longer than the timeout.
    let pause = Duration::from_millis(500);
    loop {
        let seconds = rustix::event::Timespec::try_from(pause).unwrap();
        let mut fds = [PollFd::from_borrowed_fd(nothing.client.as_fd(), PollFlags::IN)];
        let over = poll(&mut fds, Some(&seconds)).unwrap() > 0;
        assert_eq!(session.ask(b'R', &["<b>"]), 'c');
        if over {
            break;
        }
    }
    nothing.closed();
    session.rest();
    session.quit();
    let (events, _) = filter.stop();
    assert!(!events.contains(&"s abort".to_owned()));
}
