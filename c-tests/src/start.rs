//! What programs of the tests start with, whatever the tests were started from.
//!
//! `nohup` ignores SIGHUP, a runner may block signals, close a umask, lower limits, leave descriptors open
//! and set variables such as `LIBMILTER_THREADS`, `LD_PRELOAD`, `LANG` or `MALLOC_PERTURB_`: a program
//! inherits all of it through `cargo test`. Variables are dealt with here; what only the process itself
//! can change safely is changed in it before its `main`, by the shim (`milters/syslog_shim.c`), or by
//! `milters/afresh.c`, which becomes the program then.

use rustix::process::{Resource, getrlimit, setrlimit};
use std::ffi::OsStr;
use std::process::Command;

/// Has the shim give a program the signals, limits, descriptors and umask of a login.
const SHIM_VARIABLE: &str = "SYSLOG_SHIM_START";

/// Variables that programs inherit; all others they have only if the test sets them.
///
/// The last one is read by no library but those that fuzzing is tried on (`src/proto/planted.rs`).
const INHERITED: [&str; 5] = ["PATH", "HOME", "USER", "LOGNAME", "LIBMILTER_PLANTED"];

/// The usual number of descriptors, which tests that run side by side have use for.
const DESCRIPTORS: u64 = 1024;

/// Gives this process, whose files daemons read that have changed their user, the umask of a login, and
/// as many descriptors.
///
/// Called by whatever tests begin with.
pub(crate) fn usual_process() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|descriptors| descriptors < DESCRIPTORS) {
        limit.current = Some(limit.maximum.map_or(DESCRIPTORS, |most| most.min(DESCRIPTORS)));
        // Whoever may not is told once there are too many.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Takes from a command what it would inherit beside `INHERITED` and what was set for it.
pub fn clean(command: &mut Command) {
    usual_process();
    for (name, _) in std::env::vars_os() {
        let kept = INHERITED.iter().any(|kept| name == *kept);
        if !kept && !command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
}

/// The same for a command that has the shim preloaded.
pub(crate) fn afresh(command: &mut Command) {
    clean(command);
    command.env(SHIM_VARIABLE, "1");
}

/// A command that inherits variables only as [`clean`] leaves them.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    clean(&mut command);
    command
}

/// Gives a command the variables that are set and removed for another one.
pub fn copy_variables(from: &Command, to: &mut Command) {
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
}
