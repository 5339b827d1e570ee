//! A limit of threads is no trap: as long as one thread is not blocked, every session is served.

use super::runtime_support::blocking::Pipe;
use super::runtime_support::{Filter, Session, eventually, program};
use c_tests::{Compile, Linkage};
use std::path::{Path, PathBuf};

/// Sessions that are there before any callback blocks: some in each loop.
const WITNESSES: usize = 12;

fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// A filter that may have so many threads for callbacks.
fn with_limit(threads: usize) -> Filter {
    let mut command = Linkage::OursDynamic.command(&program()).unwrap();
    command.env("LIBMILTER_MAX_THREADS", threads.to_string());
    let filter = Filter::launch_command(command, "unix:{dir}/socket", &[]);
    filter.wait_for("ready ");
    filter
}

/// A file that keeps filters from starting threads for as long as it is there.
struct Shortage {
    dir: tempfile::TempDir,
}

impl Shortage {
    fn file(&self) -> PathBuf {
        self.dir.path().join("no threads")
    }

    fn begin(&self) {
        std::fs::write(self.file(), "").unwrap();
    }

    fn end(&self) {
        std::fs::remove_file(self.file()).unwrap();
    }

    /// Starts that have failed.
    fn failures(&self) -> u64 {
        std::fs::metadata(self.file()).unwrap().len()
    }
}

/// A filter with a shortage of threads yet to begin.
fn with_shortage(variables: &[(&str, &str)]) -> (Filter, Shortage) {
    let shortage = Shortage { dir: tempfile::tempdir().unwrap() };
    let shim = c_tests::paths::in_package(Path::new("programs/no_threads.c"));
    let program = Compile::c("milters/runtime.c").lib(shim.display().to_string()).build().unwrap();
    let mut command = Linkage::OursDynamic.command(&program).unwrap();
    command.env("NO_THREADS", shortage.file()).envs(variables.iter().copied());
    let filter = Filter::launch_command(command, "unix:{dir}/socket", &[]);
    filter.wait_for("ready ");
    (filter, shortage)
}

/// Sessions that were there before, and whether they are answered.
struct Witnesses(Vec<Session>);

impl Witnesses {
    fn new(filter: &Filter) -> Witnesses {
        Witnesses((0..WITNESSES).map(|n| filter.session(&format!("witness{n}"))).collect())
    }

    fn send(&mut self) {
        for session in &mut self.0 {
            session.send(b'H', &["me"]);
        }
    }

    fn are_answered(&mut self) {
        for session in &mut self.0 {
            assert_eq!(session.reply(), 'c');
        }
    }

    /// Each of them, and those that come now, several more than there are loops.
    fn are_served(&mut self, filter: &Filter) {
        self.send();
        self.are_answered();
        for n in 0..2 * cores() {
            let session = filter.session(&format!("new{n}"));
            session.deliver();
        }
    }
}

/// Blocks the nth callback.
fn block(filter: &Filter, n: usize) -> (Session, Pipe) {
    let pipe = filter.pipe();
    let mut session = filter.session(&format!("b{n}"));
    session.send(b'H', &[&format!("helo {}", pipe.block())]);
    filter.wait_for(&format!("b{n} blocked"));
    (session, pipe)
}

#[test]
fn with_fewer_blocked_callbacks_than_threads_everybody_is_served() {
    for limit in 2..=cores() + 2 {
        let filter = with_limit(limit);
        let mut witnesses = Witnesses::new(&filter);
        let mut blocked = Vec::new();
        for n in 1..limit {
            blocked.push(block(&filter, n));
            witnesses.are_served(&filter);
        }
        // The last thread, and in whatever order they come back.
        blocked.push(block(&filter, limit));
        witnesses.send();
        let middle = blocked.len() / 2;
        for n in [0, middle, middle / 2, 0] {
            if n < blocked.len() {
                let (mut session, pipe) = blocked.remove(n);
                pipe.release();
                assert_eq!(session.reply(), 'c', "limit {limit}");
                witnesses.are_answered();
                witnesses.are_served(&filter);
                witnesses.send();
            }
        }
        witnesses.are_answered();
        for (mut session, pipe) in blocked {
            pipe.release();
            assert_eq!(session.reply(), 'c', "limit {limit}");
        }
        filter.stop();
    }
}

/// As many loops as cores have a thread, and no other one can be had.
#[test]
fn without_more_threads_those_that_are_there_serve_everybody() {
    let (filter, shortage) = with_shortage(&[]);
    let mut witnesses = Witnesses::new(&filter);
    // Main, signals, and one for each loop.
    eventually("all threads are there", || filter.threads() == 2 + cores().min(16));
    shortage.begin();
    let mut blocked = Vec::new();
    for n in 1..cores() {
        blocked.push(block(&filter, n));
        witnesses.are_served(&filter);
    }
    shortage.end();
    // With as many as it takes, all is as before.
    for n in cores()..cores() + 4 {
        blocked.push(block(&filter, n));
        witnesses.are_served(&filter);
    }
    for (mut session, pipe) in blocked {
        pipe.release();
        assert_eq!(session.reply(), 'c');
    }
    filter.stop();
}

/// Not only when the next session happens to end.
#[test]
fn a_session_without_its_own_thread_gets_one_as_soon_as_it_can() {
    let (filter, shortage) = with_shortage(&[("LIBMILTER_THREADS", "session")]);
    // The filter serves: what it begins with are threads, too.
    filter.session("before").quit();
    shortage.begin();
    let mut first = Session { client: filter.connect() };
    first.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    first.client.flush().unwrap();
    eventually("several tries", || shortage.failures() > 20);
    let mut second = Session { client: filter.connect() };
    second.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    second.client.flush().unwrap();
    shortage.end();
    for session in [&mut first, &mut second] {
        assert_eq!(session.reply(), 'O');
    }
    first.quit();
    second.quit();
    filter.stop();
}
