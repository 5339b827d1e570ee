//! One process under measurement.

use crate::probe::{self, Usage};
use crate::subject::{Programs, Subject};
use c_tests::{Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::{self, File};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a start or a stop may take; the reference needs 5 s to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// Name of the file that holds what a server logs.
const LOG: &str = "log";

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A port of the loopback interface.
    Tcp(SocketAddr),
}

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Listen on TCP rather than on a unix socket.
    pub tcp: bool,
    /// Arguments beside the address.
    pub arguments: Vec<String>,
    /// Run on this CPU only.
    pub cpu: Option<usize>,
    /// Put in front of the command line, such as a tracer.
    pub wrapper: Vec<String>,
}

impl Setup {
    /// On a unix socket, without arguments.
    pub const PLAIN: Setup =
        Setup { tcp: false, arguments: Vec::new(), cpu: None, wrapper: Vec::new() };

    /// The same with arguments.
    pub fn with(mut self, arguments: &[&str]) -> Setup {
        self.arguments.extend(arguments.iter().map(|a| (*a).to_owned()));
        self
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    dir: TempDir,
    /// Where it listens.
    pub address: Address,
    /// From the start of the process until it accepted a connection.
    pub started_in: Duration,
}

impl Server {
    /// Starts a subject and waits until it accepts.
    pub fn start(programs: &Programs, subject: Subject, setup: &Setup) -> Result<Server> {
        let dir = tempfile::tempdir().map_err(|e| Error::new("make a temporary directory", e))?;
        let address = match setup.tcp {
            false => Address::Unix(dir.path().join("socket")),
            true => Address::Tcp(free_port()?),
        };
        let spec = match &address {
            Address::Unix(path) => format!("unix:{}", path.display()),
            Address::Tcp(at) => format!("inet:{}@127.0.0.1", at.port()),
        };
        let mut command = wrapped(programs.command(subject)?, &setup.wrapper);
        // Log lines go there as well: a file opened later could not be when descriptors run out.
        let log = File::create(dir.path().join(LOG)).map_err(|e| Error::new(LOG, e))?;
        command.arg("-p").arg(&spec).args(&setup.arguments).stdout(Stdio::piped()).stderr(log);
        let _pinned = setup.cpu.map(Pinned::to).transpose()?;
        let start = Instant::now();
        let child = command.spawn().map_err(|e| Error(format!("cannot start {command:?}: {e}")))?;
        let mut server = Server { child, dir, address, started_in: Duration::ZERO };
        server.wait_ready(start)?;
        server.started_in = start.elapsed();
        if setup.wrapper.is_empty() {
            Programs::check(subject, server.pid())?;
        }
        Ok(server)
    }

    fn wait_ready(&mut self, start: Instant) -> Result<()> {
        loop {
            let accepted = match &self.address {
                Address::Unix(path) => UnixStream::connect(path).is_ok(),
                Address::Tcp(at) => TcpStream::connect(at).is_ok(),
            };
            if accepted {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().map_err(|e| Error::new("wait", e))? {
                let log = self.log_lines()?.join("\n");
                return Err(Error(format!("the server ended at once ({status})\n{log}")));
            }
            if start.elapsed() > PATIENCE {
                return Err(Error(format!("no connection after {} s", PATIENCE.as_secs())));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU time so far.
    pub fn cpu_time(&self) -> Result<Duration> {
        probe::cpu_time(self.pid())
    }

    /// Memory and threads now.
    pub fn usage(&self) -> Result<Usage> {
        probe::usage(self.pid())
    }

    /// Lines it has logged, or written to standard error.
    pub fn log_lines(&self) -> Result<Vec<String>> {
        let path = self.dir.path().join(LOG);
        let text = fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).map_err(|e| Error::new("kill", e))
    }

    /// Sends SIGTERM and waits for the end: status, standard output, and how long it took.
    pub fn stop(mut self) -> Result<(ExitStatus, String, Duration)> {
        let start = Instant::now();
        self.signal(Signal::TERM)?;
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(|e| Error::new("wait", e))? {
                break status;
            }
            if start.elapsed() > PATIENCE {
                return Err(Error(format!("no end {} s after SIGTERM", PATIENCE.as_secs())));
            }
            std::thread::sleep(Duration::from_micros(200));
        };
        let took = start.elapsed();
        let mut text = String::new();
        if let Some(stdout) = &mut self.child.stdout {
            stdout.read_to_string(&mut text).map_err(|e| Error::new("read standard output", e))?;
        }
        Ok((status, text, took))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Puts a wrapper such as a tracer in front of a command line, with its environment.
fn wrapped(command: std::process::Command, wrapper: &[String]) -> std::process::Command {
    let Some((program, arguments)) = wrapper.split_first() else { return command };
    let mut outer = std::process::Command::new(program);
    outer.args(arguments);
    outer.arg(command.get_program()).args(command.get_args());
    c_tests::start::copy_variables(&command, &mut outer);
    outer
}

fn free_port() -> Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|e| Error::new("find a free TCP port", e))
}

/// Keeps the calling thread, and what it starts, on one CPU until dropped.
#[derive(Debug)]
pub struct Pinned {
    before: CpuSet,
}

impl Pinned {
    /// Moves the calling thread.
    pub fn to(cpu: usize) -> Result<Pinned> {
        let fail = |e| Error::new(format!("pin to CPU {cpu}"), e);
        let before = sched_getaffinity(None).map_err(fail)?;
        let mut only = CpuSet::new();
        only.set(cpu);
        sched_setaffinity(None, &only).map_err(fail)?;
        Ok(Pinned { before })
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // The set was in force before, so it is a valid one.
        let _restored = sched_setaffinity(None, &self.before);
    }
}
