//! The listening socket: opening, and removing its file.

use std::fs::metadata;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::net::{AddressFamily, sockopt};

use super::conn_spec::{self, ConnSpec, Host, Port, SpecError};
pub use super::opening::{ListenError, Opening, Takeover, errno_text};
use super::opening::{make_listen, stream_socket, system};
use super::{passed, unix};
use crate::proto::printable::quote;
use crate::sys::fd::OwnFd;
use crate::sys::resolve;

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

impl Listener {
    /// Opens the socket of a specification and listens.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn open(spec: &[u8], opening: Opening<'_>) -> Result<Listener, ListenError> {
        let shown = quote(spec);
        let Opening { backlog, given, .. } = opening;
        match conn_spec::parse(spec).map_err(ListenError::Spec)? {
            ConnSpec::Unix(path) => {
                let (socket, path) = unix::at_path(&path, &shown, opening)?;
                Ok(Listener::unix(socket, Some(path)))
            }
            ConnSpec::Abstract(name) => {
                let socket = unix::without_file(&name, &shown, backlog)?;
                Ok(Listener::unix(socket, None))
            }
            ConnSpec::Inet { ipv6, port, host } => {
                Listener::inet(ipv6, &port, host, &shown, backlog)
            }
            ConnSpec::Fd(fd) => Listener::adopt(fd, backlog, given.contains(&fd)),
            ConnSpec::Systemd(name) => {
                let fd = passed::descriptor(name.as_deref()).map_err(ListenError::Passed)?;
                Listener::adopt_passed(fd, backlog, given.contains(&fd))
            }
        }
    }

    /// A unix socket; its file is removed in the end if it still is what it is now.
    fn unix(socket: OwnedFd, path: Option<PathBuf>) -> Listener {
        let file = path.and_then(|path| metadata(&path).ok().map(|f| (path, f.dev(), f.ino())));
        Listener { socket: OwnFd::new(socket), given: None, tcp: false, file }
    }

    fn inet(
        ipv6: bool,
        port: &Port,
        host: Option<Host>,
        spec: &str,
        backlog: i32,
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
        let socket = stream_socket(family)?;
        sockopt::set_socket_reuseaddr(&socket, true).map_err(system("set reuseaddr failed"))?;
        rustix::net::bind(&socket, &SocketAddr::new(ip, port))
            .map_err(system(format!("Unable to bind to port {spec}")))?;
        make_listen(socket.as_fd(), backlog)?;
        Ok(Listener { socket: OwnFd::new(socket), given: None, tcp: true, file: None })
    }

    /// Takes over a descriptor of the service manager's.
    fn adopt_passed(fd: i32, backlog: i32, before: bool) -> Result<Listener, ListenError> {
        // SAFETY: a number that is not open is one that the system refuses.
        let listens = is_listening(unsafe { BorrowedFd::borrow_raw(fd) });
        if !listens && !before {
            let why = "which the service manager is said to have passed, is no socket that listens";
            return Err(ListenError::Passed(format!("descriptor {fd}, {why}")));
        }
        Listener::adopt(fd, backlog, before)
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
