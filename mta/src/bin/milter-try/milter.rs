//! The milter as a process: started, waited for, stopped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use milter_mta::{Client, ClientError, ConnSpec};
use rustix::process::{Pid, Signal};

use crate::place;
use crate::processes::{Ending, PAUSE, listeners, wait_for_all, wait_for_group};
use crate::status::{Failure, Status};
use crate::written::Written;

/// How long a killed process may take to disappear.
const KILLED: Duration = Duration::from_secs(5);

/// How long a connection attempt may take at least.
const PROBE: Duration = Duration::from_secs(1);

/// A started milter.
#[derive(Debug)]
pub(crate) struct Milter {
    child: Child,
    ended: Option<Ending>,
    spec: ConnSpec,
    output: PathBuf,
    /// There was a socket file at the start already.
    stale: Option<PathBuf>,
}

/// How the milter was stopped.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// How it ended.
    pub(crate) ending: Ending,
    /// It had ended before it was told to.
    pub(crate) early: bool,
    /// It did not obey SIGTERM.
    pub(crate) forced: bool,
}

impl Milter {
    /// Starts the command with output into a file of the private directory.
    pub(crate) fn start(
        command: &[OsString],
        environment: Vec<(&'static str, OsString)>,
        spec: &ConnSpec,
        private: &Path,
    ) -> Result<Milter, Failure> {
        refuse_occupied(spec)?;
        let output = private.join("output");
        let file = File::create(&output).map_err(|error| system("create a file", &error))?;
        let copy = file.try_clone().map_err(|error| system("use a file", &error))?;
        let name = &command[0];
        // So that a milter that goes to the background becomes our child again.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let child = Command::new(name)
            .args(&command[1..])
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            // A group of its own, so that a wrapper script and what it starts stop together.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let name = name.to_string_lossy();
                Failure::new(
                    Status::Unavailable,
                    format!("cannot start the milter {name}: {error}{}", start_hint(&name, &error)),
                )
            })?;
        Ok(Milter {
            child,
            ended: None,
            spec: spec.clone(),
            output,
            stale: match spec {
                ConnSpec::Unix(path) if path.exists() => Some(path.clone()),
                _ => None,
            },
        })
    }

    /// The process group of the milter.
    pub(crate) fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Connects as soon as the milter accepts.
    pub(crate) fn wait_for_socket(&mut self, bound: Duration) -> Result<Client, Failure> {
        let spec = self.spec.clone();
        let connected = connect_within(&spec, bound, || match self.poll() {
            // Status 0 may mean that it has gone to the background.
            None | Some(Ending::Exited(0)) => Ok(()),
            Some(ending) => Err(self.ended_early(ending)),
        })?;
        connected.map_err(|error| {
            if may_come(&error) {
                self.no_socket(bound)
            } else {
                Failure::new(Status::Unavailable, error.to_string())
            }
        })
    }

    /// Whether and how the started process has ended.
    pub(crate) fn poll(&mut self) -> Option<Ending> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten().map(Ending::of);
        }
        self.ended
    }

    /// Waits a moment for the end of a milter that has hung up.
    pub(crate) fn poll_for(&mut self, bound: Duration) -> Option<Ending> {
        let deadline = Instant::now() + bound;
        while self.poll().is_none() && Instant::now() < deadline {
            sleep(PAUSE);
        }
        self.ended
    }

    /// The processes to look at: who listens, else the one that was started.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let mut pids = listeners(&self.spec);
        if pids.is_empty() && self.ended.is_none() {
            pids.push(self.group());
        }
        pids
    }

    /// Stops the milter: SIGTERM, and SIGKILL if it does not obey within a bound.
    ///
    /// The milter may be another process than the one started: a wrapper's child, or one that has
    /// gone to the background. Then that one's end is told.
    pub(crate) fn stop(&mut self, grace: Duration) -> Stopped {
        let started = self.group();
        let others = listeners(&self.spec).into_iter();
        let others: Vec<Pid> = others.filter(|pid| *pid != started).collect();
        let apart = others.iter().copied();
        let apart = apart.filter(|pid| rustix::process::getpgid(Some(*pid)) != Ok(started));
        let apart: Vec<Pid> = apart.collect();
        let early = self.poll().is_some() && others.is_empty();
        let mut forced = false;
        let mut ending = None;
        for (signal, bound) in [(Signal::TERM, grace), (Signal::KILL, KILLED)] {
            forced = signal == Signal::KILL;
            // Errors mean that there is nobody left to tell.
            let _ = rustix::process::kill_process_group(started, signal);
            for pid in &apart {
                let _ = rustix::process::kill_process(*pid, signal);
            }
            let deadline = Instant::now() + bound;
            let child = self.poll_for(bound);
            let other = wait_for_all(&others, deadline);
            if child.is_some() && other.is_some() && wait_for_group(started, deadline) {
                ending = if others.is_empty() { child } else { other };
                break;
            }
        }
        Stopped { ending: ending.unwrap_or(Ending::Gone), early, forced }
    }

    /// The end of what the milter has written to its standard output and error.
    pub(crate) fn output(&self) -> Written {
        Written::read(&self.output)
    }

    /// The milter's output as lines to append to a message.
    pub(crate) fn output_lines(&self) -> String {
        let output = self.output().in_words();
        if output.is_empty() {
            return "\nIt wrote nothing; look into the system's log (mail facility).".to_owned();
        }
        let lines: Vec<String> = output.lines().map(|line| format!("    {line}")).collect();
        format!("\nIt wrote:\n{}", lines.join("\n"))
    }

    fn ended_early(&self, ending: Ending) -> Failure {
        let mut message = format!(
            "the milter {ending} before its socket {} accepted a connection.{}",
            self.spec,
            self.output_lines()
        );
        message.push_str(&place::closed_hint(&self.spec));
        if let Some(path) = &self.stale {
            message.push_str(&format!(
                "\nA socket file from an earlier run is at {}; if the milter does not remove it \
                 itself, do so.",
                path.display()
            ));
        }
        Failure::new(Status::Unavailable, message)
    }

    fn no_socket(&mut self, bound: Duration) -> Failure {
        let waited = bound.as_secs_f32();
        let state = match self.poll() {
            None => "The milter is running. Is that its socket? If it needs longer, give --wait."
                .to_owned(),
            Some(_) => {
                "The milter's process has ended with status 0. If it went to the background, \
                is that its socket? Its option to stay in the foreground would tell more."
                    .to_owned()
            }
        };
        Failure::new(
            Status::Unavailable,
            format!(
                "nothing accepts connections on {} after {waited} s.\n{state}{}",
                self.spec,
                self.output_lines() + &place::closed_hint(&self.spec)
            ),
        )
    }
}

impl Drop for Milter {
    /// Nothing that was started is left behind, whatever went wrong.
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = rustix::process::kill_process_group(self.group(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Whoever listens there already would be taken for the milter.
fn refuse_occupied(spec: &ConnSpec) -> Result<(), Failure> {
    match Client::connect(spec, PROBE) {
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::new(
            Status::Unavailable,
            format!(
                "something listens on {spec} already: stop it, or talk to it with --connect {spec}"
            ),
        )),
    }
}

/// Tries to connect until it works, `go_on` fails, or time is up.
pub(crate) fn connect_within(
    spec: &ConnSpec,
    bound: Duration,
    mut go_on: impl FnMut() -> Result<(), Failure>,
) -> Result<Result<Client, ClientError>, Failure> {
    let deadline = Instant::now() + bound;
    let mut pause = Duration::from_millis(1);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match Client::connect(spec, left.max(PROBE)) {
            Err(error) if may_come(&error) && !left.is_zero() => {}
            result => return Ok(result),
        }
        go_on()?;
        sleep(pause.min(left));
        pause = (pause * 2).min(PAUSE);
    }
}

/// Whether a refused connection may still succeed when the milter is ready.
fn may_come(error: &ClientError) -> bool {
    use std::io::ErrorKind;
    match error {
        ClientError::Connect { source, .. } => matches!(
            source.kind(),
            ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::TimedOut
        ),
        _ => false,
    }
}

fn start_hint(name: &str, error: &std::io::Error) -> String {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    if missing && !name.contains('/') && fs::exists(name).unwrap_or(false) {
        return format!("\nIt is in this directory: write ./{name}");
    }
    String::new()
}

/// A failure of the system, not of the milter.
pub(crate) fn system(action: &str, error: &std::io::Error) -> Failure {
    Failure::new(Status::System, format!("cannot {action}: {error}"))
}
