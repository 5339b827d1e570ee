//! A filter that blocks at the end of a message, behind Postfix: with progress it outlives Postfix's
//! patience, with a limit the client is told to come again.

use crate::support::{SHORT, eventually};
use compliance::filter::{Filter, Socket, compiled};
use compliance::{Linkage, Mta};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

/// A filter whose callback is blocked, until the file is dropped.
struct Blocked {
    filter: Filter,
    pipe: PathBuf,
    writer: Option<File>,
    trace: PathBuf,
}

impl Blocked {
    fn start((name, value): (&str, &str)) -> Blocked {
        let linkage = Linkage::OursDynamic;
        let mut command = compiled(linkage, "compliance/milters/blocked.c").unwrap();
        command.env(name, value);
        let (mut pipe, mut trace) = (PathBuf::new(), PathBuf::new());
        let filter = Filter::start(linkage, command, Socket::Inet, |command, dir, spec| {
            (pipe, trace) = (dir.join("pipe"), dir.join("trace"));
            mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
            command.args([Path::new(spec), &pipe]).env("LIBMILTER_TRACE", &trace);
        })
        .unwrap();
        let writer = Some(File::options().read(true).write(true).open(&pipe).unwrap());
        Blocked { filter, pipe, writer, trace }
    }

    fn release(&mut self) {
        std::fs::remove_file(&self.pipe).unwrap();
        self.writer = None;
    }

    /// How many signs of life the MTA has been sent.
    fn progress(&self) -> usize {
        let trace = std::fs::read_to_string(&self.trace).unwrap_or_default();
        trace.lines().filter(|line| line.contains(" progress")).count()
    }

    fn wait_for_progress(&self, signs: usize) {
        eventually(
            || self.progress() >= signs,
            || std::fs::read_to_string(&self.trace).unwrap_or_default(),
        );
    }

    /// The MTA may have its answer before the line is written.
    fn wait_for_line(&self, says: impl Fn(&str) -> bool) {
        let log = || self.filter.log_lines().unwrap();
        eventually(|| log().iter().any(|line| says(line)), || log().join("\n"));
    }
}

/// Six signs of life, a second at least between two of them, take longer than five seconds.
#[test]
fn with_progress_postfix_waits_for_longer_than_it_would() {
    let mut blocked = Blocked::start(("LIBMILTER_PROGRESS", "1"));
    let mta = Mta::postfix()
        .milter(blocked.filter.spec())
        .line("milter_content_timeout = 5s")
        .start()
        .unwrap();
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut smtp = mta.smtp().unwrap();
            smtp.send("a@a.example", &["b@b.example"], SHORT).unwrap();
            smtp.quit().unwrap()
        });
        blocked.wait_for_progress(6);
        blocked.release();
        let said = client.join().unwrap().join("\n");
        assert!(said.contains("queued as"), "{said}");
    });
    mta.settle().unwrap();
    let delivered = mta.deliveries().unwrap();
    let [delivery] = &delivered[..] else { panic!("{delivered:?}") };
    assert!(delivery.message.contains("X-Seen: late"), "{}", delivery.message);
    assert!(!mta.log().contains("warning: milter"), "{}", mta.log());
}

/// Postfix itself would wait for a minute. It has the filter for the next message when the callback has
/// returned.
#[test]
fn with_a_limit_the_client_is_told_to_come_again() {
    let mut blocked = Blocked::start(("LIBMILTER_CALLBACK_LIMIT", "1"));
    let mta = Mta::postfix().milter(blocked.filter.spec()).start().unwrap();
    let mut smtp = mta.smtp().unwrap();
    smtp.send("a@a.example", &["b@b.example"], SHORT).unwrap();
    let reply = smtp.transcript().last().unwrap().clone();
    assert!(reply.starts_with("S: 451 4.7.1"), "{reply}");
    let told = "xxfi_eom has run for ";
    blocked.wait_for_line(|line| line.contains(told) && line.contains("queue id "));
    blocked.release();
    smtp.send("a@a.example", &["c@b.example"], SHORT).unwrap();
    let said = smtp.quit().unwrap().join("\n");
    assert!(said.contains("queued as"), "{said}");
    mta.settle().unwrap();
    let delivered = mta.deliveries().unwrap();
    let [delivery] = &delivered[..] else { panic!("{delivered:?}") };
    assert_eq!(delivery.recipient, "c@b.example");
    assert!(!mta.log().contains("warning: milter"), "{}", mta.log());
}
