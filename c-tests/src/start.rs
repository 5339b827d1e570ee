//! What programs of the tests start with, whatever the tests were started from.
//!
//! `nohup` ignores SIGHUP, a runner may block signals, close a umask, lower limits, leave descriptors open
//! and set variables such as `LIBMILTER_THREADS`, `LD_PRELOAD`, `LANG` or `MALLOC_PERTURB_`: a program
//! inherits all of it through `cargo test`. Variables are dealt with here; what only the process itself
//! can change safely is changed in it before its `main`, by the shim (`milters/syslog_shim.c`).

use std::ffi::OsStr;
use std::process::Command;

/// Has the shim give a program the signals, limits, descriptors and umask of a login.
const SHIM_VARIABLE: &str = "SYSLOG_SHIM_START";

/// Variables that programs inherit; all others they have only if the test sets them.
const INHERITED: [&str; 4] = ["PATH", "HOME", "USER", "LOGNAME"];

/// Gives this process, whose files daemons read that have changed their user, the umask of a login.
///
/// Called by whatever tests begin with.
pub(crate) fn usual_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
}

/// Takes from a command what it would inherit beside `INHERITED` and what was set for it.
pub fn clean(command: &mut Command) {
    usual_umask();
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
