//! Callbacks that block until the test lets them go.

use super::{Filter, Session};
use std::ffi::CString;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

impl Filter {
    /// A named pipe for the task "block".
    pub(crate) fn pipe(&self) -> Pipe {
        let n = self.pipes.fetch_add(1, Ordering::Relaxed);
        let path = self.milter.dir().join(format!("pipe{n}"));
        let name = CString::new(path.to_str().unwrap()).unwrap();
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, name, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        // The filter may run as another user.
        for (place, mode) in [(self.milter.dir(), 0o755), (&path, 0o644)] {
            std::fs::set_permissions(place, Permissions::from_mode(mode)).unwrap();
        }
        let writer = File::options().read(true).write(true).open(&path).unwrap();
        Pipe { path, writer }
    }

    /// Waits until so many callbacks of sessions whose names begin so have been blocked.
    pub(crate) fn wait_until_blocked(&self, name: &str, callbacks: usize) {
        self.wait_until(&format!("{callbacks} blocked callbacks of {name}"), |lines| {
            let blocked = |line: &&String| line.starts_with(name) && line.ends_with(" blocked");
            lines.iter().filter(blocked).count() == callbacks
        });
    }
}

/// See [`Filter::pipe`].
pub(crate) struct Pipe {
    path: PathBuf,
    writer: File,
}

impl Pipe {
    pub(crate) fn path(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// The task that blocks until [`Pipe::release`].
    pub(crate) fn block(&self) -> String {
        format!("block {}", self.path.display())
    }

    /// Ends the block, for callbacks that are in it and for those yet to come.
    pub(crate) fn release(self) {
        std::fs::remove_file(&self.path).unwrap();
        drop(self.writer);
    }

    /// Ends the block, and the sessions whose callbacks were in it, once each has its reply.
    pub(crate) fn release_all(self, blocked: Vec<Session>) {
        self.release();
        for mut session in blocked {
            assert_eq!(session.reply(), 'c');
        }
    }
}
