//! Who may connect to a unix socket: owner, group and mode of its file.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Gid, Mode, Uid};

/// What an administrator has asked for; what is not set is left as the system makes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights {
    /// The file's owner.
    pub owner: Option<u32>,
    /// The file's group.
    pub group: Option<u32>,
    /// Permissions, nine bits.
    pub mode: Option<u32>,
}

impl Rights {
    /// Gives the file of a socket that was just bound, and does not listen yet, these rights.
    ///
    /// # Errors
    /// The system's, or `Other` if something else has taken the socket's place meanwhile.
    pub(super) fn give(self, path: &Path) -> io::Result<()> {
        if self == Rights::default() {
            return Ok(());
        }
        let (owner, group) = (self.owner.map(Uid::from_raw), self.group.map(Gid::from_raw));
        let mode = self.mode.map(|mode| Mode::from_raw_mode(mode as _));
        give(path, owner, group, mode)
    }
}

/// By a descriptor of what is at the path now, so that no link that somebody puts there is followed.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn give(path: &Path, owner: Option<Uid>, group: Option<Gid>, mode: Option<Mode>) -> io::Result<()> {
    use crate::sys::fd::above_stdio;
    use rustix::fs::{FileType, OFlags};
    use std::os::fd::AsRawFd;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = above_stdio(rustix::fs::open(path, flags, Mode::empty())?)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::Socket {
        return Err(io::Error::other("something else is there now"));
    }
    if owner.is_some() || group.is_some() {
        rustix::fs::chownat(&file, "", owner, group, AtFlags::EMPTY_PATH)?;
    }
    if let Some(mode) = mode {
        rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), mode)?;
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn give(path: &Path, owner: Option<Uid>, group: Option<Gid>, mode: Option<Mode>) -> io::Result<()> {
    use rustix::fs::CWD;
    if owner.is_some() || group.is_some() {
        rustix::fs::chownat(CWD, path, owner, group, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if let Some(mode) = mode {
        rustix::fs::chmodat(CWD, path, mode, AtFlags::empty())?;
    }
    Ok(())
}
