//! Unix sockets that listen: at a path, or by a name without a file.

use std::ffi::OsStr;
use std::fs::metadata;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, connect};

use super::opening::{ListenError, Opening, Takeover, listen, make_listen, stream_socket, system};
use super::replace::{is_served, put_in_place};
use crate::proto::printable::quote;

/// Opens the socket of a path; the path as a file's.
pub(super) fn at_path(
    path: &[u8],
    spec: &str,
    opening: Opening<'_>,
) -> Result<(OwnedFd, PathBuf), ListenError> {
    let path = PathBuf::from(OsStr::from_bytes(path));
    let shown = quote(path.as_os_str().as_bytes());
    let Opening { backlog, rights, .. } = opening;
    let denied = || format!("Unable to set owner or mode of {shown}");
    // Before anything is removed.
    let socket = stream_socket(AddressFamily::UNIX)?;
    if opening.remove && is_socket(&path, &shown)? {
        if opening.takeover == Takeover::Refuse {
            refuse_served(&path, &shown)?;
        }
        if is_served(&path) {
            let replacing = stream_socket(AddressFamily::UNIX)?;
            let mut given = Ok(());
            let placed = put_in_place(&replacing, &path, |beside| {
                given = rights.give(beside);
                listen(replacing.as_fd(), backlog)
            });
            given.map_err(system(denied()))?;
            if placed.is_ok() {
                return Ok((replacing, path));
            }
        }
        // Nobody serves it, or no other name can be had: as the reference does it.
        std::fs::remove_file(&path).map_err(system(format!("Unable to remove {shown}")))?;
    }
    let failed = || format!("Unable to bind to port {spec}");
    let address = SocketAddrUnix::new(&path).map_err(system(failed()))?;
    rustix::net::bind(&socket, &address).map_err(system(failed()))?;
    // Nobody can connect before it listens.
    rights.give(&path).map_err(system(denied()))?;
    make_listen(socket.as_fd(), backlog)?;
    Ok((socket, path))
}

/// Whether there is a socket at the path, rather than nothing.
fn is_socket(path: &Path, shown: &str) -> Result<bool, ListenError> {
    match metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(system(format!("Unable to stat() {shown}"))(error)),
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_) => Err(ListenError::NotASocket(shown.to_owned())),
    }
}

/// Finds out by a connection whether a process listens at the path.
fn refuse_served(path: &Path, shown: &str) -> Result<(), ListenError> {
    let failed = || format!("Unable to connect to {shown}");
    let probe = stream_socket(AddressFamily::UNIX)?;
    // Whose queue of connections is full is there, too.
    rustix::io::ioctl_fionbio(&probe, true).map_err(system(failed()))?;
    let address = SocketAddrUnix::new(path).map_err(system(failed()))?;
    match connect(&probe, &address) {
        Ok(()) => Err(ListenError::Served(shown.to_owned(), peer(&probe))),
        Err(rustix::io::Errno::AGAIN) => Err(ListenError::Served(shown.to_owned(), None)),
        Err(_) => Ok(()),
    }
}

/// The process that listens.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn peer(probe: impl AsFd) -> Option<i32> {
    let credentials = rustix::net::sockopt::socket_peercred(probe).ok()?;
    Some(credentials.pid.as_raw_nonzero().get())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn peer(_: impl AsFd) -> Option<i32> {
    None
}

/// Opens a socket by a name that is not a file's.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn without_file(name: &[u8], spec: &str, backlog: i32) -> Result<OwnedFd, ListenError> {
    let failed = || format!("Unable to bind to port {spec}");
    let socket = stream_socket(AddressFamily::UNIX)?;
    let address = SocketAddrUnix::new_abstract_name(name).map_err(system(failed()))?;
    rustix::net::bind(&socket, &address).map_err(system(failed()))?;
    make_listen(socket.as_fd(), backlog)?;
    Ok(socket)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn without_file(_: &[u8], spec: &str, _: i32) -> Result<OwnedFd, ListenError> {
    let unsupported = io::Error::from(io::ErrorKind::Unsupported);
    Err(system(format!("Unable to bind to port {spec}"))(unsupported))
}
