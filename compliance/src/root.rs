//! What only root may do: done at once if root runs the tests, else through sudo, which must not ask.

use c_tests::error::run;
use c_tests::{Error, Result};
use rustix::process::geteuid;
use std::fs;
use std::path::Path;
use std::process::Command;

const ADVICE: &str = "these tests need root, or a sudo that does not ask for a password";

/// The command, to be run as root with its own environment.
pub fn command(command: Command) -> Command {
    if geteuid().is_root() {
        return command;
    }
    // sudo hands on little of its environment, and never what the loader reads.
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "--", "env"]);
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let mut assignment = name.to_owned();
            assignment.push("=");
            assignment.push(value);
            sudo.arg(assignment);
        }
    }
    sudo.arg(command.get_program()).args(command.get_args());
    sudo
}

/// The text of a file that others may not read, such as one below `/proc` of another user's process.
pub fn read(path: &Path) -> Result<String> {
    if geteuid().is_root() {
        return fs::read_to_string(path).map_err(|e| Error::new(path.display(), e));
    }
    said(Command::new("cat").arg(path))
}

/// Where a link below `/proc` of another user's process points to; `None` if there is none.
pub fn read_link(path: &Path) -> Option<String> {
    if geteuid().is_root() {
        return fs::read_link(path).ok().map(|target| target.display().to_string());
    }
    said(Command::new("readlink").arg("--no-newline").arg(path)).ok()
}

fn said(tool: &mut Command) -> Result<String> {
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "--"]).arg(tool.get_program()).args(tool.get_args());
    Ok(String::from_utf8_lossy(&run(&mut sudo, ADVICE)?.stdout).into_owned())
}
