//! One connection of the generator: where it is in its script.

use crate::server::Address;
use c_tests::{Error, Result};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with, sockopt,
};
use std::os::fd::OwnedFd;
use std::time::Instant;

/// Connects; `None` if the filter's backlog is full.
pub(crate) fn open(address: &Address) -> Result<Option<OwnedFd>> {
    let fail = |e: Errno| Error(format!("connect to the filter at {address:?}: {e}"));
    let opened = match address {
        Address::Unix(path) => {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let fd =
                socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(fail)?;
            let to = SocketAddrUnix::new(path.as_path()).map_err(fail)?;
            connect(&fd, &to).map(|()| fd)
        }
        Address::Tcp(to) => {
            // On loopback a connection is made at once, so blocking does no harm.
            let fd =
                socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
                    .map_err(fail)?;
            sockopt::set_tcp_nodelay(&fd, true).map_err(fail)?;
            connect(&fd, to).map(|()| fd)
        }
    };
    match opened {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(fail(errno)),
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` before the first and between two connections.
    pub(super) socket: Option<OwnedFd>,
    /// The current step of the script.
    pub(super) step: usize,
    /// Bytes of the step that were sent.
    pub(super) sent: usize,
    /// Bytes of the reply that have come.
    pub(super) got: usize,
    /// The step was sent, and its reply has not come in full.
    pub(super) waiting: bool,
    /// Watched for room to write as well.
    pub(super) wants_room: bool,
    /// When the step was sent.
    pub(super) sent_at: Instant,
    /// When the message began.
    pub(super) begun_at: Instant,
    /// Messages finished while recording.
    pub(super) recorded: u64,
    /// Messages finished.
    pub(super) messages: u64,
}

impl Connection {
    pub(super) fn new(now: Instant) -> Connection {
        Connection {
            socket: None,
            step: 0,
            sent: 0,
            got: 0,
            waiting: false,
            wants_room: false,
            sent_at: now,
            begun_at: now,
            recorded: 0,
            messages: 0,
        }
    }
}

/// Sends what fits; the number of bytes.
pub(super) fn send_some(socket: &OwnedFd, bytes: &[u8]) -> Result<usize> {
    match send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(n) => Ok(n),
        Err(Errno::AGAIN) => Ok(0),
        Err(errno) => Err(Error::new("send to the filter", errno)),
    }
}

/// Receives what is there and compares it with what is expected; the number of bytes.
pub(super) fn receive(
    socket: &OwnedFd,
    expected: &[u8],
    room: &mut [u8],
    letter: u8,
) -> Result<usize> {
    let n = match recv(socket, &mut *room, RecvFlags::DONTWAIT) {
        Ok((_, n)) => n,
        Err(Errno::AGAIN) => return Ok(0),
        Err(errno) => return Err(Error::new("receive from the filter", errno)),
    };
    let got = &room[..n];
    let command = letter.escape_ascii();
    if n == 0 {
        return Err(Error(format!("the filter closed the connection after command {command}")));
    }
    if !expected.starts_with(got) {
        let expected = expected.escape_ascii();
        return Err(Error(format!(
            "reply to command {command}: expected \"{expected}\", got \"{}\"",
            got.escape_ascii()
        )));
    }
    Ok(n)
}
