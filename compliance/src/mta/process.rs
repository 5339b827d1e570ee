//! The script that runs an MTA for as long as its standard input is held open.

use c_tests::{Error, Result};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

pub(super) const ADVICE: &str = "scripts/test.sh prepares a machine for these tests";

/// A running script; dropping it stops its MTA, and so does the end of this process, however it comes.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts the script and waits until its MTA runs.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let failed = |e| Error(format!("cannot run an MTA's script: {e}; {ADVICE}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // The signal of a terminal ends the tests, and must leave the script to stop the MTA.
        let mut script = command.process_group(0).spawn().map_err(failed)?;
        let mut line = String::new();
        if let Some(stdout) = script.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
        }
        if line.is_empty() {
            end(&mut script)?;
            return Err(Error(format!("{command:?} ended at once")));
        }
        Ok(Self(script))
    }
}

/// Stops the MTA and waits until it is gone.
fn end(script: &mut Child) -> Result<()> {
    drop(script.stdin.take());
    let mut said = String::new();
    if let Some(mut stderr) = script.stderr.take() {
        stderr.read_to_string(&mut said).map_err(|e| Error::new("read what an MTA said", e))?;
    }
    let status = script.wait().map_err(|e| Error::new("wait for an MTA", e))?;
    if status.success() {
        return Ok(());
    }
    Err(Error(format!("{said}{status}\n{ADVICE}")))
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(e) = end(&mut self.0) {
            eprintln!("{e}");
        }
    }
}
