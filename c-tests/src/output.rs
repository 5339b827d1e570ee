//! What a program and all that it starts print, within a time limit.

use crate::error::{Error, Result};
use crate::milter::POLL;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// As [`Command::output`], which waits for everybody who can write to the output.
///
/// After the limit all of them are killed, and the error has what they printed.
pub fn output_within(command: &mut Command, limit: Duration) -> Result<Output> {
    let deadline = Instant::now() + limit;
    let failed = |e| Error::new("run a program for its output", e);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let pipes = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
    let (sender, printed) = channel();
    let mut names = Vec::new();
    for (number, pipe) in pipes.into_iter().enumerate() {
        let pipe = File::from(pipe.ok_or_else(|| Error("no pipe to read from".into()))?);
        let name = fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd()));
        names.push(name.map_err(failed)?);
        let sender = sender.clone();
        std::thread::spawn(move || forward(pipe, number, &sender));
    }
    drop(sender);
    let mut texts = [Vec::new(), Vec::new()];
    let mut open = true;
    while Instant::now() < deadline {
        if open {
            match printed.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok((number, bytes)) => texts[number].extend(bytes),
                Err(RecvTimeoutError::Disconnected) => open = false,
                Err(RecvTimeoutError::Timeout) => {}
            }
        } else if let Some(status) = child.try_wait().map_err(failed)? {
            let [stdout, stderr] = texts;
            return Ok(Output { status, stdout, stderr });
        } else {
            std::thread::sleep(POLL);
        }
    }
    child.kill().and_then(|()| child.wait()).map_err(failed)?;
    kill_writers(&names);
    let [stdout, stderr] = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    Err(Error(format!("killed after {} s; it had printed:\n{stdout}{stderr}", limit.as_secs())))
}

/// Sends what comes out of a pipe, with its number, until all writing ends are closed.
fn forward(mut pipe: File, number: usize, to: &Sender<(usize, Vec<u8>)>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut buffer) {
        if to.send((number, buffer[..n].to_vec())).is_err() {
            break;
        }
    }
}

/// Kills whoever has the writing end of a pipe, such as a daemon, by the names in /proc: `pipe:[5]`.
fn kill_writers(pipes: &[PathBuf]) {
    for process in entries(Path::new("/proc")) {
        let name = process.file_name().unwrap_or_default().to_string_lossy();
        let Some(pid) = name.parse().ok().and_then(Pid::from_raw) else { continue };
        let writes = |fd: PathBuf| {
            let mode = fs::symlink_metadata(&fd).map(|link| link.permissions().mode());
            mode.is_ok_and(|mode| mode & 0o200 != 0)
                && fs::read_link(&fd).is_ok_and(|name| pipes.contains(&name))
        };
        if entries(&process.join("fd")).any(writes) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> Result<Output> {
        output_within(Command::new("sh").args(["-c", script]), Duration::from_secs(limit))
    }

    #[test]
    fn output_and_status_are_those_of_all_processes() {
        let script = "echo first; echo second >&2; { sleep 0.2; echo third; } & exit 3";
        let output = shell(script, 60).unwrap();
        assert_eq!(output.stdout, b"first\nthird\n");
        assert_eq!(output.stderr, b"second\n");
        assert_eq!(output.status.code(), Some(3));
    }

    /// Also what has left the session of the program and outlives it, and what never stops printing.
    #[test]
    fn what_hangs_is_killed() {
        let scripts = [
            "echo $$; exec sleep 1000",
            "setsid sleep 1000 & echo $!",
            "echo $$; while :; do echo again; done",
            "echo $$; exec sleep 1000 >&- 2>&-",
        ];
        let check = |script| {
            let error = shell(script, 2).expect_err(script).to_string();
            let printed = error.strip_prefix("killed after 2 s; it had printed:\n");
            let pid = printed.and_then(|printed| printed.lines().next());
            let program = Path::new("/proc").join(pid.expect(script)).join("exe");
            let start = Instant::now();
            while fs::read_link(&program).is_ok() {
                assert!(start.elapsed() < Duration::from_secs(60), "{script}: still runs");
                std::thread::sleep(POLL);
            }
        };
        std::thread::scope(|scope| {
            for script in scripts {
                scope.spawn(move || check(script));
            }
        });
    }
}
