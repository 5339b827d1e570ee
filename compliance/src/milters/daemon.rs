//! A milter that goes into the background by itself, as its packaged service starts it.

use super::below_reaper;
use crate::filter::{Filter, Socket};
use crate::observation::Observation;
use crate::root;
use c_tests::milter::POLL;
use c_tests::{Error, Linkage, Result};
use rustix::process::{Pid, Signal};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a daemon may take for a step of its life.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that root has started and that has forked, known by its pid file.
#[derive(Debug)]
pub struct Daemon {
    /// The reaper, which ends the daemon when its standard input ends.
    filter: Filter,
    pid: Pid,
    pid_file: PathBuf,
}

impl Daemon {
    /// Starts the command as root, below a process that waits for its orphans, then looks which
    /// library the process in the pid file has mapped.
    ///
    /// `prepare` gets the command, its directory, the connection specification and the pid file.
    pub fn start(
        linkage: Linkage,
        command: &Command,
        socket: Socket,
        prepare: impl FnOnce(&mut Command, &Path, &str, &Path),
    ) -> Result<Self> {
        let reaper = below_reaper(command)?;
        let mut pid_file = PathBuf::new();
        let filter = Filter::start_unchecked(reaper, socket, |reaper, dir, spec| {
            // After the daemon has changed its user it still writes there.
            let log = dir.join("log");
            let open = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
            let _ = fs::write(&log, "");
            let _ = fs::set_permissions(&log, open(0o666));
            let _ = fs::set_permissions(dir, open(0o777));
            pid_file = dir.join("pid");
            prepare(reaper, dir, spec, &pid_file);
            let bare = std::mem::replace(reaper, Command::new(""));
            *reaper = root::command(bare);
            reaper.stdin(Stdio::piped()).stdout(Stdio::piped());
        })?;
        let pid = wait_for(|| {
            let text = fs::read_to_string(&pid_file).ok()?;
            let pid = text.ends_with('\n').then(|| text.trim().parse().ok())?;
            Pid::from_raw(pid?)
        })
        .ok_or_else(|| Error(format!("no pid in {}", pid_file.display())))?;
        let daemon = Self { filter, pid, pid_file };
        linkage.check_maps(pid, &root::read(&daemon.proc().join("maps"))?)?;
        Ok(daemon)
    }

    /// The connection specification.
    pub fn spec(&self) -> &str {
        self.filter.spec()
    }

    /// Its directory, removed with it.
    pub fn dir(&self) -> &Path {
        self.filter.dir()
    }

    /// Sends a signal to the process of the pid file.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        // By the reaper, as it may be another user's process.
        let Some(reaper) = &mut self.filter.milter().child().stdin else {
            return Err(Error("the daemon has ended".into()));
        };
        writeln!(reaper, "{} {}", self.pid.as_raw_nonzero(), signal.as_raw())
            .map_err(|e| Error::new("have a daemon signalled", e))
    }

    fn proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.pid.as_raw_nonzero()))
    }

    /// Whether it has logged a line with this text.
    pub fn has_logged(&self, text: &str) -> bool {
        self.log().iter().any(|line| line.contains(text))
    }

    /// Lines it logged so far.
    pub fn log(&self) -> Vec<String> {
        self.filter.log_lines().unwrap_or_default()
    }

    /// Who it runs as, its signals, and what it has of standard descriptors; call it once
    /// `smfi_main` runs.
    pub fn describe(&self, seen: &mut Observation, name: &str) -> Result<()> {
        let proc = self.proc();
        let status = root::read(&proc.join("status"))?;
        let wanted = ["Name:", "Uid:", "Gid:", "Groups:", "SigBlk:", "SigIgn:"];
        let mut lines: Vec<String> = status
            .lines()
            .filter(|line| wanted.iter().any(|field| line.starts_with(field)))
            .map(|line| line.replace('\t', " "))
            .collect();
        for place in ["cwd", "fd/0", "fd/1", "fd/2"] {
            let target = root::read_link(&proc.join(place));
            let target = target.unwrap_or_else(|| "closed".to_owned());
            lines.push(format!("{place}: {target}"));
        }
        seen.section(format!("process of {name}"), lines);
        Ok(())
    }

    /// Stops it by SIGTERM; notes how all of its processes ended and what is left of its files.
    pub fn stop(mut self, seen: &mut Observation, name: &str) -> Result<()> {
        self.signal(Signal::TERM)?;
        // The end of its output comes before the process can be waited for.
        let output = self.filter.milter().child().stdout.take();
        let status = self.filter.milter().wait()?;
        let mut lines = Vec::new();
        if let Some(mut output) = output {
            let mut ends = String::new();
            output.read_to_string(&mut ends).map_err(|e| Error::new("the reaper", e))?;
            lines.extend(ends.lines().map(|line| format!("a process: {line}")));
        }
        lines.push(status.to_string());
        lines.push(format!("pid file left: {}", self.pid_file.exists()));
        let socket = self.spec().strip_prefix("unix:").map(Path::new);
        lines.push(format!("socket file left: {}", socket.is_some_and(Path::exists)));
        seen.section(format!("end of {name}"), lines);
        self.filter.hide(seen, name);
        Ok(())
    }
}

/// Polls until there is something.
pub(super) fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if start.elapsed() > PATIENCE {
            return None;
        }
        std::thread::sleep(POLL);
    }
}
