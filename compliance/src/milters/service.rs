//! A daemon that milters ask, such as clamd or spamd; it has no libmilter itself.

use super::below_reaper;
use super::daemon::wait_for;
use c_tests::{Error, Result, public};
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running daemon with a unix socket and a directory of its own; ended when dropped, and when the
/// test is killed.
#[derive(Debug)]
pub struct Service {
    /// The reaper, which ends the daemon when its standard input ends.
    child: Child,
    dir: TempDir,
    socket: PathBuf,
}

impl Service {
    /// Starts it and waits until its socket accepts.
    ///
    /// `prepare` gets the command, its directory and the path of the socket.
    pub fn start(
        mut command: Command,
        prepare: impl FnOnce(&mut Command, &Path, &Path) -> std::io::Result<()>,
    ) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let fail = |e: std::io::Error| Error::new(&name, e);
        // Milters ask as other users.
        let dir = public::tempdir()?;
        let socket = dir.path().join("socket");
        prepare(&mut command, dir.path(), &socket).map_err(fail)?;
        let output = dir.path().join("output");
        let file = File::create(&output).map_err(fail)?;
        let errors = file.try_clone().map_err(fail)?;
        let mut reaper = below_reaper(&command)?;
        let child = reaper.stdin(Stdio::piped()).stdout(file).stderr(errors).spawn();
        let mut service = Self { child: child.map_err(fail)?, dir, socket };
        let accepts = wait_for(|| {
            let accepts = UnixStream::connect(&service.socket).is_ok();
            let ended = service.child.try_wait().is_ok_and(|status| status.is_some());
            (accepts || ended).then_some(accepts)
        });
        if accepts == Some(true) {
            return Ok(service);
        }
        let output = service.output();
        Err(Error(format!("{name} does not accept on its socket; it says:\n{output}")))
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What it has written to its standard output and error.
    pub fn output(&self) -> String {
        let output = fs::read(self.dir.path().join("output")).unwrap_or_default();
        String::from_utf8_lossy(&output).into_owned()
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // By SIGTERM, at which it also removes its temporary files. Waiting closes the pipe.
        let _ = self.child.wait();
    }
}
