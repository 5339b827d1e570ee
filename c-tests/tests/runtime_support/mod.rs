//! `milters/runtime.c` under test: started with options, watched by its events, driven by clients.

#![allow(dead_code, reason = "runtime_own_threads uses a part of its copy")]

pub(crate) mod blocking;
mod description;
pub(crate) mod faults;
mod session;

use c_tests::linkage::sanitizer_threads;
use c_tests::milter::POLL;
use c_tests::syslog::FILE_VARIABLE;
use c_tests::{Compile, Linkage, Milter, Program};
use milter_mta::{Client, ConnSpec};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

pub(crate) use description::Description;
pub(crate) use session::{BOUND, Session};

/// Events of a filter, as they come.
#[derive(Default)]
struct Events {
    lines: Mutex<(Vec<String>, bool)>,
    news: Condvar,
}

/// A running `runtime.c`.
pub(crate) struct Filter {
    pub(crate) milter: Milter,
    pub(crate) spec: ConnSpec,
    events: Arc<Events>,
    stdin: Option<ChildStdin>,
    pipes: AtomicUsize,
}

pub(crate) fn program() -> Program {
    Compile::c("milters/runtime.c").build().unwrap()
}

impl Filter {
    /// Starts it on a unix socket with our library, and waits until the socket is there.
    pub(crate) fn start(options: &[&str]) -> Filter {
        Filter::start_with(Linkage::OursDynamic, options)
    }

    pub(crate) fn start_with(linkage: Linkage, options: &[&str]) -> Filter {
        let filter = Filter::launch(linkage, "unix:{dir}/socket", options);
        filter.wait_for("ready ");
        filter
    }

    /// Starts it without waiting; `{dir}` in the specification is its directory.
    ///
    /// `runtime_own_threads` runs tests of the others, and a copy of this module, with a thread for
    /// each session.
    pub(crate) fn launch(linkage: Linkage, spec: &str, options: &[&str]) -> Filter {
        Filter::launch_with(linkage, &[], spec, options)
    }

    /// Starts it on a unix socket with our library and environment variables, and waits until the
    /// socket is there.
    pub(crate) fn start_env(variables: &[(&str, &str)], options: &[&str]) -> Filter {
        let spec = "unix:{dir}/socket";
        let filter = Filter::launch_with(Linkage::OursDynamic, variables, spec, options);
        filter.wait_for("ready ");
        filter
    }

    fn launch_with(
        linkage: Linkage,
        variables: &[(&str, &str)],
        spec: &str,
        options: &[&str],
    ) -> Filter {
        let mut command = linkage.command(&program()).unwrap();
        command.envs(variables.iter().copied());
        let mut options = options.to_vec();
        let reference = matches!(linkage, Linkage::ReferenceDynamic | Linkage::ReferenceStatic);
        if module_path!().contains("::runtime_own_threads::") && !reference {
            command.env("LIBMILTER_THREADS", "session");
            options.push("own=1");
        }
        Filter::launch_command(command, spec, &options)
    }

    /// As [`Filter::launch`], with a command that runs the program.
    pub(crate) fn launch_command(command: Command, spec: &str, options: &[&str]) -> Filter {
        // The test puts in what port the system has chosen.
        let served = |place: &str| place.replace(":0@", ":1@").parse().unwrap();
        Filter::launch_served(command, spec, served, options)
    }

    /// The same; `served` has the specification for clients.
    pub(crate) fn launch_served(
        mut command: Command,
        spec: &str,
        served: impl FnOnce(&str) -> ConnSpec,
        options: &[&str],
    ) -> Filter {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env("RUST_BACKTRACE", "1");
        let mut place = String::new();
        let mut milter = Milter::start(command, |command, dir| {
            place = spec.replace("{dir}", &dir.display().to_string());
            command.arg(&place).args(options);
            // Log lines by way of stderr: neither another user nor a lack of descriptors can be in
            // the way of that.
            let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
            command.env_remove(FILE_VARIABLE).stderr(log);
        })
        .unwrap();
        let stdin = milter.child().stdin.take();
        let stdout = milter.child().stdout.take().unwrap();
        let events = Arc::new(Events::default());
        let sink = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sink.lines.lock().unwrap().0.push(line);
                sink.news.notify_all();
            }
            sink.lines.lock().unwrap().1 = true;
            sink.news.notify_all();
        });
        Filter { milter, spec: served(&place), events, stdin, pipes: 0.into() }
    }

    /// All events so far; none may be an error.
    pub(crate) fn events(&self) -> Vec<String> {
        let lines = self.events.lines.lock().unwrap().0.clone();
        if let Some(error) = lines.iter().find(|line| line.starts_with("ERROR")) {
            panic!("{error}; log: {:#?}", self.log());
        }
        lines
    }

    /// Waits until the events satisfy a condition.
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + BOUND;
        let mut lines = self.events.lines.lock().unwrap();
        while !done(&lines.0) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.1 {
                let tail: Vec<_> = lines.0.iter().rev().take(40).rev().cloned().collect();
                let ended = lines.1;
                drop(lines);
                panic!("no {what} (ended: {ended}); events: {tail:#?}\nlog: {:#?}", self.log());
            }
            lines = self.events.news.wait_timeout(lines, left).unwrap().0;
        }
        drop(lines);
        self.events()
    }

    /// Waits for an event that begins so, and gives it.
    pub(crate) fn wait_for(&self, start: &str) -> String {
        self.wait_for_nth(start, 1)
    }

    /// Waits for the nth event that begins so, and gives it.
    pub(crate) fn wait_for_nth(&self, start: &str, n: usize) -> String {
        let begins = |line: &&String| line.starts_with(start);
        let lines = self.wait_until(&format!("event {n} \"{start}…\""), |lines| {
            lines.iter().filter(begins).count() >= n
        });
        lines.iter().filter(begins).nth(n - 1).unwrap().clone()
    }

    /// How many events are exactly this.
    pub(crate) fn count(&self, event: &str) -> usize {
        self.events().iter().filter(|line| *line == event).count()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.milter.log().lines().unwrap()
    }

    /// A connection on which nothing was said yet.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.spec, BOUND).unwrap()
    }

    /// A session that has negotiated and told its name.
    pub(crate) fn session(&self, name: &str) -> Session {
        let mut session = Session { client: self.connect() };
        session.introduce(name);
        session
    }

    /// Signals the process, or its child if it has forked.
    pub(crate) fn signal(&self, signal: Signal) {
        let events = self.events();
        let child = events.iter().find_map(|line| line.strip_prefix("child "));
        match child {
            Some(pid) => {
                let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
                kill_process(pid, signal).unwrap();
            }
            None => self.milter.signal(signal).unwrap(),
        }
    }

    /// Waits for smfi_main to return: its result, and how the process looks afterwards.
    pub(crate) fn returned(&self, n: usize) -> (String, Description) {
        let result = self.wait_for_nth("main returned ", n);
        let after = self.wait_for_nth("after ", n);
        (result.replace("main returned ", ""), Description::parse(&after))
    }

    /// How the process looked before it called anything: it inherits what the test has open.
    pub(crate) fn start_state(&self) -> Description {
        Description::parse(&self.wait_for("start "))
    }

    /// How the process looked before smfi_main.
    pub(crate) fn ready(&self) -> Description {
        Description::parse(&self.wait_for("ready "))
    }

    /// Lets the program end after smfi_main, which must have been asked to stop.
    pub(crate) fn end(mut self) -> (Vec<String>, Vec<String>) {
        drop(self.stdin.take());
        let status = self.milter.wait().unwrap();
        assert!(status.success(), "{status}; {:#?}", self.log());
        let events = self.wait_until_ended();
        (events, self.log())
    }

    fn wait_until_ended(&self) -> Vec<String> {
        let mut lines = self.events.lines.lock().unwrap();
        while !lines.1 {
            lines = self.events.news.wait(lines).unwrap();
        }
        drop(lines);
        self.events()
    }

    /// Stops it by TERM and checks that all went well.
    pub(crate) fn stop(self) -> (Vec<String>, Vec<String>) {
        self.signal(Signal::TERM);
        let (result, _) = self.returned(1);
        assert_eq!(result, "0");
        self.end()
    }

    /// Threads of the process now.
    pub(crate) fn threads(&self) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.milter.pid())).unwrap();
        tasks.count() - sanitizer_threads()
    }
}

/// Starts a filter that takes its address as an argument, and has one session with it that has negotiated.
pub(crate) fn start_with_session(command: Command) -> (Milter, Session) {
    let (milter, spec) = Milter::start_at_socket(command, &[]).unwrap();
    let client = Client::connect(&spec.parse().unwrap(), BOUND).unwrap();
    let mut session = Session { client };
    session.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    session.client.flush().unwrap();
    assert_eq!(session.reply(), 'O');
    (milter, session)
}

/// Lets a second pass, which is the timeout of another filter.
pub(crate) fn let_a_timeout_pass() {
    let clock = Filter::start(&["timeout=1"]);
    let mut session = clock.session("clock");
    session.closed();
    clock.stop();
}

/// The system's lines about unix sockets that listen; connections to them have their paths, too.
pub(crate) fn listening() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let lines = table.lines().filter(|line| line.contains(" 00010000 "));
    lines.map(str::to_owned).collect()
}

/// Polls until a condition holds.
pub(crate) fn eventually(what: &str, done: impl Fn() -> bool) {
    eventually_or(|| what.to_owned(), done);
}

/// The same; what is said if it does not hold is made up then.
pub(crate) fn eventually_or(what: impl Fn() -> String, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < BOUND, "{}: not within {} s", what(), BOUND.as_secs());
        std::thread::sleep(POLL);
    }
}
