//! Log lines of a filter without a syslog daemon: a preloaded shim writes them to a file.

use crate::error::{Error, Result, run};
use crate::machine::Machine;
use crate::make::make;
use crate::paths;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the file the shim appends `<priority> <text>` lines to; without it they go to stderr.
pub const FILE_VARIABLE: &str = "SYSLOG_SHIM_FILE";

/// Names the open descriptor the shim sends each line to as one message; wins over the file.
pub const FD_VARIABLE: &str = "SYSLOG_SHIM_FD";

/// The shared object to preload; replaces `syslog`, `vsyslog` and `__syslog_chk`.
pub fn shim() -> Result<PathBuf> {
    shim_for(None)
}

/// As [`shim`], for another machine.
pub(crate) fn shim_for(machine: Option<&Machine>) -> Result<PathBuf> {
    let source = shim_source();
    let compiler = machine.map_or("gcc", |machine| &machine.compiler);
    let shared = paths::work_dir("bin")?.join(format!("syslog_shim-{compiler}.so"));
    make(&shared, &[&source, &paths::in_package("milters/afresh.h")], |output| {
        let mut cc = Command::new(compiler);
        cc.args(["-O1", "-Wall", "-Werror", "-fPIC", "-shared", "-o"]).arg(output).arg(&source);
        run(&mut cc, "the C tests need a C compiler: apt-get install gcc libc6-dev").map(drop)
    })?;
    Ok(shared)
}

/// Where the shim can be linked in, as nothing can be preloaded.
pub(crate) fn shim_source() -> PathBuf {
    paths::in_package("milters/syslog_shim.c")
}

/// The log of one process.
#[derive(Debug)]
pub struct Log {
    file: PathBuf,
}

impl Log {
    /// Makes `command`, which must preload the shim, log into `file`.
    pub fn attach(command: &mut Command, file: impl AsRef<Path>) -> Self {
        command.env(FILE_VARIABLE, file.as_ref());
        Self { file: file.as_ref().to_path_buf() }
    }

    /// Lines so far, each `<priority name> <text>` such as `err mymilter: bad thing`.
    pub fn lines(&self) -> Result<Vec<String>> {
        match fs::read(&self.file) {
            Ok(text) => Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(Error::new(self.file.display(), e)),
        }
    }
}
