//! Where an administrator may have lines go: descriptors that are open, and files.

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::path::Arg;

use super::fd::above_stdio;

/// The descriptor that `stderr` or `fd:number` names; `None` if it is something else.
#[must_use]
pub fn descriptor(setting: &[u8]) -> Option<RawFd> {
    if setting == b"stderr" {
        return Some(libc::STDERR_FILENO);
    }
    let digits = setting.strip_prefix(b"fd:")?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|number| *number >= 0)
}

/// Opens a file to add to it: no link, for its owner alone if it is made, and a FIFO without waiting for
/// somebody who reads it.
///
/// # Errors
/// The system's.
pub fn append_to(path: impl Arg, more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let flags = flags | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    above_stdio(open(path, flags, Mode::RUSR | Mode::WUSR)?)
}
