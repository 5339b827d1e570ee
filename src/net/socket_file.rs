//! The file of a unix socket that was made here.

use std::fs::{Metadata, metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What a file is, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    pub(super) fn of(file: &Metadata) -> Identity {
        Identity(file.dev(), file.ino())
    }
}

/// A socket's file.
#[derive(Debug)]
pub(super) struct SocketFile {
    /// Where it is to be served.
    path: PathBuf,
    /// Where it is until it takes the place of a socket that is still served.
    beside: Option<PathBuf>,
    /// `None` if something else has taken its place at once.
    identity: Option<Identity>,
    /// The socket whose place it is to take.
    replaces: Option<Identity>,
    /// Who has served the path until then.
    before: Option<String>,
}

impl SocketFile {
    /// That of a socket which was just bound to the path.
    pub(super) fn at(path: PathBuf) -> SocketFile {
        let identity = metadata(&path).ok().as_ref().map(Identity::of);
        SocketFile { path, beside: None, identity, replaces: None, before: None }
    }

    /// That of a socket which was just bound beside the path.
    pub(super) fn beside(path: PathBuf, beside: PathBuf, replaces: Identity) -> SocketFile {
        let identity = metadata(&beside).ok().as_ref().map(Identity::of);
        SocketFile { path, beside: Some(beside), identity, replaces: Some(replaces), before: None }
    }

    /// The same, with who has served the path.
    pub(super) fn after(self, before: Option<String>) -> SocketFile {
        SocketFile { before, ..self }
    }

    /// Who has served the path before.
    pub(super) fn before(&self) -> Option<&str> {
        self.before.as_deref()
    }

    /// Whether what is at its path, now or in the end, is that file.
    pub(super) fn claims(&self, other: Identity) -> bool {
        self.identity == Some(other) || self.replaces == Some(other)
    }

    /// Moves it over what is at its path.
    ///
    /// # Errors
    /// The system's; nothing has changed.
    pub(super) fn put_in_place(&mut self) -> std::io::Result<()> {
        if let Some(beside) = &self.beside {
            rustix::fs::rename(beside, &self.path)?;
            self.beside = None;
        }
        Ok(())
    }

    /// Removes it, if it still is what was made.
    pub(super) fn remove(&self) {
        let place = self.beside.as_ref().unwrap_or(&self.path);
        let found = metadata(place).ok().as_ref().map(Identity::of);
        if found.is_some() && found == self.identity {
            // Nothing depends on it: a file is left that nobody uses.
            let _left = rustix::fs::unlink(place);
        }
    }

    /// Whether nobody but root may put other files in its place.
    pub(super) fn is_among_roots(&self) -> bool {
        let directory = self.path.parent().map(metadata).and_then(Result::ok);
        directory.is_some_and(|directory| directory.uid() == 0 && directory.mode() & 0o022 == 0)
    }

    /// The path, for the log.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }
}
