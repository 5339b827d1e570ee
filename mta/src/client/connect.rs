//! Opening a connection to a milter within a bound.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout, set_tcp_nodelay};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::spec::ConnSpec;

/// Connects; TCP sockets get `TCP_NODELAY`, so that writes are not held back by the kernel.
pub(super) fn open(spec: &ConnSpec, timeout: Duration) -> io::Result<OwnedFd> {
    match spec {
        ConnSpec::Unix(path) => open_unix(&SocketAddrUnix::new(path.as_path())?, timeout),
        ConnSpec::Abstract(name) => open_unix(&without_file(name)?, timeout),
        ConnSpec::Inet { port, .. } => open_tcp(spec, *port, timeout, SocketAddr::is_ipv4),
        ConnSpec::Inet6 { port, .. } => open_tcp(spec, *port, timeout, SocketAddr::is_ipv6),
    }
}

/// Connects to a unix socket; a full backlog makes the call wait, so it gets a bound.
fn open_unix(address: &SocketAddrUnix, timeout: Duration) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(at_least_a_millisecond(timeout)))?;
    match rustix::net::connect(&socket, address) {
        Ok(()) => Ok(socket),
        Err(rustix::io::Errno::AGAIN) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the milter accepts no connection (its backlog is full)",
        )),
        Err(error) => Err(error.into()),
    }
}

/// The address of a unix socket that has a name in place of a file.
#[cfg(target_os = "linux")]
fn without_file(name: &str) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new_abstract_name(name.as_bytes())?)
}

#[cfg(not(target_os = "linux"))]
fn without_file(_: &str) -> io::Result<SocketAddrUnix> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "there are abstract sockets on Linux only"))
}

/// Tries every address of the host that has the right family.
fn open_tcp(
    spec: &ConnSpec,
    port: u16,
    timeout: Duration,
    wanted: fn(&SocketAddr) -> bool,
) -> io::Result<OwnedFd> {
    let deadline = Instant::now() + timeout;
    let host = spec.host().unwrap_or_default();
    let mut last = None;
    for address in (host, port).to_socket_addrs()?.filter(wanted) {
        let left = deadline.saturating_duration_since(Instant::now());
        match TcpStream::connect_timeout(&address, at_least_a_millisecond(left)) {
            Ok(stream) => {
                let socket = OwnedFd::from(stream);
                set_tcp_nodelay(&socket, true)?;
                return Ok(socket);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address of that family"))
    }))
}

/// A zero duration means "no bound" to the kernel and is an error to std.
pub(super) fn at_least_a_millisecond(duration: Duration) -> Duration {
    duration.max(Duration::from_millis(1))
}
