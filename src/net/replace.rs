//! A socket that is to take the place of one that is still served, so that at no time nobody answers there.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::net::SocketAddrUnix;

/// Binds a socket beside the path, from where it can be moved over what is there; its name.
///
/// # Errors
/// The system's: there can be no other file.
pub(super) fn bind_beside(socket: impl AsFd, path: &Path) -> io::Result<PathBuf> {
    let beside = name_beside(path, std::process::id());
    rustix::net::bind(&socket, &SocketAddrUnix::new(&beside)?)?;
    Ok(beside)
}

/// The path and a process, which is what such a socket is called by the system for as long as it lives.
fn name_beside(path: &Path, process: u32) -> PathBuf {
    let mut beside: OsString = path.into();
    beside.push(format!(".{process}"));
    beside.into()
}

/// Whether some process listens at the path, as far as the system tells without a connection, of which
/// that process would have to hear.
pub(super) fn is_served(path: &Path) -> bool {
    std::fs::read("/proc/net/unix").is_ok_and(|table| lists(&table, path))
}

/// Whether the system's table of unix sockets has one that listens and was bound to the path, or beside it
/// and moved there.
fn lists(table: &[u8], path: &Path) -> bool {
    /// The field of flags when a socket listens.
    const LISTENS: &[u8] = b"00010000";
    let path = path.as_os_str();
    table.split(|&b| b == b'\n').any(|line| {
        // "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /path"
        let mut fields = line.splitn(7, |&b| b == b' ');
        let flags = fields.nth(3);
        // The inode, to the right of its column, then the path, which may have blanks.
        let rest = fields.nth(2).unwrap_or_default().trim_ascii_start();
        let bound = rest.splitn(2, |&b| b == b' ').nth(1).unwrap_or_default();
        flags == Some(LISTENS) && is_at(bound, path)
    })
}

fn is_at(bound: &[u8], path: &OsStr) -> bool {
    let rest = bound.strip_prefix(path.as_bytes());
    rest.is_some_and(|rest| match rest {
        [] => true,
        [b'.', process @ ..] => !process.is_empty() && process.iter().all(u8::is_ascii_digit),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_system_is_understood() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            ffff: 00000002 00000000 00010000 0001 01 12345 /run/a b\n\
            ffff: 00000003 00000000 00000000 0001 03   123 /run/connected\n\
            ffff: 00000002 00000000 00010000 0001 01  1234 /run/moved.77\n\
            ffff: 00000003 00000000 00000000 0001 03 99\n";
        for served in ["/run/a b", "/run/moved", "/run/moved.77"] {
            assert!(lists(table, Path::new(served)), "{served}");
        }
        for other in ["/run/a", "/run/connected", "/run/mov", "/run/moved.7", ""] {
            assert!(!lists(table, Path::new(other)), "{other}");
        }
    }
}
