//! Sockets: accepting, receiving, sending, all without blocking and close-on-exec.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, sockopt};

use super::fd::above_stdio;

/// Makes a socket, close-on-exec.
///
/// # Errors
/// No descriptor or memory is left.
pub fn open(family: AddressFamily, kind: SocketType) -> io::Result<OwnedFd> {
    #[cfg(not(target_vendor = "apple"))]
    let fd = {
        use rustix::net::{SocketFlags, socket_with};
        socket_with(family, kind, SocketFlags::CLOEXEC, None)?
    };
    #[cfg(target_vendor = "apple")]
    let fd = {
        let fd = rustix::net::socket(family, kind, None)?;
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        fd
    };
    above_stdio(fd)
}

/// Accepts a connection as a non-blocking, close-on-exec socket.
///
/// # Errors
/// As `accept(2)`; `WouldBlock` if there is none.
pub fn accept(listener: impl AsFd) -> io::Result<OwnedFd> {
    #[cfg(not(any(target_vendor = "apple", target_os = "aix", target_os = "haiku")))]
    let fd = {
        use rustix::net::{SocketFlags, accept_with};
        accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?
    };
    #[cfg(any(target_vendor = "apple", target_os = "aix", target_os = "haiku"))]
    let fd = {
        let fd = rustix::net::accept(listener)?;
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&fd, true)?;
        fd
    };
    // Where `send` has no flag for it; it fails if the peer has gone already.
    #[cfg(target_vendor = "apple")]
    sockopt::set_socket_nosigpipe(&fd, true).map_err(|_| Errno::CONNABORTED)?;
    above_stdio(fd)
}

/// Whether an error of `accept` means that descriptors or memory ran out.
#[must_use]
pub fn is_exhaustion(error: &io::Error) -> bool {
    is_one_of(error, &[Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM])
}

/// Errors of `accept` that concern one connection only, as its manual page has them: what went wrong
/// with a connection before it was accepted is reported by accepting it.
const PASSING: &[Errno] = &[
    Errno::INTR,
    Errno::AGAIN,
    Errno::CONNABORTED,
    Errno::CONNRESET,
    Errno::NETDOWN,
    Errno::PROTO,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::OPNOTSUPP,
    Errno::NETUNREACH,
    // Firewall rules.
    Errno::PERM,
    Errno::TIMEDOUT,
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "illumos"))]
    Errno::NONET,
];

/// Whether an error of `accept` concerns that one connection only, so that the next can be accepted at
/// once.
#[must_use]
pub fn is_passing(error: &io::Error) -> bool {
    is_one_of(error, PASSING)
}

/// Whether an error of `accept` says that the descriptor is not the listening socket any more.
#[must_use]
pub fn is_no_listener(error: &io::Error) -> bool {
    is_one_of(error, &[Errno::BADF, Errno::NOTSOCK, Errno::INVAL])
}

fn is_one_of(error: &io::Error, errnos: &[Errno]) -> bool {
    errnos.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Sets up a TCP connection: dead peers are noticed, small responses go out at once.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn tune_tcp(socket: impl AsFd) -> io::Result<()> {
    sockopt::set_socket_keepalive(&socket, true)?;
    Ok(sockopt::set_tcp_nodelay(&socket, true)?)
}

/// Waits until a socket or another descriptor can be read, or the time is over; whether the socket
/// can. With `room`, it is waited until the socket can be written to.
///
/// # Errors
/// None that a caller could mend; an interrupted wait counts as one without news.
pub fn ready(
    socket: impl AsFd,
    room: bool,
    other: impl AsFd,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    let wanted = if room { PollFlags::OUT } else { PollFlags::IN };
    let mut fds = [PollFd::new(&socket, wanted), PollFd::new(&other, PollFlags::IN)];
    match rustix::event::poll(&mut fds, timeout.as_ref()) {
        Ok(_) => Ok(fds.first().is_some_and(|fd| !fd.revents().is_empty())),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The address of a socket's peer, if it is one of the Internet; one of IPv4 in any form is the same.
#[must_use]
pub fn peer_address(socket: impl AsFd) -> Option<IpAddr> {
    let address = rustix::net::getpeername(socket).ok().flatten()?;
    SocketAddr::try_from(address).ok().map(|address| address.ip().to_canonical())
}

/// Whether it is a socket with a peer.
#[must_use]
pub fn is_connection(fd: impl AsFd) -> bool {
    rustix::net::getpeername(fd).is_ok()
}

/// Ends a connection in the direction of the peer's bytes; it does no harm if it has ended already.
pub fn hang_up(socket: impl AsFd) {
    let _gone = rustix::net::shutdown(socket, rustix::net::Shutdown::Read);
}

/// Ends a connection in the direction of our bytes.
pub fn end_sending(socket: impl AsFd) {
    let _gone = rustix::net::shutdown(socket, rustix::net::Shutdown::Write);
}

/// Ends a connection in both directions: whoever waits to send hears of it.
pub fn cut(socket: impl AsFd) {
    let _gone = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
}

/// Receives what is there; 0 at the end of the stream.
///
/// # Errors
/// As `recv(2)`; `WouldBlock` if nothing is there.
#[inline]
pub fn receive(socket: impl AsFd, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::net::recv(&socket, &mut *room, RecvFlags::DONTWAIT) {
            Ok((_, n)) => return Ok(n),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether there is something to receive.
#[must_use]
pub fn has_arrived(socket: impl AsFd) -> bool {
    let mut byte = [0; 1];
    let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
    matches!(rustix::net::recv(&socket, &mut byte, flags), Ok((_, n)) if n > 0)
}

/// No waiting and no SIGPIPE; the latter is an option of the socket on Apple's systems.
#[cfg(not(target_vendor = "apple"))]
const SEND_FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);
#[cfg(target_vendor = "apple")]
const SEND_FLAGS: SendFlags = SendFlags::DONTWAIT;

/// Sends as much as fits without waiting; 0 if nothing does.
///
/// # Errors
/// As `send(2)`; no SIGPIPE is raised.
#[inline]
pub fn send_some(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match rustix::net::send(&socket, bytes, SEND_FLAGS) {
            Ok(n) => return Ok(n),
            Err(Errno::AGAIN) => return Ok(0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until there may be room to send something, or until `deadline` (`None`: for ever).
///
/// # Errors
/// `TimedOut` after the deadline; an interrupted wait counts as one with room.
pub fn wait_for_room(socket: impl AsFd, deadline: Option<Instant>) -> io::Result<()> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    let mut fds = [PollFd::new(&socket, PollFlags::OUT)];
    match rustix::event::poll(&mut fds, left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    /// Sends everything, as far as there is room in time.
    fn send_all(
        socket: &UnixStream,
        mut bytes: &[u8],
        deadline: Option<Instant>,
    ) -> io::Result<()> {
        loop {
            bytes = &bytes[send_some(socket, bytes)?..];
            if bytes.is_empty() {
                return Ok(());
            }
            wait_for_room(socket, deadline)?;
        }
    }

    #[test]
    fn sending_waits_for_a_slow_reader() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let bytes: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
        let expected = bytes.clone();
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).unwrap();
            got
        });
        send_all(&ours, &bytes, None).unwrap();
        drop(ours);
        assert_eq!(reader.join().unwrap(), expected);
    }

    #[test]
    fn sending_gives_up_and_reports_a_peer_that_is_gone() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let bytes = vec![0; 10_000_000];
        let soon = Instant::now() + Duration::from_millis(1);
        let error = send_all(&ours, &bytes, Some(soon)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
        let error = send_all(&ours, &bytes, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
