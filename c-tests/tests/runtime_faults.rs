//! System calls fail: the first, any other, or all from then on.
//!
//! docs/hardening.md has the table. `FAULTS=all` has every single call fail in its turn, where the
//! usual run leaves out some of the later ones.

use super::runtime_memory::{message, reply};
use super::runtime_support::faults::{Call, Faults, NONE};
use super::runtime_support::{BOUND, Filter, eventually};
use milter_mta::wire::command::Origin;
use milter_mta::{Client, ClientError};
use rustix::io::Errno;
use rustix::process::Signal;
use std::ops::Range;

/// Threads of the pool, and a thread for each session.
const WAYS: [&[(&str, &str)]; 2] = [&[], &[("LIBMILTER_THREADS", "session")]];

/// What comes of a call that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// All sessions are served, and nothing is logged.
    Served,
    /// The session that needed it ends, with a line in the log.
    Ends,
    /// Sessions wait until it succeeds, with a line in the log if it has an error to tell.
    Waits,
}

/// What peers do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Play {
    /// One sends a message with everything in it.
    Message,
    /// One reads no reply until it has sent what more replies are due for than its socket has room for.
    Late,
    /// A callback blocks for a while, and another session is served.
    Slow,
}

/// A call, an error, what meets it, and what comes of it in each way.
struct Row(Call, Errno, Play, [Fate; 2]);

const TABLE: [Row; 16] = [
    Row(Call::Receive, Errno::NOMEM, Play::Message, [Fate::Ends; 2]),
    Row(Call::Send, Errno::NOBUFS, Play::Message, [Fate::Ends; 2]),
    Row(Call::Accept, Errno::NFILE, Play::Message, [Fate::Waits; 2]),
    Row(Call::Add, Errno::NOSPC, Play::Message, [Fate::Ends, Fate::Served]),
    Row(Call::Change, Errno::NOMEM, Play::Late, [Fate::Ends, Fate::Served]),
    Row(Call::Delete, Errno::NOMEM, Play::Message, [Fate::Served; 2]),
    Row(Call::Wait, Errno::INTR, Play::Message, [Fate::Waits; 2]),
    Row(Call::Wait, Errno::NOMEM, Play::Message, [Fate::Waits; 2]),
    Row(Call::Poll, Errno::NOMEM, Play::Message, [Fate::Served, Fate::Waits]),
    Row(Call::Clear, Errno::NOMEM, Play::Slow, [Fate::Served; 2]),
    Row(Call::Wake, Errno::NOMEM, Play::Slow, [Fate::Served; 2]),
    Row(Call::Stat, Errno::NOMEM, Play::Slow, [Fate::Served; 2]),
    Row(Call::Look, Errno::IO, Play::Slow, [Fate::Served; 2]),
    Row(Call::Open, Errno::MFILE, Play::Slow, [Fate::Served; 2]),
    Row(Call::Clock, Errno::INVAL, Play::Message, [Fate::Served; 2]),
    Row(Call::Thread, Errno::AGAIN, Play::Slow, [Fate::Waits; 2]),
];

fn greet(filter: &Filter) -> Result<Client, ClientError> {
    let mut client = Client::connect(&filter.spec, BOUND)?;
    client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    client.queue_connect("victim", &Origin::Unknown);
    client.flush()?;
    reply(&mut client, b'O')?;
    reply(&mut client, b'c')?;
    Ok(client)
}

fn late(filter: &Filter, is_full: impl Fn() -> bool) -> Result<(), ClientError> {
    const COMMANDS: usize = 4000;
    let mut client = greet(filter)?;
    for _ in 0..COMMANDS {
        client.queue_strings(b'H', &["me"]);
    }
    client.flush()?;
    eventually("the socket is full", is_full);
    for _ in 0..COMMANDS {
        reply(&mut client, b'c')?;
    }
    client.queue_strings(b'H', &["me"]);
    client.flush()?;
    reply(&mut client, b'c')
}

fn slow(filter: &Filter) -> Result<(), ClientError> {
    let mut client = greet(filter)?;
    client.queue_strings(b'H', &["envfrom nap 20000"]);
    client.flush()?;
    reply(&mut client, b'c')?;
    client.queue_strings(b'M', &["<a@example.org>"]);
    client.flush()?;
    message(filter, "other")?;
    reply(&mut client, b'c')?;
    client.queue(b'Q', b"");
    client.flush()
}

impl Play {
    /// Plays it; nobody may be left without either an answer or the end of the connection.
    fn play(
        self,
        filter: &Filter,
        what: &str,
        is_full: impl Fn() -> bool,
    ) -> Result<(), ClientError> {
        let played = match self {
            Play::Message => message(filter, "victim"),
            Play::Late => late(filter, is_full),
            Play::Slow => slow(filter),
        };
        if let Err(error) = &played {
            assert!(!error.is_timeout(), "{what}: {error}; {:#?}", filter.log());
        }
        played
    }
}

/// Sockets that a filter has open.
fn sockets(filter: &Filter) -> usize {
    let all = std::fs::read_dir(format!("/proc/{}/fd", filter.milter.pid())).unwrap();
    let links = all.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

/// What came of calls that failed.
#[derive(Debug, Default)]
struct Outcome {
    /// Calls made, whether they failed or not.
    calls: i64,
    /// Whether the session was served.
    served: bool,
    log: Vec<String>,
}

/// Has calls of a kind fail while something is played; then they succeed again, and everybody is served.
fn meet(way: usize, row: &Row, numbers: Range<i64>) -> Outcome {
    let Row(call, error, play, fates) = *row;
    let what = format!("{call:?} fails with {error}, {numbers:?}, way {way}");
    let (faults, filter) = Faults::start(WAYS[way], &[]);
    message(&filter, "before").unwrap();
    filter.wait_for("before closed");
    let before = sockets(&filter);
    faults.fail(call, error, numbers.clone());
    let served = std::thread::scope(|scope| {
        let playing =
            scope.spawn(|| play.play(&filter, &what, || way == 1 || faults.seen(call) > 0));
        if numbers.start < i64::MAX && numbers.end == i64::MAX && fates[way] == Fate::Waits {
            // It has failed, and failed again.
            let failed = || faults.seen(call) > numbers.start + 1;
            eventually(&what, || playing.is_finished() || failed());
            faults.fail(call, error, NONE);
        }
        playing.join().unwrap().is_ok()
    });
    let calls = faults.seen(call);
    faults.lift(call);
    let after = message(&filter, "later");
    assert!(after.is_ok(), "after {what}: {after:?}; {:#?}", filter.log());
    eventually("sockets are closed", || sockets(&filter) <= before);
    let (_, mut log) = filter.stop();
    // What the filter does wrong, for it makes calls that it has not asked for, is of no interest here.
    log.retain(|line| !line.starts_with("info "));
    Outcome { calls, served, log }
}

/// Every call of a kind fails in its turn, alone or with all that follow.
fn every(way: usize, row: &Row) {
    let Row(call, error, play, fates) = *row;
    let all = std::env::var("FAULTS").is_ok_and(|faults| faults == "all");
    let calls = meet(way, row, NONE).calls;
    // The supervisor may be too late for a callback that blocks.
    assert!(calls > 0 || fates[way] == Fate::Served || play == Play::Slow, "{call:?}");
    let calls = calls.clamp(2, if all { 200 } else { 40 });
    let mut ended = 0;
    for n in (1..=calls).filter(|n| all || *n <= 2 || n % 9 == 0) {
        for numbers in [n..n + 1, n..i64::MAX] {
            let what = format!("{call:?} fails with {error}, {numbers:?}, way {way}");
            let Outcome { served, log, .. } = meet(way, row, numbers);
            match fates[way] {
                Fate::Served => assert!(served && log.is_empty(), "{what}: {served}, {log:#?}"),
                Fate::Waits => assert!(served && log.len() < 2, "{what}: {served}, {log:#?}"),
                // The last call may fail when the peer has gone.
                Fate::Ends => {
                    assert!(log.len() == 1 || (served && log.is_empty()), "{what}: {log:#?}")
                }
            }
            ended += usize::from(!served);
        }
    }
    assert_eq!(ended > 0, fates[way] == Fate::Ends, "{call:?}: {ended} sessions ended");
}

#[test]
fn a_call_that_fails_costs_one_session_at_most() {
    TABLE.iter().for_each(|row| every(0, row));
}

#[test]
fn a_call_that_fails_costs_one_session_at_most_with_threads_of_their_own() {
    TABLE.iter().for_each(|row| every(1, row));
}

/// TERM, and INT after it, end a run in which a call fails from then on.
fn stop(way: usize, row: &Row) {
    let Row(call, error, ..) = *row;
    let (faults, filter) = Faults::start(WAYS[way], &[]);
    let mut idle = filter.session("idle");
    let mut mail = filter.session("mail");
    mail.mail();
    let mut deaf = filter.session("deaf");
    for _ in 0..1000 {
        deaf.client.queue_strings(b'H', &["me"]);
    }
    deaf.client.flush().unwrap();
    faults.fail(call, error, 1..i64::MAX);
    filter.signal(Signal::TERM);
    // Where nobody can be woken, a thread of a session that waits for its MTA is only once that is cut.
    if (call, way) != (Call::Wake, 1) {
        filter.wait_for("idle closed");
    }
    filter.signal(Signal::INT);
    assert_eq!(filter.returned(1).0, "0", "{call:?}");
    faults.lift(call);
    let (events, log) = filter.end();
    let closed =
        |name: &str| events.iter().any(|event| event.starts_with(&format!("{name} closed")));
    let all = ["idle", "mail", "deaf"].iter().all(|name| closed(name));
    assert!(all, "{call:?}, way {way}: {events:#?}");
    assert!(log.len() <= 2, "{call:?}, way {way}: {log:#?}");
    for session in [&mut idle, &mut mail] {
        session.closed();
    }
}

#[test]
fn a_stop_works_while_calls_fail() {
    std::thread::scope(|scope| {
        for way in 0..WAYS.len() {
            for row in &TABLE {
                scope.spawn(move || stop(way, row));
            }
        }
    });
}

/// Has calls of a kind fail from the beginning of the run on; whether there were as many, and whether it
/// could begin.
fn begin(way: usize, call: Call, error: Errno, numbers: Range<i64>) -> (bool, bool) {
    let (faults, filter) = Faults::launch(WAYS[way], &[], (call, error, numbers.clone()));
    let (seen, served) = std::thread::scope(|scope| {
        let playing = scope.spawn(|| message(&filter, "first"));
        let failed = || faults.seen(call) > numbers.start + 1;
        eventually("it begins or fails", || playing.is_finished() || failed());
        let seen = faults.seen(call);
        faults.fail(call, error, NONE);
        (seen, playing.join().unwrap())
    });
    // The session may have met it, and not the start.
    let begun = served.is_ok() || message(&filter, "second").is_ok();
    let what = format!("{call:?} fails with {error} at the start, {numbers:?}, way {way}");
    let mut log = if begun {
        filter.stop().1
    } else {
        assert_eq!(filter.returned(1).0, "-1", "{what}");
        let log = filter.end().1;
        assert!(!log.is_empty(), "{what}");
        log
    };
    log.retain(|line| !line.starts_with("info "));
    assert!(log.len() <= 2, "{what}: {log:#?}");
    (seen >= numbers.start, begun)
}

/// The start fails with a reason, or there is no need of the call.
#[test]
fn a_start_fails_with_a_reason() {
    for (call, error, needed) in [
        (Call::Create, Errno::MFILE, true),
        (Call::Add, Errno::NOSPC, true),
        (Call::Thread, Errno::AGAIN, true),
        (Call::Open, Errno::NOENT, false),
        (Call::Stat, Errno::NOMEM, false),
    ] {
        for way in 0..WAYS.len() {
            let mut failed = 0;
            for lasts in [false, true] {
                for n in 1.. {
                    let end = if lasts { i64::MAX } else { n + 1 };
                    let (met, begun) = begin(way, call, error, n..end);
                    failed += usize::from(!begun);
                    if !met {
                        assert!(begun);
                        break;
                    }
                }
            }
            assert_eq!(failed > 0, needed, "{call:?}, way {way}");
        }
    }
}

/// A callback that waits for its peer to read, in a call, hears that it failed; its session ends.
#[test]
fn a_call_that_can_not_wait_for_its_peer_fails() {
    // Nothing else waits in this way.
    let (faults, filter) = Faults::start(WAYS[0], &[]);
    let mut session = filter.session("victim");
    session.task("eom", "body");
    session.mail();
    session.send(b'E', &[]);
    eventually("the call waits", || faults.seen(Call::Poll) > 0);
    faults.fail(Call::Poll, Errno::NOMEM, 1..i64::MAX);
    // It has to wait again.
    assert!(session.client.read_to_end(BOUND).unwrap().len() < 8 << 20);
    filter.wait_for("victim replacebody -1");
    faults.lift(Call::Poll);
    message(&filter, "later").unwrap();
    let (_, mut log) = filter.stop();
    log.retain(|line| !line.starts_with("info "));
    assert_eq!(log.len(), 1, "{log:#?}");
    assert!(log[0].contains("write to the MTA failed"), "{log:#?}");
}
