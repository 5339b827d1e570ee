//! Milters of the distribution, unmodified, and the daemons that they ask.

pub mod daemon;
pub mod opendkim;
pub mod service;

pub use daemon::Daemon;
pub use service::Service;

use crate::mta::Kind;
use crate::pair::Pair;
use c_tests::error::run;
use c_tests::{Error, Linkage, Packages, Result, launch, notes, paths, start};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of `compliance/milters`.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("milters").join(name)
}

/// Whether the release of the distribution lacks one of the packages; the test, which has to end then,
/// is noted as left out. Where the release has them all, that one cannot be had is an error.
///
/// # Panics
/// If a package cannot be fetched.
pub fn left_out(packages: &[&str]) -> bool {
    let unpacked = Packages::of_release(packages).expect("the packages of the milter");
    let Err(why) = unpacked else { return false };
    // The harness names a test's thread after it, unless it runs all of them in its own.
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main").unwrap_or(packages[0]);
    notes::note(notes::LEFT_OUT, test, &why).expect("write a note");
    true
}

/// The row of a packaged milter with an MTA.
///
/// # Panics
/// If a package cannot be fetched.
pub fn pair<'a>(
    packages: &[&str],
    package: &'a str,
    kind: Kind,
    exercised: &'a str,
    libraries: &'a [Linkage],
) -> Pair<'a> {
    let unpacked = Packages::unpack(packages).expect("the packages of the milter");
    Pair {
        milter: package,
        milter_version: unpacked.version(package).expect("the version of the milter"),
        mta: kind.name(),
        mta_version: kind.version().expect("the version of the MTA"),
        exercised,
        libraries,
        differences: &[],
    }
}

/// Compiles a C source of `compliance/milters` with these flags; done once for each test program.
fn compile(source: &str, result: &str, flags: &[&str]) -> Result<PathBuf> {
    let result = paths::work_dir("bin")?.join(result);
    paths::locked(source, || {
        let mut cc = Command::new("gcc");
        cc.args(["-O1", "-Wall", "-Wextra", "-Werror"]).args(flags);
        // A process may be running the old one.
        let partial = result.with_extension("partial");
        cc.arg(file(source)).arg("-o").arg(&partial);
        run(&mut cc, "these tests need a C compiler: apt-get install gcc libc6-dev")?;
        std::fs::rename(&partial, &result).map_err(|e| Error::new(result.display(), e))
    })?;
    Ok(result)
}

/// The command below a process that waits for its orphans, and ends all of them when its standard
/// input ends (`milters/reaper.c`).
fn below_reaper(command: &Command) -> Result<Command> {
    let mut reaper = launch::launched(compile("reaper.c", "reaper", &[])?)?;
    reaper.arg(command.get_program()).args(command.get_args());
    start::copy_variables(command, &mut reaper);
    Ok(reaper)
}

/// Adds a library to those that are preloaded already.
pub fn preload(command: &mut Command, library: &Path) {
    let before = command.get_envs().find(|(name, _)| *name == "LD_PRELOAD");
    let mut value: OsString = before.and_then(|(_, value)| value).unwrap_or_default().into();
    if !value.is_empty() {
        value.push(":");
    }
    value.push(library);
    command.env("LD_PRELOAD", value);
}

/// Has a program that the command starts by this path run from another place.
pub fn redirect_exec(command: &mut Command, from: &str, to: &Path) -> Result<()> {
    let shim = compile("exec_shim.c", "exec_shim.so", &["-shared", "-fPIC"])?;
    preload(command, &shim);
    command.env("EXEC_FROM", from).env("EXEC_TO", to);
    Ok(())
}

/// Has the command wait for ever for the address of any name.
pub fn lose_resolver(command: &mut Command) -> Result<()> {
    let shim = compile("deaf_resolver.c", "deaf_resolver.so", &["-shared", "-fPIC"])?;
    preload(command, &shim);
    Ok(())
}

/// Lines of a script's trace by their first word, which names the session.
pub fn trace_of(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read(file).map_err(|e| Error::new(file.display(), e))?;
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| line.split(' ').next().unwrap_or_default().to_owned());
    Ok(lines)
}

/// Where unpacked packages have Perl modules.
pub fn perl_directories(packages: &Packages) -> Result<Vec<PathBuf>> {
    let mut found = vec![packages.root.join("usr/share/perl5")];
    // usr/lib/TRIPLET/perl5/VERSION
    let libraries = packages.root.join("usr/lib");
    for triplet in entries(&libraries)? {
        let perl = triplet.join("perl5");
        if perl.is_dir() {
            found.extend(entries(&perl)?);
        }
    }
    Ok(found)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(dir).map_err(|e| Error::new(dir.display(), e))?;
    Ok(list.flatten().map(|entry| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    /// Which is what a test that is killed does to it.
    #[test]
    fn nothing_is_left_when_the_input_of_a_reaper_ends() {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "setsid sleep 1000 & echo $!; exec sleep 2000"]);
        let mut reaper = below_reaper(&shell).unwrap();
        let mut reaper = reaper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(reaper.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let background = Path::new("/proc").join(pid.trim());
        assert!(background.exists());
        // Waiting closes it.
        let _ = reaper.wait().unwrap();
        assert!(!background.exists());
    }
}
