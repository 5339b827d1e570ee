//! The receive buffer: bytes from the socket, packets out of it.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, recv};

use super::ClientError;
use super::connect::at_least_a_millisecond;
use super::tap::{Direction, MaybeTap, tell, tell_closed};
use crate::wire::frame::{self, FrameError, Packet};

/// Least room for one read, in bytes.
const ROOM: usize = 4096;

/// Most room made for one read, in bytes: a length field alone must not take memory.
const MOST_ROOM: usize = 1 << 20;

/// Received bytes; those in `start..end` have not been given out.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// The receive timeout the socket has now, to save setting it again.
    bound: Option<Duration>,
}

impl Buffer {
    /// Takes a complete packet, if there is one.
    pub(super) fn buffered(&mut self) -> Result<Option<Packet<'_>>, FrameError> {
        match frame::split(&self.bytes[self.start..self.end])? {
            None => Ok(None),
            Some((packet, used)) => {
                self.start += used;
                Ok(Some(packet))
            }
        }
    }

    /// Reads until there is a complete packet and takes it.
    pub(super) fn packet(
        &mut self,
        socket: &OwnedFd,
        tap: &mut MaybeTap,
        timeout: Duration,
    ) -> Result<Packet<'_>, ClientError> {
        let mut deadline = None;
        let used = loop {
            match frame::split(&self.bytes[self.start..self.end])? {
                Some((_, used)) => break used,
                None => self.fill(socket, tap, timeout, &mut deadline)?,
            }
        };
        let from = self.start;
        self.start += used;
        Ok(Packet {
            letter: self.bytes[from + 4],
            payload: &self.bytes[from + frame::HEAD..from + used],
        })
    }

    /// Gives the bytes there are, waiting for some if there are none; empty at end of file.
    pub(super) fn raw(
        &mut self,
        socket: &OwnedFd,
        tap: &mut MaybeTap,
        timeout: Duration,
    ) -> Result<Vec<u8>, ClientError> {
        if self.start == self.end {
            match self.fill(socket, tap, timeout, &mut None) {
                Ok(()) => {}
                Err(ClientError::Closed { .. }) => return Ok(Vec::new()),
                Err(error) => return Err(error),
            }
        }
        let bytes = self.bytes[self.start..self.end].to_vec();
        self.start = self.end;
        Ok(bytes)
    }

    /// Waits for bytes; the first call of a series starts the clock that `deadline` keeps.
    fn fill(
        &mut self,
        socket: &OwnedFd,
        tap: &mut MaybeTap,
        timeout: Duration,
        deadline: &mut Option<Instant>,
    ) -> Result<(), ClientError> {
        let wait = match deadline {
            None => {
                *deadline = Instant::now().checked_add(timeout);
                timeout
            }
            Some(deadline) => deadline.saturating_duration_since(Instant::now()),
        };
        let partial = self.end - self.start;
        let late = ClientError::ReadTimeout { waited: timeout, partial };
        if wait.is_zero() && !timeout.is_zero() {
            return Err(late);
        }
        self.set_bound(socket, at_least_a_millisecond(wait))?;
        match self.read(socket, tap, RecvFlags::empty()) {
            Ok(0) => Err(ClientError::Closed { partial }),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(Errno::AGAIN) => Err(late),
            Err(error) => Err(read_error(error)),
        }
    }

    /// Reads what is there without waiting; `false` at end of file.
    pub(super) fn fill_now(
        &mut self,
        socket: &OwnedFd,
        tap: &mut MaybeTap,
    ) -> Result<bool, ClientError> {
        match self.read(socket, tap, RecvFlags::DONTWAIT) {
            Ok(count) => Ok(count > 0),
            Err(Errno::AGAIN | Errno::INTR) => Ok(true),
            Err(error) => Err(read_error(error)),
        }
    }

    fn set_bound(&mut self, socket: &OwnedFd, wait: Duration) -> Result<(), ClientError> {
        if self.bound != Some(wait) {
            set_socket_timeout(socket, Timeout::Recv, Some(wait)).map_err(read_error)?;
            self.bound = Some(wait);
        }
        Ok(())
    }

    /// One read into free room, making some first.
    fn read(
        &mut self,
        socket: &OwnedFd,
        tap: &mut MaybeTap,
        flags: RecvFlags,
    ) -> Result<usize, Errno> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        let missing = frame::missing(&self.bytes[self.start..self.end]);
        let room = missing.clamp(ROOM, MOST_ROOM);
        if self.bytes.len() - self.end < room {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let wanted = self.end + room;
            if self.bytes.len() < wanted {
                self.bytes.resize(wanted, 0);
            }
        }
        let count = match recv(socket, &mut self.bytes[self.end..], flags) {
            Ok((_, count)) => count,
            Err(error) => {
                if error == Errno::CONNRESET {
                    tell_closed(tap, Direction::Received);
                }
                return Err(error);
            }
        };
        if count == 0 {
            tell_closed(tap, Direction::Received);
        } else {
            tell(tap, Direction::Received, &self.bytes[self.end..self.end + count]);
        }
        self.end += count;
        Ok(count)
    }
}

fn read_error(error: Errno) -> ClientError {
    ClientError::Io { action: "read", source: error.into() }
}
