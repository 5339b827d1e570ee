//! Counts the system calls of a running server.
//!
//! The kernel counts them for `perf` where it may: that slows nothing. `strace` stops a thread twice for each
//! call, which makes a message take some twenty times as long. What a server does by the clock, as our
//! supervisor, is then counted as often, and calls race that else do not.

use crate::server::Server;
use c_tests::{Error, Result};
use rustix::io::{FdFlags, fcntl_setfd};
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;

/// The event that `perf` counts.
const EVENT: &str = "raw_syscalls:sys_enter";

/// Whether `perf` can count; if not, standard error tells why the figures are higher.
pub fn is_undisturbed() -> bool {
    static UNDISTURBED: OnceLock<bool> = OnceLock::new();
    *UNDISTURBED.get_or_init(|| {
        let output = perf().arg("true").output();
        let counts = output.is_ok_and(|output| counted(&output.stderr).is_some());
        if !counts {
            eprintln!(
                "perf can't count system calls here (Debian has it in linux-perf; it needs root and \
                 tracefs); strace does, which slows the server and counts more"
            );
        }
        counts
    })
}

/// `perf stat`, up to what it is to look at.
fn perf() -> Command {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ",", "-e", EVENT]);
    perf
}

/// The number in perf's line of values with commas between them.
fn counted(text: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.parse().ok()
}

/// Counts the calls of all threads of a server.
#[derive(Debug)]
pub enum Counter {
    /// In the kernel.
    Perf(Perf),
    /// By stopping it at each.
    Strace(Strace),
}

impl Counter {
    /// Begins.
    pub fn attach(server: &Server) -> Result<Counter> {
        match is_undisturbed() {
            true => Perf::attach(server).map(Counter::Perf),
            false => Strace::attach(server).map(Counter::Strace),
        }
    }

    /// Ends the server, and gives the number of calls.
    pub fn finish(self, server: Server) -> Result<u64> {
        match self {
            Counter::Perf(perf) => perf.finish(server),
            Counter::Strace(strace) => strace.finish(server),
        }
    }
}

/// perf on a server.
#[derive(Debug)]
pub struct Perf {
    perf: Child,
    control: PipeWriter,
    acknowledged: BufReader<PipeReader>,
}

impl Perf {
    fn attach(server: &Server) -> Result<Perf> {
        let fail = |e| Error::new("make a pipe to perf", e);
        let (theirs, control) = pipe().map_err(fail)?;
        let (acknowledged, they_say) = pipe().map_err(fail)?;
        for inherited in
            [fcntl_setfd(&theirs, FdFlags::empty()), fcntl_setfd(&they_say, FdFlags::empty())]
        {
            inherited.map_err(|e| Error::new("let perf have a pipe", e))?;
        }
        let control_by = format!("fd:{},{}", theirs.as_raw_fd(), they_say.as_raw_fd());
        let perf = perf()
            // It counts when it is told to.
            .args(["-D", "-1", "--control", &control_by, "-p", &server.pid().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| Error::new("cannot run perf", e))?;
        let mut counter = Perf { perf, control, acknowledged: BufReader::new(acknowledged) };
        // Its are the only ones now, so that its end is the end of what it says.
        drop((theirs, they_say));
        counter.tell("enable")?;
        Ok(counter)
    }

    /// Has it do something, and waits until it has.
    fn tell(&mut self, what: &str) -> Result<()> {
        let fail = |e| Error::new(format!("tell perf to {what}"), e);
        writeln!(self.control, "{what}").map_err(fail)?;
        let mut line = Vec::new();
        self.acknowledged.read_until(b'\n', &mut line).map_err(fail)?;
        // A NUL follows each.
        match line.ends_with(b"ack\n") {
            true => Ok(()),
            false => Err(Error(format!("perf did not {what}: \"{}\"", line.escape_ascii()))),
        }
    }

    fn finish(mut self, server: Server) -> Result<u64> {
        self.tell("disable")?;
        drop(server);
        let output = self.perf.wait_with_output().map_err(|e| Error::new("wait for perf", e))?;
        let text = || String::from_utf8_lossy(&output.stderr).into_owned();
        counted(&output.stderr).ok_or_else(|| Error(format!("perf printed no count:\n{}", text())))
    }
}

/// strace on all threads of a server.
#[derive(Debug)]
pub struct Strace {
    strace: Child,
    lines: BufReader<ChildStderr>,
}

impl Strace {
    fn attach(server: &Server) -> Result<Strace> {
        let mut strace = Command::new("strace")
            .args(["-f", "-c", "-U", "calls,name", "-p", &server.pid().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| Error(format!("cannot run strace: {e}; apt-get install strace")))?;
        let stderr = strace.stderr.take().ok_or_else(|| Error("strace has no stderr".into()))?;
        let mut counter = Strace { strace, lines: BufReader::new(stderr) };
        // It says so once it is attached to all threads.
        let mut line = String::new();
        counter.lines.read_line(&mut line).map_err(|e| Error::new("read from strace", e))?;
        match line.contains("attached") {
            true => Ok(counter),
            false => Err(Error(format!("strace could not attach: {}", line.trim()))),
        }
    }

    fn finish(mut self, server: Server) -> Result<u64> {
        drop(server);
        let mut text = String::new();
        self.lines.read_to_string(&mut text).map_err(|e| Error::new("read from strace", e))?;
        self.strace.wait().map_err(|e| Error::new("wait for strace", e))?;
        total(&text).ok_or_else(|| Error(format!("strace printed no total:\n{text}")))
    }
}

/// The number in the line that ends in "total".
fn total(table: &str) -> Option<u64> {
    let line = table.lines().rfind(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_a_table() {
        let table = "    calls syscall\n--------- ----------------\n       12 recvfrom\n        3 sendto\n--------- ----------------\n       15 total\n";
        assert_eq!(total(table), Some(15));
        assert_eq!(total("nothing"), None);
    }

    #[test]
    fn the_count_is_read_from_values() {
        let values = b"Events disabled\n\n29,,raw_syscalls:sys_enter,521557,100.00,,\n";
        assert_eq!(counted(values), Some(29));
        assert_eq!(counted(b"<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
        assert_eq!(counted(b"event syntax error: 'raw_syscalls:sys_enter'"), None);
    }
}
