//! Programs that have no shim and begin as from a login all the same, such as daemons and MTAs.

use crate::error::{Result, run};
use crate::make::make;
use crate::{paths, start};
use std::ffi::OsStr;
use std::process::Command;

/// A command for a program that `milters/afresh.c` becomes, with variables as [`start::clean`] leaves them.
pub fn launched(program: impl AsRef<OsStr>) -> Result<Command> {
    let source = paths::in_package("milters/afresh.c");
    let launcher = paths::work_dir("bin")?.join("afresh");
    make(&launcher, &[&source, &paths::in_package("milters/afresh.h")], |output| {
        let mut cc = Command::new("gcc");
        cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(output).arg(&source);
        run(&mut cc, "the C tests need a C compiler: apt-get install gcc libc6-dev").map(drop)
    })?;
    let mut command = start::command(launcher);
    command.arg(program);
    Ok(command)
}
