//! A running trace filter of one registration.

use super::script::CALLBACKS;
use super::text::number;
use crate::compile::{Compile, Program};
use crate::error::{Error, Result};
use crate::linkage::{Linkage, is_sanitized};
use crate::syslog;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use rustix::process::{Pid, Signal, kill_process};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// Longest wait for anything a filter does at once; reached only when a test fails.
pub const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// What `smfi_register` gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registration {
    /// Bit n: the n-th of [`CALLBACKS`] is set.
    pub callbacks: u16,
    /// `xxfi_version`.
    pub version: i64,
    /// `xxfi_flags`.
    pub flags: i64,
    /// `xxfi_name`.
    pub name: String,
    /// TCP in place of a unix socket.
    pub tcp: bool,
}

/// Every callback but xxfi_negotiate, every action.
impl Default for Registration {
    fn default() -> Self {
        Self {
            callbacks: 0x0fff,
            version: 0x0100_0001,
            flags: 0x1ff,
            name: "trace".into(),
            tcp: false,
        }
    }
}

impl Registration {
    /// Parses `-eoh +negotiate none version=4 flags=0x1 name=x tcp`.
    pub fn parse(text: &str) -> Result<Self> {
        let mut out = Self::default();
        let bit = |name: &str| {
            let at = CALLBACKS.iter().position(|known| *known == name);
            at.map(|n| 1_u16 << n).ok_or_else(|| Error(format!("no callback {name:?}")))
        };
        for word in text.split_whitespace() {
            if let Some(name) = word.strip_prefix('-') {
                out.callbacks &= !bit(name)?;
            } else if let Some(name) = word.strip_prefix('+') {
                out.callbacks |= bit(name)?;
            } else if let Some(value) = word.strip_prefix("version=") {
                out.version = number(value)?;
            } else if let Some(value) = word.strip_prefix("flags=") {
                out.flags = number(value)?;
            } else if let Some(value) = word.strip_prefix("name=") {
                out.name = value.to_owned();
            } else if word == "tcp" {
                out.tcp = true;
            } else if word == "none" {
                out.callbacks = 0;
            } else if word == "all" {
                out.callbacks = 0x1fff;
            } else {
                return Err(Error(format!("no filter setting {word:?}")));
            }
        }
        Ok(out)
    }

    /// Whether a callback is set.
    pub fn has(&self, callback: &str) -> bool {
        CALLBACKS
            .iter()
            .position(|known| *known == callback)
            .is_some_and(|n| self.callbacks >> n & 1 == 1)
    }
}

/// Where the filter listens.
#[derive(Debug)]
enum Address {
    Unix(String),
    Tcp(SocketAddr),
}

/// The trace filter, compiled.
pub fn program() -> Result<Program> {
    Compile::c("milters/trace.c").build()
}

/// A running trace filter; killed when dropped.
#[derive(Debug)]
pub struct TraceMilter {
    child: Child,
    control: OwnedFd,
    address: Address,
    /// Whether it ends by itself, for a sanitizer to look for leaks; else it is killed.
    stops: bool,
    _dir: TempDir,
}

/// A connection of any transport.
pub type Connection = OwnedFd;

impl TraceMilter {
    /// Starts a filter and waits until it listens.
    pub fn start(program: &Program, linkage: Linkage, registration: &Registration) -> Result<Self> {
        let fail = |e: std::io::Error| Error::new("start the trace filter", e);
        let dir = tempfile::tempdir().map_err(fail)?;
        let (control, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(|e| fail(e.into()))?;
        let mut command = linkage.command(program)?;
        let (spec, address) = if registration.tcp {
            let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(fail)?;
            let address = listener.local_addr().map_err(fail)?;
            command.stdout(Stdio::from(OwnedFd::from(listener)));
            ("fd:1".to_owned(), Address::Tcp(address))
        } else {
            let path = dir.path().join("socket").display().to_string();
            (format!("unix:{path}"), Address::Unix(path))
        };
        command.arg(spec).arg(registration.version.to_string());
        command.arg(registration.flags.to_string()).arg(&registration.name);
        command.args(CALLBACKS.iter().filter(|name| registration.has(name)));
        command.stdin(Stdio::from(theirs)).env(syslog::FD_VARIABLE, "0");
        let child = command.spawn().map_err(fail)?;
        // The child's end must live in the child only: its death is then visible here.
        drop(command);
        let stops = linkage.is_ours() && is_sanitized();
        let milter = Self { child, control, address, stops, _dir: dir };
        match milter.receive(&PATIENCE)? {
            Some(line) if line == "ready" => Ok(milter),
            other => Err(Error(format!("{registration:?} does not start: {other:?}"))),
        }
    }

    /// A new connection to the filter.
    pub fn connect(&self) -> Result<Connection> {
        match &self.address {
            Address::Unix(path) => UnixStream::connect(path).map(OwnedFd::from),
            Address::Tcp(address) => TcpStream::connect(address).map(OwnedFd::from),
        }
        .map_err(|e| Error::new("connect to the trace filter", e))
    }

    /// Hands the filter the script of the next session.
    pub fn set_script(&self, script: &str) -> Result<()> {
        // A message of no bytes would look like the end of the channel.
        let text = if script.is_empty() { "\n" } else { script };
        send(&self.control, text.as_bytes(), SendFlags::NOSIGNAL)
            .map(drop)
            .map_err(|e| Error::new("send a script to the trace filter", e))
    }

    /// The control channel, for polling.
    pub fn control(&self) -> &OwnedFd {
        &self.control
    }

    /// The next line if there is one; an error if the process has ended.
    pub fn next_line(&self) -> Result<Option<String>> {
        let mut buffer = [0; 16384];
        match recv(&self.control, &mut buffer, RecvFlags::DONTWAIT) {
            Ok((0, _)) => Err(Error("the filter process ended".into())),
            Ok((n, _)) => Ok(Some(String::from_utf8_lossy(&buffer[..n]).into_owned())),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(e) => Err(Error::new("the control channel", e)),
        }
    }

    /// Waits for a line.
    pub fn receive(&self, patience: &Timespec) -> Result<Option<String>> {
        let mut fds = [PollFd::from_borrowed_fd(self.control.as_fd(), PollFlags::IN)];
        poll(&mut fds, Some(patience)).map_err(|e| Error::new("poll", e))?;
        self.next_line()
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, once it has.
    pub fn ended(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(e) => e.to_string(),
        }
    }
}

impl Drop for TraceMilter {
    fn drop(&mut self) {
        if !self.stops || kill_process(Pid::from_child(&self.child), Signal::TERM).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
