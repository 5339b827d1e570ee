//! What is shared with other processes: a listener, and what a fork between runs leaves.

use super::runtime_support::{BOUND, Filter, program};
use c_tests::output::output_within;
use c_tests::{Compile, Linkage};
use rustix::process::Signal;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
const CHILDREN: usize = 20;

/// A TERM to one of them is neither lost nor taken by the other.
#[test]
fn parent_and_child_serve_again_after_a_fork() {
    for linkage in Linkage::OURS {
        let compiled = Compile::c("programs/fork_runs.c").build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut command = linkage.command(&compiled).unwrap();
        command.arg(dir.path()).arg(ROUNDS.to_string());
        let done = output_within(&mut command, BOUND).unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, ["parent 0, child 0"; ROUNDS], "{linkage:?}: {}", done.status);
    }
}

/// Whatever the parent's other threads were doing when it was forked.
#[test]
fn children_that_a_callback_forks_serve() {
    let filter = Filter::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let mut session = filter.session("s");
    session.task("envfrom", &format!("children {} {CHILDREN}", dir.path().display()));
    session.mail();
    filter.wait_for(&format!("s children {CHILDREN} of {CHILDREN}"));
    session.rest();
    session.quit();
    filter.stop();
}

/// Time on a processor that a process has had, all its threads; Linux counts it in hundredths of a
/// second.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split(' ').collect();
    let ticks: u64 = fields[12..14].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Checks that a process hardly computes.
fn rests(pid: u32, threads: &str) {
    let (start, before) = (Instant::now(), processor_time(pid));
    std::thread::sleep(Duration::from_secs(2));
    let used = processor_time(pid) - before;
    assert!(used * 10 < start.elapsed(), "{threads}: {used:?} of {:?}", start.elapsed());
}

/// Closing a listener that another process has as well does not end its being watched: with a
/// connection that waits there, a loop that had not let go of it before would wake for nothing.
#[test]
fn a_shared_listener_is_let_go_of_while_messages_are_finished() {
    for threads in ["pool", "session"] {
        let mut command = Linkage::OursDynamic.command(&program()).unwrap();
        command.env("LIBMILTER_THREADS", threads);
        // The parent keeps it, and does nothing.
        let filter = Filter::launch_command(command, "unix:{dir}/socket", &["fork=1"]);
        let child = filter.wait_for("child ").replace("child ", "").parse().unwrap();
        filter.wait_for("ready ");
        let mut busy = filter.session("busy");
        busy.mail();
        let mut idle = filter.session("idle");
        // A stop removes the file, but for root; the socket stays the parent's.
        let path = filter.spec.to_string();
        let path = Path::new(path.strip_prefix("unix:").unwrap());
        let link = path.with_file_name("link");
        std::fs::hard_link(path, &link).unwrap();
        filter.signal(Signal::TERM);
        idle.closed();
        let _waits = UnixStream::connect(&link).unwrap();
        rests(child, threads);
        busy.rest();
        busy.closed();
        assert_eq!(filter.returned(1).0, "0");
        filter.end();
    }
}

/// The same for the socket of a session that is over: with more commands at once than others wait for, it has
/// been watched for room.
#[test]
fn a_shared_socket_is_let_go_of_when_its_session_ends() {
    let filter = Filter::start(&[]);
    let pipe = filter.pipe();
    let mut session = filter.session("first");
    session.task("helo", &format!("keep {}", pipe.path()));
    assert_eq!(session.ask(b'H', &["x"]), 'c');
    filter.wait_for("first kept 1");
    session.mail();
    for _ in 0..100 {
        session.client.queue_strings(b'R', &["<c@example.org>"]);
    }
    session.client.queue_strings(b'Q', &[""; 0]);
    session.client.flush().unwrap();
    for _ in 0..100 {
        assert_eq!(session.reply(), 'c');
    }
    filter.wait_for("first closed");
    rests(filter.milter.pid(), "pool");
    pipe.release();
    filter.stop();
}
