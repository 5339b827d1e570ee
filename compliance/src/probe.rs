//! The filter `milters/probe.c`: writes down its callbacks and does what a test tells it to.

use crate::filter::{Filter, Socket, compiled};
use crate::observation::Observation;
use c_tests::milter::POLL;
use c_tests::{Error, Linkage, Result, public};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a filter may take to hear of the end of its sessions.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running probe; its trace goes on when it is started again.
#[derive(Debug)]
pub struct Probe {
    linkage: Linkage,
    /// The socket if it is to stay the same, and the trace.
    dir: TempDir,
    spec: String,
    filter: Option<Filter>,
}

impl Probe {
    /// Starts one with settings as `milters/probe.c` has them.
    pub fn start(linkage: Linkage, socket: Socket, settings: &[impl AsRef<str>]) -> Result<Self> {
        let dir = public::tempdir()?;
        let spec = match socket {
            Socket::Inet => format!("inet:{}@127.0.0.1", crate::filter::free_port()?),
            Socket::Unix => format!("unix:{}", dir.path().join("socket").display()),
        };
        let mut probe = Self { linkage, dir, spec, filter: None };
        probe.restart(settings)?;
        Ok(probe)
    }

    /// Starts it again on the same socket with other settings; kills it if it still runs.
    pub fn restart(&mut self, settings: &[impl AsRef<str>]) -> Result<()> {
        // One that still runs must not be taken for the new one.
        self.filter = None;
        let mut command = compiled(self.linkage, "compliance/milters/probe.c")?;
        command.arg(&self.spec).arg(self.trace_file());
        command.args(settings.iter().map(AsRef::as_ref));
        self.filter = Some(Filter::start_on(self.linkage, command, &self.spec)?);
        Ok(())
    }

    fn trace_file(&self) -> PathBuf {
        self.dir.path().join("trace")
    }

    /// Its connection specification.
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// The lines so far, in the order of sessions; the probe counts from 1 again when started again.
    pub fn trace(&self) -> Vec<String> {
        let text = fs::read(self.trace_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // Callbacks of two sessions may be written in any order.
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_by_key(|line| line.split(' ').next().and_then(|n| n.parse::<u32>().ok()));
        lines.into_iter().map(str::to_owned).collect()
    }

    /// Waits until every session has seen its `xxfi_close`.
    pub fn wait_for_close(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let trace = self.trace();
            let count = |what: &str| trace.iter().filter(|line| line.contains(what)).count();
            if count(" negotiate ") == trace.iter().filter(|line| line.ends_with(" close")).count()
            {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(Error(format!("sessions without xxfi_close:\n{}", trace.join("\n"))));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits for the end of its sessions, stops it, and notes trace, exit status, socket and log.
    pub fn stop(self, seen: &mut Observation, name: &str) -> Result<()> {
        self.stop_allowing(seen, name, &[])
    }

    /// The same where entries of `docs/differences.md` allow ours something more.
    ///
    /// D10: no `xxfi_abort` where no message is open. D16: it logs that an MTA has hung up in the
    /// middle of a message.
    pub fn stop_allowing(
        mut self,
        seen: &mut Observation,
        name: &str,
        differences: &[&str],
    ) -> Result<()> {
        self.wait_for_close()?;
        if let Some(filter) = self.filter.take() {
            let mut log = filter.log_lines()?;
            if differences.contains(&"D16") {
                log.retain(|line| {
                    !line.contains("closed the connection in the middle of a message")
                });
            }
            seen.section(format!("log of {name}"), log);
            filter.stop(seen, name)?;
        }
        let mut trace = self.trace();
        if differences.contains(&"D10") {
            trace.retain(|line| !line.ends_with(" abort"));
        }
        self.note(trace, seen, name);
        Ok(())
    }

    /// The same without the trace, for sessions whose order is left to chance.
    pub fn stop_silently(mut self, seen: &mut Observation, name: &str) -> Result<()> {
        self.wait_for_close()?;
        match self.filter.take() {
            Some(filter) => filter.stop(seen, name),
            None => Ok(()),
        }
    }

    /// Waits until it has died of itself; notes how. The trace comes with [`Probe::note_trace`].
    pub fn died(&mut self, seen: &mut Observation, name: &str) -> Result<()> {
        match self.filter.take() {
            Some(filter) => filter.ended(seen, name),
            None => Err(Error(format!("{name} does not run"))),
        }
    }

    /// Notes the trace so far.
    pub fn note_trace(&self, seen: &mut Observation, name: &str) {
        self.note(self.trace(), seen, name);
    }

    fn note(&self, trace: Vec<String>, seen: &mut Observation, name: &str) {
        seen.hide(self.spec.clone(), format!("{name}:SOCKET"));
        seen.hide(crate::filter::postfix_notation(&self.spec), format!("{name}:SOCKET"));
        seen.hide(self.dir.path().display().to_string(), format!("{name}:DIR"));
        seen.section(format!("callbacks of {name}"), trace);
    }
}
