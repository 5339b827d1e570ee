//! A listening socket: opening, and removing its file.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::net::{AddressFamily, sockopt};

use super::conn_spec::{ConnSpec, Host, Port, SpecError};
pub use super::opening::{ListenError, Opening, SOCKETS_MAX, Takeover, errno_text};
use super::opening::{make_listen, stream_socket, system};
use super::socket_file::SocketFile;
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
    /// The file of a unix socket we created.
    file: Option<SocketFile>,
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
    /// Opens what a specification, `shown` for the log, names, beside `opened`, and listens.
    ///
    /// # Errors
    /// See [`ListenError`]; what was opened until then is among the others.
    pub(super) fn open(
        spec: ConnSpec,
        shown: &str,
        opening: Opening<'_>,
        opened: &mut Vec<Listener>,
    ) -> Result<(), ListenError> {
        let Opening { backlog, given, .. } = opening;
        opened.push(match spec {
            ConnSpec::Unix(path) => {
                let others = opened.iter().filter_map(|other| other.file.as_ref());
                let (socket, file) = unix::at_path(&path, shown, opening, others)?;
                Listener::unix(socket, Some(file))
            }
            ConnSpec::Abstract(name) => {
                Listener::unix(unix::without_file(&name, shown, backlog)?, None)
            }
            ConnSpec::Inet { ipv6, port, host } => {
                Listener::inet(ipv6, &port, host, shown, backlog)?
            }
            ConnSpec::Fd(fd) => Listener::adopt(fd, backlog, given.contains(&fd), opened)?,
            ConnSpec::Systemd(name) => {
                for fd in passed::descriptors(name.as_deref()).map_err(ListenError::Passed)? {
                    let before = given.contains(&fd);
                    opened.push(Listener::adopt_passed(fd, backlog, before, opened)?);
                }
                return Ok(());
            }
        });
        Ok(())
    }

    fn unix(socket: OwnedFd, file: Option<SocketFile>) -> Listener {
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
    fn adopt_passed(
        fd: i32,
        backlog: i32,
        before: bool,
        opened: &[Listener],
    ) -> Result<Listener, ListenError> {
        // SAFETY: a number that is not open is one that the system refuses.
        let listens = is_listening(unsafe { BorrowedFd::borrow_raw(fd) });
        if !listens && !before {
            let why = "which the service manager is said to have passed, is no socket that listens";
            return Err(ListenError::Passed(format!("descriptor {fd}, {why}")));
        }
        Listener::adopt(fd, backlog, before, opened)
    }

    /// Takes over a descriptor that the caller opened; it keeps its number.
    ///
    /// What can't be served is neither changed nor closed: it may be something of the filter's that has
    /// the number by mistake, in particular if a socket that had it was taken over `before`.
    fn adopt(
        fd: i32,
        backlog: i32,
        before: bool,
        opened: &[Listener],
    ) -> Result<Listener, ListenError> {
        let not_open = |error| match before {
            true => ListenError::Given(fd),
            false => system("Unable to set close-on-exec")(error),
        };
        if let Some(owner) = opened.iter().find(|other| other.as_fd().as_raw_fd() == fd) {
            // It is ours: twice the caller's, or of a number that was free when the caller named it.
            return Err(match owner.given {
                Some(_) => ListenError::Twice(format!("descriptor {fd}")),
                None => not_open(io::Error::from_raw_os_error(libc::EBADF)),
            });
        }
        // SAFETY: fcntl with F_GETFD only looks a number up, whether it is open or not.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            return Err(not_open(io::Error::last_os_error()));
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
        // listeners are open but `opened`, and of none of these.
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

    /// Has it take the place of a socket that is served, if it is to.
    ///
    /// # Errors
    /// The system's; what is at the path stays.
    pub(super) fn put_in_place(&mut self) -> Result<(), ListenError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.put_in_place().map_err(|error| {
            let shown = quote(file.path().as_os_str().as_bytes());
            system(format!("Unable to remove {shown}"))(error)
        })
    }

    /// What there is to tell of a process that has served the path until now.
    #[must_use]
    pub fn replaced(&self) -> Option<String> {
        let file = self.file.as_ref()?;
        let shown = quote(file.path().as_os_str().as_bytes());
        file.before().map(|who| format!("{shown} was served by {who}, whose place is taken now"))
    }

    /// Leaves nothing behind of what was opened just now; what the caller opened stays open.
    pub(super) fn withdraw(self) {
        if let Some(file) = &self.file {
            file.remove();
        }
        if self.given.is_some() {
            std::mem::forget(self.socket);
        }
    }

    /// Removes the file of a unix socket we created, if it still is ours and we are not root.
    ///
    /// Root leaves the file, as the reference does: removing files by name is not for root in a
    /// directory others may write to.
    pub fn remove_file(&self) {
        if let Some(file) = self.file.as_ref().filter(|_| !rustix::process::geteuid().is_root()) {
            file.remove();
        }
    }

    /// The same, also for root where nobody else may write to the directory.
    pub fn take_file_away(&self) {
        let root = rustix::process::geteuid().is_root();
        if let Some(file) = self.file.as_ref().filter(|file| !root || file.is_among_roots()) {
            file.remove();
        }
    }
}
