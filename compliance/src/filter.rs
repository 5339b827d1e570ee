//! A milter of any kind as a process with a chosen library.

use crate::observation::Observation;
use c_tests::{Compile, Error, Linkage, Milter, Packages, Result, paths};
use rustix::process::Signal;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

/// A TCP port of 127.0.0.1 that nothing listens on and no other test gets.
///
/// Not one that the system gives to outgoing connections, which may do so before it is used.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Kept until this process ends.
    static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    // Test programs that run at the same time begin at different places.
    let start = std::process::id().wrapping_mul(97) as u16;
    for _ in 0..FREE_PORTS.len() {
        let n = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FREE_PORTS.start + n % FREE_PORTS.len() as u16;
        // An abstract socket, of which there is one on a machine, says that the port is taken: what
        // will listen on it has not begun yet.
        let name = SocketAddr::from_abstract_name(format!("libmilter-test-port-{port}"));
        let reserved = name.and_then(|name| UnixListener::bind_addr(&name));
        // To listen on it for a try would not do: a child just forked elsewhere has a copy until it
        // runs its program, and that accepts what is meant for the filter.
        if let Ok(reserved) = reserved
            && TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
        {
            RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(reserved);
            return Ok(port);
        }
    }
    Err(Error(format!("no free port of 127.0.0.1 in {FREE_PORTS:?}")))
}

/// Below those of outgoing connections, on Linux 32768 and up.
const FREE_PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A program of unpacked packages as a command that runs with the library and finds its others.
pub fn packaged(linkage: Linkage, packages: &Packages, program: &str) -> Result<Command> {
    let mut command = Command::new(packages.root.join(program));
    apply(linkage, &mut command, packages)?;
    Ok(command)
}

/// Sets the loader's environment of a command: the chosen libmilter, then the packages' libraries.
pub fn apply(linkage: Linkage, command: &mut Command, packages: &Packages) -> Result<()> {
    linkage.apply(command)?;
    let libmilter = command.get_envs().find(|(name, _)| *name == "LD_LIBRARY_PATH");
    let mut path = libmilter.and_then(|(_, value)| value).unwrap_or_default().to_owned();
    path.push(":");
    path.push(&packages.libraries);
    command.env("LD_LIBRARY_PATH", path);
    Ok(())
}

/// A C filter of this repository, such as `examples-c/rewrite.c`, as a command with the library.
pub fn compiled(linkage: Linkage, source: &str) -> Result<Command> {
    let source = paths::workspace().join(source);
    linkage.command(&Compile::c(source).flag("-Wextra").flag("-Werror").build()?)
}

/// Where a filter listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A port of 127.0.0.1.
    Inet,
    /// A unix socket in the filter's directory.
    Unix,
}

/// A running filter, its connection specification, and its directory.
#[derive(Debug)]
pub struct Filter {
    milter: Milter,
    spec: String,
    socket: Option<PathBuf>,
}

impl Filter {
    /// Starts a filter and waits until its socket accepts; checks which library it runs with.
    ///
    /// `prepare` gets the command, its directory (removed with it) and the connection spec.
    pub fn start(
        linkage: Linkage,
        command: Command,
        socket: Socket,
        prepare: impl FnOnce(&mut Command, &Path, &str),
    ) -> Result<Self> {
        let filter = Self::start_unchecked(command, socket, prepare)?;
        filter.milter.check_mapped(linkage)?;
        Ok(filter)
    }

    /// The same for a command whose process is not the filter itself, as a daemon forks: check
    /// the library with [`Linkage::check_mapped`] and the daemon's process id.
    pub fn start_unchecked(
        command: Command,
        socket: Socket,
        prepare: impl FnOnce(&mut Command, &Path, &str),
    ) -> Result<Self> {
        let inet = format!("inet:{}@127.0.0.1", free_port()?);
        let mut spec = inet;
        let mut path = None;
        let mut milter = Milter::start(command, |command, dir| {
            if socket == Socket::Unix {
                let file = dir.join("socket");
                spec = format!("unix:{}", file.display());
                path = Some(file);
            }
            prepare(command, dir, &spec);
        })?;
        milter.wait_for(&spec)?;
        Ok(Self { milter, spec, socket: path })
    }

    /// Starts a filter that knows where to listen.
    pub fn start_on(linkage: Linkage, command: Command, spec: &str) -> Result<Self> {
        let mut milter = Milter::start(command, |_, _| {})?;
        milter.wait_for(spec)?;
        milter.check_mapped(linkage)?;
        let socket = spec.strip_prefix("unix:").map(PathBuf::from);
        Ok(Self { milter, spec: spec.to_owned(), socket })
    }

    /// Starts a C filter of this repository: first argument its socket, then these.
    pub fn compiled(
        linkage: Linkage,
        source: &str,
        socket: Socket,
        args: &[impl AsRef<OsStr>],
    ) -> Result<Self> {
        Self::start(linkage, compiled(linkage, source)?, socket, |command, _, spec| {
            command.arg(spec).args(args);
        })
    }

    /// The connection specification, as `smfi_setconn` takes it.
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// The process, for signals, pipes and the log.
    pub fn milter(&mut self) -> &mut Milter {
        &mut self.milter
    }

    /// What it has logged by syslog so far, but for what only this library tells of a filter's mistakes and of
    /// negotiations that fail (D84, D85; the tests of c-tests look at them).
    pub fn log_lines(&self) -> Result<Vec<String>> {
        let mut lines = self.milter.log().lines()?;
        lines.retain(|line| !is_advice(line));
        Ok(lines)
    }

    /// Directory of this filter, removed with it.
    pub fn dir(&self) -> &Path {
        self.milter.dir()
    }

    /// Writes a name in place of the specification and the directory.
    pub fn hide(&self, seen: &mut Observation, name: &str) {
        seen.hide(self.spec.clone(), format!("{name}:SOCKET"));
        seen.hide(postfix_notation(&self.spec), format!("{name}:SOCKET"));
        seen.hide(self.dir().display().to_string(), format!("{name}:DIR"));
    }

    /// Stops the filter by SIGTERM and notes how it ended and whether its socket is left.
    pub fn stop(self, seen: &mut Observation, name: &str) -> Result<()> {
        self.hide(seen, name);
        self.milter.signal(Signal::TERM)?;
        self.ended(seen, name)
    }

    /// Waits for a filter that ends by itself, and notes the same.
    pub fn ended(mut self, seen: &mut Observation, name: &str) -> Result<()> {
        self.hide(seen, name);
        let status: ExitStatus = self.milter.wait()?;
        let mut lines = vec![status.to_string()];
        if let Some(socket) = &self.socket {
            let left = std::fs::symlink_metadata(socket).is_ok();
            lines.push(format!("socket file {}", if left { "left" } else { "gone" }));
        }
        seen.section(format!("end of {name}"), lines);
        Ok(())
    }
}

/// The specification in Postfix's words: `inet:HOST:PORT`.
pub fn postfix_notation(spec: &str) -> String {
    match spec.strip_prefix("inet:").and_then(|rest| rest.split_once('@')) {
        Some((port, host)) => format!("inet:{host}:{port}"),
        None => spec.to_owned(),
    }
}

/// Whether a line, "priority name: text", is of D84 or D85: what is about one session begins with its number,
/// and only ours does.
fn is_advice(line: &str) -> bool {
    let of_session = line.split_once(": session ");
    line.ends_with(" more mistakes of the filter were not logged")
        || of_session.is_some_and(|(source, text)| {
            source.starts_with("info ")
                || text.contains(" from xxfi_negotiate means that ")
                || text.contains(" without which the filter does not run")
        })
}
