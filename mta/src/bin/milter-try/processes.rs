//! Processes: who listens on a socket, how they end.
//!
//! Finding listeners reads `/proc`; elsewhere than on Linux nothing is found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant};

use milter_mta::ConnSpec;
use rustix::process::{Pid, WaitOptions};

/// Longest pause between two looks at a process.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Somehow: it is not our child.
    Gone,
}

impl Ending {
    pub(crate) fn of(status: ExitStatus) -> Ending {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exited(code),
            (None, Some(signal)) => Ending::Killed(signal),
            (None, None) => Ending::Gone,
        }
    }

    /// Whether it is how a program ends that was told to stop: well, or by the signal itself, which
    /// a shell tells by the number above 128.
    pub(crate) fn is_orderly(self) -> bool {
        const TERM: i32 = signal_hook::consts::SIGTERM;
        match self {
            Ending::Exited(code) => code == 0 || code == 128 + TERM,
            Ending::Killed(signal) => signal == TERM,
            Ending::Gone => true,
        }
    }

    /// Whether it is the end of a program with a fault, not of one that was told to stop.
    pub(crate) fn is_crash(self) -> bool {
        const FAULTS: [i32; 6] = [
            signal_hook::consts::SIGABRT,
            signal_hook::consts::SIGBUS,
            signal_hook::consts::SIGFPE,
            signal_hook::consts::SIGILL,
            signal_hook::consts::SIGSEGV,
            signal_hook::consts::SIGSYS,
        ];
        matches!(self, Ending::Killed(signal) if FAULTS.contains(&signal))
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exited(code) => write!(f, "ended with status {code}"),
            Ending::Killed(signal) => {
                let name = signal_hook::low_level::signal_name(*signal);
                write!(f, "was killed by signal {signal}")?;
                name.map_or(Ok(()), |name| write!(f, " ({name})"))
            }
            Ending::Gone => f.write_str("ended"),
        }
    }
}

/// The processes that hold the listening socket of a specification open.
pub(crate) fn listeners(spec: &ConnSpec) -> Vec<Pid> {
    let inodes = match spec {
        ConnSpec::Unix(path) => unix_inodes(path),
        ConnSpec::Abstract(name) => unix_inodes(Path::new(&format!("@{name}"))),
        ConnSpec::Inet { port, .. } => tcp_inodes("/proc/net/tcp", *port),
        ConnSpec::Inet6 { port, .. } => tcp_inodes("/proc/net/tcp6", *port),
    };
    let links: Vec<PathBuf> =
        inodes.iter().map(|inode| PathBuf::from(format!("socket:[{inode}]"))).collect();
    if links.is_empty() {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let numbers =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|number| holds(*number, &links))
        .filter_map(Pid::from_raw)
        .filter(|pid| *pid != rustix::process::getpid())
        .collect()
}

/// Whether a process has one of the sockets open.
fn holds(number: i32, links: &[PathBuf]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{number}/fd")) else {
        return false;
    };
    let mut targets = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| links.contains(&target))
}

/// Inodes of listening sockets at a path.
fn unix_inodes(path: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    path.to_str().map(|path| listening_at(&table, path)).unwrap_or_default()
}

/// Inodes of those that a table of unix sockets has at a path, or bound beside it as `path.PID` and moved
/// there, as this project's library does it. Fields: number, references, protocol, flags, type, state,
/// inode, path, which may have blanks.
fn listening_at(table: &str, path: &str) -> Vec<String> {
    const LISTENING: &str = "00010000";
    let is_process =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_there = |bound: &str| match bound.strip_prefix(path) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('.').is_some_and(is_process),
        None => false,
    };
    let lines = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.splitn(7, ' ').collect();
        let (inode, bound) = fields.get(6)?.trim_start().split_once(' ')?;
        (fields[3] == LISTENING && is_there(bound)).then(|| inode.to_owned())
    });
    lines.collect()
}

/// Inodes of listening TCP sockets on a port. Fields: number, local address, remote address,
/// state, five more, inode.
fn tcp_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let ending = format!(":{port:04X}");
    let table = fs::read_to_string(table).unwrap_or_default();
    let lines = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let local = fields.get(1)?;
        let listens = local.ends_with(&ending) && fields.get(3) == Some(&LISTEN);
        listens.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    });
    lines.collect()
}

/// Waits for processes that may or may not be our children.
pub(crate) fn wait_for_all(pids: &[Pid], deadline: Instant) -> Option<Ending> {
    let mut last = Ending::Gone;
    for pid in pids {
        loop {
            match rustix::process::waitpid(Some(*pid), WaitOptions::NOHANG) {
                Ok(Some((_, status))) => {
                    last = match (status.exit_status(), status.terminating_signal()) {
                        (Some(code), _) => Ending::Exited(code),
                        (_, Some(signal)) => Ending::Killed(signal),
                        _ => last,
                    };
                    break;
                }
                Err(_) if rustix::process::test_kill_process(*pid).is_err() => break,
                _ if Instant::now() >= deadline => return None,
                _ => sleep(PAUSE),
            }
        }
    }
    Some(last)
}

/// Waits until nobody is left in a process group.
pub(crate) fn wait_for_group(group: Pid, deadline: Instant) -> bool {
    loop {
        // Those that have become our children stay in the group until they are waited for.
        while let Ok(Some(_)) = rustix::process::waitpgid(group, WaitOptions::NOHANG) {}
        if rustix::process::test_kill_process_group(group).is_err() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(PAUSE);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::process::{Command, Stdio};

    #[test]
    fn endings_are_told_in_words() {
        assert_eq!(Ending::Exited(3).to_string(), "ended with status 3");
        assert_eq!(Ending::Killed(11).to_string(), "was killed by signal 11 (SIGSEGV)");
        assert!(Ending::Killed(11).is_crash());
        assert!(Ending::Killed(15).is_orderly() && Ending::Exited(143).is_orderly());
        assert!(!Ending::Exited(3).is_orderly() && !Ending::Killed(1).is_orderly());
        assert!(!Ending::Killed(15).is_crash() && !Ending::Exited(1).is_crash());
    }

    #[test]
    fn the_process_that_listens_is_found_by_its_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let unix = UnixListener::bind(&path).unwrap();
        // As a filter does that takes the place of another.
        let (beside, moved) = (directory.path().join("a b.77"), directory.path().join("a b"));
        let taken_over = UnixListener::bind(&beside).unwrap();
        std::fs::rename(&beside, &moved).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        // A child that has the listeners as its standard input, output and error.
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(unix)))
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(tcp)))
            .stderr(Stdio::from(std::os::fd::OwnedFd::from(taken_over)))
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        let host = None;
        assert_eq!(listeners(&ConnSpec::Unix(path)), [pid]);
        assert_eq!(listeners(&ConnSpec::Unix(moved)), [pid]);
        assert_eq!(listeners(&ConnSpec::Inet { port, host }), [pid]);
        assert_eq!(listeners(&ConnSpec::Unix("/no/such".into())), []);
        child.kill().unwrap();
        let ended = Ending::of(child.wait().unwrap());
        assert_eq!(ended, Ending::Killed(9));
    }
}
