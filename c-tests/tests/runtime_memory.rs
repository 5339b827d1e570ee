//! The system has no memory: sessions end that need some, and nothing else does.

use super::runtime_support::{BOUND, Filter, eventually};
use c_tests::differences::assert_ours;
use c_tests::{Compile, Linkage};
use milter_mta::wire::command::Origin;
use milter_mta::{Client, ClientError};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use std::cell::Cell;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// Which of the library's allocations fail; see `starved.h`.
struct Plan(File);

impl Plan {
    /// A filter under a plan that lets everything succeed.
    fn start(variables: &[(&str, &str)]) -> (Plan, Filter) {
        let program = Compile::c("milters/runtime.c").flag("-DSTARVED").build().unwrap();
        let mut command = Linkage::OursDynamic.command(&program).unwrap();
        let path = std::env::temp_dir().join(format!(
            "starved-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        let plan = Plan(file);
        plan.fail(i64::MAX..i64::MAX);
        command.env("STARVED", &path).envs(variables.iter().copied());
        let filter = Filter::launch_command(command, "unix:{dir}/socket", &[]);
        filter.wait_for("ready ");
        std::fs::remove_file(&path).unwrap();
        (plan, filter)
    }

    /// Has those fail that have these numbers from now on, counted from 1.
    fn fail(&self, numbers: Range<i64>) {
        let write = |n: u64, number: i64| {
            self.0.write_all_at(&number.to_ne_bytes(), n * 8).unwrap();
        };
        // First what makes none fail.
        write(1, i64::MAX);
        write(0, 0);
        write(2, numbers.end);
        write(1, numbers.start);
    }

    /// How many there have been since.
    fn seen(&self) -> i64 {
        let mut number = [0; 8];
        self.0.read_exact_at(&mut number, 0).unwrap();
        i64::from_ne_bytes(number)
    }
}

/// Reads replies up to one that ends a command.
pub(crate) fn reply(client: &mut Client, last: u8) -> Result<(), ClientError> {
    loop {
        let letter = client.read_owned(BOUND)?.letter;
        if letter == last {
            return Ok(());
        }
        // Changes and progress come before.
        assert!(b"hmqbp".contains(&letter), "{}", letter as char);
    }
}

/// When allocations begin to fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// Before the session.
    Accept,
    /// Once the session has what it needs to be served.
    Connect,
}

/// A session with a message that needs memory in every way there is; whether all of it was served.
pub(crate) fn message(filter: &Filter, name: &str) -> Result<(), ClientError> {
    message_after(filter, name, || ())
}

/// As [`message`], with something to be done once the session has negotiated.
fn message_after(
    filter: &Filter,
    name: &str,
    negotiated: impl FnOnce(),
) -> Result<(), ClientError> {
    let mut client = Client::connect(&filter.spec, BOUND)?;
    let many: Vec<String> = (0..600).map(|n| format!("{{m{n}}}")).collect();
    let macros: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "value")).collect();
    let long = "v".repeat(60_000);
    client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    client.flush()?;
    reply(&mut client, b'O')?;
    negotiated();
    client.queue_macros(b'C', &[("j", "mx.example.net")]);
    client.queue_connect(name, &Origin::Unknown);
    client.flush()?;
    reply(&mut client, b'c')?;
    client.queue_strings(b'H', &["eom calls"]);
    client.flush()?;
    reply(&mut client, b'c')?;
    client.queue_macros(b'M', &macros);
    let arguments: Vec<String> = (0..40).map(|n| format!("ARG={n}")).collect();
    client.queue_strings(b'M', &arguments);
    client.flush()?;
    reply(&mut client, b'c')?;
    client.queue_macros(b'R', &[("{long}", long.as_str())]);
    client.queue_strings(b'R', &["<b@example.net>"]);
    client.flush()?;
    reply(&mut client, b'c')?;
    // A header that comes in two parts: the first is there when the reply is.
    let header = ["Subject\0", &long, "\0"].concat();
    let length = u32::try_from(header.len() + 1).unwrap();
    let packet = [&length.to_be_bytes()[..], b"L", header.as_bytes()].concat();
    client.queue(b'T', b"");
    client.queue_raw(&packet[..3000]);
    client.flush()?;
    reply(&mut client, b'c')?;
    client.queue_raw(&packet[3000..]);
    client.flush()?;
    reply(&mut client, b'c')?;
    client.queue(b'N', b"");
    client.queue(b'E', b"");
    client.flush()?;
    reply(&mut client, b'c')?;
    reply(&mut client, b'c')
}

/// Has one message after the other meet the failures of `range`, one further on each time, until there
/// is nothing left to fail; how many that were.
fn meet_failures(
    plan: &Plan,
    filter: &Filter,
    begin: Begin,
    range: impl Fn(i64) -> Range<i64>,
) -> i64 {
    let mut n = 1;
    loop {
        let served = match begin {
            Begin::Accept => {
                plan.fail(range(n));
                message(filter, "victim")
            }
            Begin::Connect => message_after(filter, "victim", || plan.fail(range(n))),
        };
        let seen = plan.seen();
        plan.fail(i64::MAX..i64::MAX);
        let after = message(filter, "later");
        assert!(after.is_ok(), "after failure {n}: {after:?}; {:#?}", filter.log());
        if seen < n {
            assert!(served.is_ok(), "{served:?}");
            return n - 1;
        }
        n += 1;
    }
}

fn every_failure(variables: &[(&str, &str)], begin: Begin) {
    let (plan, filter) = Plan::start(variables);
    message(&filter, "first").unwrap();
    let one = meet_failures(&plan, &filter, begin, |n| n..n + 1);
    let all = meet_failures(&plan, &filter, begin, |n| n..i64::MAX);
    assert!(one > 8 && all > 8, "{one} and {all} allocations could fail");
    let (_, log) = filter.stop();
    let starved = log.iter().filter(|line| line.contains("memory has run out")).count();
    assert_ours("D88", starved > 8, true);
}

#[test]
fn a_failed_allocation_costs_one_session() {
    every_failure(&[], Begin::Accept);
}

#[test]
fn a_failed_allocation_costs_one_session_with_threads_of_their_own() {
    // The start of a thread needs memory that nobody can do without.
    every_failure(&[("LIBMILTER_THREADS", "session")], Begin::Connect);
}

/// How many allocations a message makes once its session has begun, and how many of them are such that the
/// session ends without.
fn depended_on(plan: &Plan, filter: &Filter) -> (i64, usize) {
    for n in 1.. {
        let _served = message_after(filter, "victim", || plan.fail(n..n + 1));
        let seen = plan.seen();
        plan.fail(i64::MAX..i64::MAX);
        // A session that ends does so before the next one is served, or has been refused already.
        message(filter, "later").unwrap();
        if seen < n {
            let ended = |line: &&String| line.contains("memory has run out");
            return (seen, filter.log().iter().filter(ended).count());
        }
    }
    unreachable!()
}

#[test]
fn a_trace_needs_no_memory_that_a_session_depends_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace");
    let (plan, filter) = Plan::start(&[("LIBMILTER_TRACE", path.to_str().unwrap())]);
    message(&filter, "first").unwrap();
    let traced = depended_on(&plan, &filter);
    meet_failures(&plan, &filter, Begin::Accept, |n| n..n + 1);
    meet_failures(&plan, &filter, Begin::Accept, |n| n..i64::MAX);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("memory has run out"), "{text}");
    filter.stop();
    let (plan, filter) = Plan::start(&[]);
    message(&filter, "first").unwrap();
    let plain = depended_on(&plan, &filter);
    filter.stop();
    // One or two more or less, after where threads have met. Of what the trace allocates there are ten.
    assert!(traced.1 <= plain.1 + 3, "traced {traced:?}, not {plain:?}");
}

/// A thread that has served small packets only needs more room for a large one.
#[test]
fn a_packet_that_no_room_can_be_made_for_costs_one_session() {
    let (plan, filter) = Plan::start(&[]);
    let mut session = filter.session("victim");
    session.mail();
    session.send(b'T', &[]);
    assert_eq!(session.reply(), 'c');
    plan.fail(1..i64::MAX);
    session.client.queue(b'L', ["Subject\0", &"v".repeat(65_526), "\0"].concat().as_bytes());
    // The filter may be gone, or the session.
    let _sent = session.client.flush();
    session.closed();
    plan.fail(i64::MAX..i64::MAX);
    message(&filter, "later").unwrap();
    filter.stop();
}

#[test]
fn a_stop_needs_no_memory() {
    let (plan, filter) = Plan::start(&[]);
    let mut sessions: Vec<_> = (0..20).map(|n| filter.session(&format!("s{n}"))).collect();
    for session in &mut sessions {
        session.mail();
    }
    // The one moment in which std needs memory of its own is the start of a thread (docs/architecture.md).
    let (threads, same) = (Cell::new(0), Cell::new(0));
    eventually("no thread is being started", || {
        let now = filter.threads();
        same.set(if now == threads.replace(now) { same.get() + 1 } else { 0 });
        same.get() > 50
    });
    plan.fail(1..i64::MAX);
    filter.signal(Signal::INT);
    assert_eq!(filter.returned(1).0, "0");
    plan.fail(i64::MAX..i64::MAX);
    filter.end();
}

/// What strangers have the library keep does not end it when the memory that it may have is used up.
#[test]
fn a_limit_of_memory_costs_sessions_only() {
    const PEERS: usize = 150;
    // One heap for all threads, none of which has memory set apart.
    let filter = Filter::start_env(&[("MALLOC_ARENA_MAX", "1")], &[]);
    message(&filter, "before").unwrap();
    let pid = Pid::from_raw(filter.milter.pid().try_into().unwrap()).unwrap();
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", filter.milter.pid())).unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let limit = pages * 4096 + (8 << 20);
    let set =
        |current| prlimit(Some(pid), Resource::As, Rlimit { current, maximum: None }).unwrap();
    set(Some(limit));
    let long = "v".repeat(60_000);
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let Ok(mut client) = Client::connect(&filter.spec, BOUND) else { continue };
        client.queue_optneg(6, 0x1ff, 0x1f_ffff);
        for stage in *b"CHMRTNE" {
            client.queue_macros(stage, &[("{long}", long.as_str())]);
        }
        if client.flush().is_ok() {
            peers.push(client);
        }
    }
    let serves = |peer: &mut Client| -> Result<(), ClientError> {
        reply(peer, b'O')?;
        peer.queue_connect("still", &Origin::Unknown);
        peer.flush()?;
        peer.read_owned(BOUND).map(drop)
    };
    let served = peers.iter_mut().filter_map(|peer| serves(peer).ok()).count();
    assert!(served < PEERS / 2, "{served} of {PEERS} were served");
    drop(peers);
    set(None);
    message(&filter, "later").unwrap();
    filter.stop();
}
