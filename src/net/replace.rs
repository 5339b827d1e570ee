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

/// The socket that listens at the path, by its inode, as far as the system tells without a connection, of
/// which the process that serves it would have to hear.
pub(super) fn served(path: &Path) -> Option<u64> {
    std::fs::read("/proc/net/unix").ok().and_then(|table| listed(&table, path))
}

/// Who serves a socket other than this process, as far as the system shows others.
pub(super) fn server(inode: u64) -> Option<String> {
    let socket = format!("socket:[{inode}]");
    let serves = |process: u32| {
        let files = format!("/proc/{process}/fd");
        let is_it = |file: &str| {
            let target = std::fs::read_link(format!("{files}/{file}"));
            target.is_ok_and(|target| target.as_os_str() == socket.as_str()).then_some(())
        };
        find_name(&files, is_it).is_some()
    };
    if serves(std::process::id()) {
        return None;
    }
    let found = find_name("/proc", |name| name.parse().ok().filter(|process| serves(*process)));
    Some(found.map_or("another process".to_owned(), |process| format!("process {process}")))
}

/// What the first name in a directory leads to that leads to something; names that are no text are left out.
///
/// Not by the standard library: what it does that with are four more names of the C library for the loader
/// to look up whenever a program starts.
#[cfg(target_os = "linux")]
fn find_name<T>(directory: &str, mut look: impl FnMut(&str) -> Option<T>) -> Option<T> {
    use rustix::fs::{Mode, OFlags, RawDir, open};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory, flags, Mode::empty()).ok()?;
    let mut room = [const { std::mem::MaybeUninit::uninit() }; 4096];
    let mut entries = RawDir::new(directory, &mut room);
    while let Some(entry) = entries.next() {
        // An error is the end of it.
        let found = look(entry.ok()?.file_name().to_str().unwrap_or_default());
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Elsewhere no such files tell of processes.
#[cfg(not(target_os = "linux"))]
fn find_name<T>(_directory: &str, _look: impl FnMut(&str) -> Option<T>) -> Option<T> {
    None
}

/// From the system's table of unix sockets, the inode of one that listens and was bound to the path, or beside
/// it and moved there.
fn listed(table: &[u8], path: &Path) -> Option<u64> {
    /// The field of flags when a socket listens.
    const LISTENS: &[u8] = b"00010000";
    let path = path.as_os_str();
    table.split(|&b| b == b'\n').find_map(|line| {
        // "0000000000000000: 00000002 00000000 00010000 0001 01 12345 /path"
        let mut fields = line.splitn(7, |&b| b == b' ');
        let flags = fields.nth(3);
        // The inode, to the right of its column, then the path, which may have blanks.
        let rest = fields.nth(2).unwrap_or_default().trim_ascii_start();
        let mut rest = rest.splitn(2, |&b| b == b' ');
        let (inode, bound) = (rest.next().unwrap_or_default(), rest.next().unwrap_or_default());
        let served = flags == Some(LISTENS) && is_at(bound, path);
        let inode = std::str::from_utf8(inode).ok().and_then(|inode| inode.parse().ok());
        inode.filter(|_| served)
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
        for (served, inode) in [("/run/a b", 12345), ("/run/moved", 1234), ("/run/moved.77", 1234)]
        {
            assert_eq!(listed(table, Path::new(served)), Some(inode), "{served}");
        }
        for other in ["/run/a", "/run/connected", "/run/mov", "/run/moved.7", ""] {
            assert_eq!(listed(table, Path::new(other)), None, "{other}");
        }
    }
}
