//! The listening socket: opening, and removing its file.

use std::ffi::OsStr;
use std::fs::metadata;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};

use super::conn_spec::{self, ConnSpec, Host, Port, SpecError};
use super::replace::{is_served, put_in_place};
use crate::proto::printable::quote;
use crate::sys::fd::{OwnFd, above_stdio};
use crate::sys::resolve;

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
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ListenError::Spec(error) => error.fmt(f),
            ListenError::System(what, error) => write!(f, "{what}: {}", errno_text(error)),
            ListenError::NotASocket(path) => write!(f, "{path} is not a UNIX domain socket"),
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

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: OwnFd,
    /// Its number if the caller opened it.
    given: Option<i32>,
    /// Whether accepted connections are TCP.
    tcp: bool,
    /// The file of a unix socket we created: its path, device and inode.
    file: Option<(PathBuf, u64, u64)>,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Makes a socket listen, without waiting in `accept`: several threads may take turns there.
fn listen(socket: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    rustix::net::listen(socket, backlog)?;
    Ok(rustix::io::ioctl_fionbio(socket, true)?)
}

/// The same, with the words of the log.
fn make_listen(socket: BorrowedFd<'_>, backlog: i32) -> Result<(), ListenError> {
    listen(socket, backlog).map_err(system("listen call failed"))
}

/// Whether it is a socket that listens.
#[cfg(not(target_vendor = "apple"))]
fn is_listening(fd: BorrowedFd<'_>) -> bool {
    sockopt::socket_acceptconn(fd).unwrap_or(false)
}

/// Whether it may be a socket that listens: a bound one without a peer, as far as can be told here.
#[cfg(target_vendor = "apple")]
fn is_listening(fd: BorrowedFd<'_>) -> bool {
    rustix::net::getsockname(fd).is_ok() && rustix::net::getpeername(fd).is_err()
}

fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> ListenError {
    move |error| ListenError::System(what.into(), error.into())
}

impl Listener {
    /// Opens the socket of a specification and listens with the given backlog.
    ///
    /// `remove`: a socket file that is at the path already is removed first. `given`: descriptors that
    /// this function has taken over before, and whose numbers may be somebody else's by now.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn open(
        spec: &[u8],
        backlog: i32,
        remove: bool,
        given: &[i32],
    ) -> Result<Listener, ListenError> {
        let shown = quote(spec);
        let listener = match conn_spec::parse(spec).map_err(ListenError::Spec)? {
            ConnSpec::Unix(path) => return Listener::unix(&path, &shown, remove, backlog),
            ConnSpec::Inet { ipv6, port, host } => Listener::inet(ipv6, &port, host, &shown)?,
            ConnSpec::Fd(fd) => return Listener::adopt(fd, backlog, given.contains(&fd)),
        };
        make_listen(listener.as_fd(), backlog)?;
        Ok(listener)
    }

    fn socket(family: AddressFamily) -> Result<OwnedFd, ListenError> {
        let failed = "Unable to create new socket";
        #[cfg(not(target_vendor = "apple"))]
        let fd = {
            use rustix::net::{SocketFlags, socket_with};
            socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        };
        #[cfg(target_vendor = "apple")]
        let fd = rustix::net::socket(family, SocketType::STREAM, None).and_then(|fd| {
            rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
            Ok(fd)
        });
        above_stdio(fd.map_err(system(failed))?).map_err(system(failed))
    }

    fn unix(path: &[u8], spec: &str, remove: bool, backlog: i32) -> Result<Listener, ListenError> {
        let path = PathBuf::from(OsStr::from_bytes(path));
        let shown = quote(path.as_os_str().as_bytes());
        let socket = Listener::socket(AddressFamily::UNIX)?;
        let at = |socket, path: PathBuf| {
            let file = metadata(&path).ok().map(|f| (path, f.dev(), f.ino()));
            Listener { socket: OwnFd::new(socket), given: None, tcp: false, file }
        };
        if remove {
            match metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(system(format!("Unable to stat() {shown}"))(error)),
                Ok(found) if !found.file_type().is_socket() => {
                    return Err(ListenError::NotASocket(shown));
                }
                Ok(_) => {
                    if is_served(&path) {
                        let replacing = Listener::socket(AddressFamily::UNIX)?;
                        let listen = || listen(replacing.as_fd(), backlog);
                        if put_in_place(&replacing, &path, listen).is_ok() {
                            return Ok(at(replacing, path));
                        }
                    }
                    // Nobody serves it, or no other name can be had: as the reference does it.
                    std::fs::remove_file(&path)
                        .map_err(system(format!("Unable to remove {shown}")))?;
                }
            }
        }
        let failed = || format!("Unable to bind to port {spec}");
        let address = SocketAddrUnix::new(&path).map_err(system(failed()))?;
        rustix::net::bind(&socket, &address).map_err(system(failed()))?;
        make_listen(socket.as_fd(), backlog)?;
        Ok(at(socket, path))
    }

    fn inet(
        ipv6: bool,
        port: &Port,
        host: Option<Host>,
        spec: &str,
    ) -> Result<Listener, ListenError> {
        let port = match port {
            Port::Number(port) => *port,
            Port::Service(name) => resolve::service_port(name)
                .ok_or_else(|| ListenError::Spec(SpecError::Port(name.clone())))?,
        };
        let ip = match host {
            None if ipv6 => IpAddr::from(Ipv6Addr::UNSPECIFIED),
            None => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            Some(Host::Address(ip)) => ip,
            Some(Host::Name(name)) => resolve::host_address(&name, ipv6)
                .ok_or(ListenError::Spec(SpecError::Host(name)))?,
        };
        let family = if ipv6 { AddressFamily::INET6 } else { AddressFamily::INET };
        let socket = Listener::socket(family)?;
        sockopt::set_socket_reuseaddr(&socket, true).map_err(system("set reuseaddr failed"))?;
        rustix::net::bind(&socket, &SocketAddr::new(ip, port))
            .map_err(system(format!("Unable to bind to port {spec}")))?;
        Ok(Listener { socket: OwnFd::new(socket), given: None, tcp: true, file: None })
    }

    /// Takes over a descriptor that the caller opened; it keeps its number.
    ///
    /// What can't be served is neither changed nor closed: it may be something of the filter's that has
    /// the number by mistake, in particular if a socket that had it was taken over `before`.
    fn adopt(fd: i32, backlog: i32, before: bool) -> Result<Listener, ListenError> {
        // SAFETY: fcntl with F_GETFD only looks a number up, whether it is open or not.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            let error = io::Error::last_os_error();
            return Err(match before {
                true => ListenError::Given(fd),
                false => system("Unable to set close-on-exec")(error),
            });
        }
        // SAFETY: the number is open, and naming it in the specification hands it to us.
        let socket = unsafe { BorrowedFd::borrow_raw(fd) };
        if before && !is_listening(socket) {
            return Err(ListenError::Given(fd));
        }
        make_listen(socket, backlog)?;
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)
            .map_err(system("Unable to set close-on-exec"))?;
        let tcp = rustix::net::getsockname(socket).is_ok_and(|address| {
            [AddressFamily::INET, AddressFamily::INET6].contains(&address.address_family())
        });
        // SAFETY: as above; nothing else in this library owns it, as it is taken over only while no
        // listener is open.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Listener { socket: OwnFd::new(socket), given: Some(fd), tcp, file: None })
    }

    /// The number of the descriptor, if the caller opened it.
    #[must_use]
    pub fn given(&self) -> Option<i32> {
        self.given
    }

    /// Whether the descriptor still is the socket that was opened.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.socket.is_intact()
    }

    /// Whether accepted connections are TCP.
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        self.tcp
    }

    /// Removes the file of a unix socket we created, if it still is ours and we are not root.
    ///
    /// Root leaves the file, as the reference does: removing files by name is not for root in a
    /// directory others may write to.
    pub fn remove_file(&self) {
        let Some((path, device, inode)) = &self.file else { return };
        if rustix::process::geteuid().is_root() {
            return;
        }
        let ours = metadata(path).is_ok_and(|f| f.dev() == *device && f.ino() == *inode);
        if ours {
            // Nothing depends on it: a leftover file is what root leaves in any case.
            let _left = std::fs::remove_file(path);
        }
    }
}
