//! A running filter: started with a log file of its own, awaited by its socket, stopped by signal.

use crate::error::{Error, Result};
use crate::linkage::Linkage;
use crate::public;
use crate::syslog::Log;
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start or stop may take before the test fails; the reference needs 5 s to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at something that has no event to wait for.
pub const POLL: Duration = Duration::from_millis(2);

/// A filter process; killed when dropped.
#[derive(Debug)]
pub struct Milter {
    child: Child,
    log: Log,
    dir: TempDir,
}

impl Milter {
    /// Starts the command (from [`Linkage::command`]) with a directory and a log of its own.
    ///
    /// `prepare` gets the command and the directory, to put arguments such as the socket's path.
    pub fn start(
        mut command: Command,
        prepare: impl FnOnce(&mut Command, &std::path::Path),
    ) -> Result<Self> {
        let dir = public::tempdir()?;
        let log = Log::attach(&mut command, dir.path().join("log"));
        prepare(&mut command, dir.path());
        let child = command
            .spawn()
            .map_err(|e| Error(format!("cannot start {command:?}: {e}; was it compiled?")))?;
        Ok(Self { child, log, dir })
    }

    /// Starts a command with the specification of a unix socket in its directory, then these arguments, and
    /// waits until the socket accepts; gives the specification too.
    pub fn start_at_socket(command: Command, arguments: &[&str]) -> Result<(Self, String)> {
        let mut spec = String::new();
        let mut milter = Self::start(command, |command, dir| {
            spec = format!("unix:{}/socket", dir.display());
            command.arg(&spec).args(arguments);
        })?;
        milter.wait_for(&spec)?;
        Ok((milter, spec))
    }

    /// Waits until the connection spec (`unix:/path`, a path, or `inet:port@host`) accepts.
    ///
    /// The probe is a connection without commands: the filter sees xxfi_close for it.
    pub fn wait_for(&mut self, spec: &str) -> Result<()> {
        let start = Instant::now();
        while !accepts(spec) {
            if let Some(status) = self.child.try_wait().map_err(|e| Error::new("wait", e))? {
                let log = self.log.lines()?.join("\n");
                return Err(Error(format!(
                    "the filter ended ({status}) before {spec} accepted\n{log}"
                )));
            }
            if start.elapsed() > PATIENCE {
                return Err(Error(format!(
                    "{spec} does not accept after {} s",
                    PATIENCE.as_secs()
                )));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Fails unless the process has exactly the libraries of `linkage` mapped.
    pub fn check_mapped(&self, linkage: Linkage) -> Result<()> {
        linkage.check_mapped(self.child.id())
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Directory of this filter, removed with it.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Its syslog lines so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The child process, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).map_err(|e| Error::new("kill", e))
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(|e| Error::new("wait", e))? {
                return Ok(status);
            }
            if start.elapsed() > PATIENCE {
                return Err(Error(format!("process {} does not end", self.child.id())));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Sends SIGTERM and waits; smfi_main returns and the filter ends itself.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait()
    }
}

impl Drop for Milter {
    fn drop(&mut self) {
        // What has a pipe for its standard input ends with it, and all that it has started.
        if self.child.stdin.take().is_none() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn accepts(spec: &str) -> bool {
    match spec.split_once(':') {
        Some(("inet" | "inet6", address)) => {
            let (port, host) = address.split_once('@').unwrap_or((address, "localhost"));
            let host = host.trim_matches(['[', ']']);
            port.parse().is_ok_and(|port: u16| TcpStream::connect((host, port)).is_ok())
        }
        Some(("unix" | "local", path)) => UnixStream::connect(path).is_ok(),
        _ => UnixStream::connect(spec).is_ok(),
    }
}
