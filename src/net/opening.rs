//! How listening sockets are to be opened, and why one can't be.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketType};

use super::conn_spec::SpecError;
use super::rights::Rights;
use crate::sys::socket;

/// Sockets that one list of specifications may name.
pub const SOCKETS_MAX: usize = 256;

/// How sockets are to be opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// A socket file that is at the path already is removed first.
    pub remove: bool,
    /// Whose socket file is removed.
    pub takeover: Takeover,
    /// Rights of the file of a unix socket.
    pub rights: Rights,
    /// Descriptors that were taken over before, and whose numbers may be somebody else's by now.
    pub given: &'a [i32],
}

/// What becomes of a socket file at the path that is to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// It goes, whoever serves it.
    Replace,
    /// It stays if another process serves it.
    Refuse,
}

/// Why the socket can't be opened; the texts are those of the log.
#[derive(Debug)]
pub enum ListenError {
    /// The specification is wrong, or names what is not known.
    Spec(SpecError),
    /// A system call failed: what was tried, in the words of the log, and why.
    System(String, io::Error),
    /// What is at the path is not a socket.
    NotASocket(String),
    /// The descriptor has been closed by the run that had it, and is no listening socket now.
    Given(i32),
    /// A socket of the service manager's can't be had; why.
    Passed(String),
    /// The rights that its file is to have are not to be understood; why.
    Rights(String),
    /// What is named is one of those that were opened with it; what that is.
    Twice(String),
    /// There are more specifications than [`SOCKETS_MAX`].
    TooMany,
    /// Another process serves the path, and is to be left alone; which, where the system tells.
    Served(String, Option<i32>),
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ListenError::Spec(error) => error.fmt(f),
            ListenError::System(what, error) => write!(f, "{what}: {}", errno_text(error)),
            ListenError::NotASocket(path) => write!(f, "{path} is not a UNIX domain socket"),
            ListenError::Passed(why) | ListenError::Rights(why) => f.write_str(why),
            ListenError::Twice(what) => write!(f, "{what} is named twice"),
            ListenError::TooMany => write!(f, "more than {SOCKETS_MAX} sockets"),
            ListenError::Served(path, process) => {
                write!(f, "{path} is served by ")?;
                match process {
                    Some(process) => write!(f, "process {process}")?,
                    None => write!(f, "another process")?,
                }
                write!(f, ", which is left alone (see LIBMILTER_SOCKET_TAKEOVER)")
            }
            ListenError::Given(fd) => write!(
                f,
                "fd {fd} is no listening socket any more (an earlier smfi_main has closed it as it \
                 ended; keep a duplicate, and dup2 it to {fd} before the next one)"
            ),
        }
    }
}

impl ListenError {
    /// The number of the system's error, if it was one, or what the reference takes for one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            ListenError::System(_, error) => error.raw_os_error(),
            ListenError::Spec(SpecError::PathTooLong(_)) => Some(libc::EINVAL),
            ListenError::Given(_) => Some(libc::EBADF),
            ListenError::Served(..) | ListenError::Twice(_) => Some(libc::EADDRINUSE),
            _ => None,
        }
    }
}

/// The system's text for an error, without the number that Rust appends.
#[must_use]
pub fn errno_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Makes a socket listen, without waiting in `accept`: several threads may take turns there.
pub(super) fn make_listen(socket: BorrowedFd<'_>, backlog: i32) -> Result<(), ListenError> {
    rustix::net::listen(socket, backlog)
        .and_then(|()| rustix::io::ioctl_fionbio(socket, true))
        .map_err(system("listen call failed"))
}

pub(super) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> ListenError {
    move |error| ListenError::System(what.into(), error.into())
}

/// A stream socket.
pub(super) fn stream_socket(family: AddressFamily) -> Result<OwnedFd, ListenError> {
    socket::open(family, SocketType::STREAM).map_err(system("Unable to create new socket"))
}
