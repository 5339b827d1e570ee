//! Unix sockets that listen: at a path, or by a name without a file.

use std::ffi::OsStr;
use std::fs::metadata;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, connect};

use super::opening::{ListenError, Opening, Takeover, make_listen, stream_socket, system};
use super::replace::{bind_beside, served, server};
use super::socket_file::{Identity, SocketFile};
use crate::proto::printable::quote;

/// Opens the socket of a path, which does not take the place yet of one that is served there.
///
/// `others` are the files of those opened with it.
pub(super) fn at_path<'a>(
    path: &[u8],
    spec: &str,
    opening: Opening<'_>,
    mut others: impl Iterator<Item = &'a SocketFile>,
) -> Result<(OwnedFd, SocketFile), ListenError> {
    let path = PathBuf::from(OsStr::from_bytes(path));
    let shown = quote(path.as_os_str().as_bytes());
    // Before anything is removed.
    let socket = stream_socket(AddressFamily::UNIX)?;
    let mut replaced = None;
    let there = if opening.remove { socket_at(&path, &shown)? } else { None };
    if let Some(there) = there {
        if others.any(|other| other.claims(there)) {
            return Err(ListenError::Twice(shown));
        }
        if opening.takeover == Takeover::Refuse {
            refuse_served(&path, &shown)?;
        }
        if let Some(inode) = served(&path) {
            replaced = server(inode);
            let replacing = stream_socket(AddressFamily::UNIX)?;
            if let Ok(beside) = bind_beside(&replacing, &path) {
                let file = SocketFile::beside(path, beside.clone(), there).after(replaced);
                return prepare(replacing, &beside, file, &shown, opening);
            }
        }
        // Nobody serves it, or no other name can be had: as the reference does it.
        rustix::fs::unlink(&path).map_err(system(format!("Unable to remove {shown}")))?;
    }
    let failed = || format!("Unable to bind to port {spec}");
    let address = SocketAddrUnix::new(&path).map_err(system(failed()))?;
    rustix::net::bind(&socket, &address).map_err(system(failed()))?;
    prepare(socket, &path, SocketFile::at(path.clone()).after(replaced), &shown, opening)
}

/// Has a socket listen that was bound at a place; if it can't, its file goes.
fn prepare(
    socket: OwnedFd,
    place: &Path,
    file: SocketFile,
    shown: &str,
    opening: Opening<'_>,
) -> Result<(OwnedFd, SocketFile), ListenError> {
    let denied = || format!("Unable to set owner or mode of {shown}");
    // Nobody can connect before it listens.
    let given = opening.rights.give(place).map_err(system(denied()));
    match given.and_then(|()| make_listen(socket.as_fd(), opening.backlog)) {
        Ok(()) => Ok((socket, file)),
        Err(error) => {
            file.remove();
            Err(error)
        }
    }
}

/// The socket at the path, rather than nothing.
fn socket_at(path: &Path, shown: &str) -> Result<Option<Identity>, ListenError> {
    match metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(system(format!("Unable to stat() {shown}"))(error)),
        Ok(found) if found.file_type().is_socket() => Ok(Some(Identity::of(&found))),
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
