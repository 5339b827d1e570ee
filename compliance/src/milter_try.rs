//! `milter-try` as users run it.

use c_tests::error::run;
use c_tests::{Linkage, Result, ours, paths, start};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The program, built on first use.
pub fn program() -> Result<PathBuf> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = PROGRAM.get() {
        return Ok(found.clone());
    }
    let target = paths::target()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "milter-mta",
        "--bin",
        "milter-try",
    ]);
    command.arg("--target-dir").arg(target).current_dir(paths::workspace());
    run(&mut command, "milter-try has to build before it can be run")?;
    Ok(PROGRAM.get_or_init(|| target.join("release/milter-try")).clone())
}

/// A command that runs it with our library, with words as on a command line, then `--` and the milter, whose
/// variables it gets too, but for those that choose a library.
pub fn command(words: &[&str], milter: &Command) -> Result<Command> {
    let mut command = start::command(program()?);
    for (name, value) in milter.get_envs() {
        if let Some(value) = value.filter(|_| name != "LD_PRELOAD") {
            command.env(name, value);
        }
    }
    command.env("MILTER_TRY_LIBRARY", ours::ours()?.shared());
    command.args(words).arg("--").arg(milter.get_program());
    command.args(milter.get_args().map(OsStr::to_owned));
    Ok(command)
}

/// A milter without a library of its own choice: what is linked with it is found by path.
pub const LINKED: Linkage = Linkage::ReferenceDynamic;
