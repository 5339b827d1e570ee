//! One connection to a milter: bytes and packets out, packets in, nothing about their meaning.
//!
//! Commands are queued and leave in one write with [`Client::flush`], as Postfix does it; the
//! `send` functions queue and flush. The queue and the receive buffer are kept, so a command in
//! steady state costs no allocation, one write and one read.
//!
//! ```no_run
//! use std::time::Duration;
//! use milter_mta::Client;
//!
//! let bound = Duration::from_secs(5);
//! let mut milter = Client::connect(&"unix:/run/x.sock".parse()?, bound)?;
//! milter.queue_optneg(6, 0x1ff, 0x1f_ffff);
//! milter.flush()?;
//! assert_eq!(milter.read_packet(bound)?.letter, b'O');
//! milter.queue_macros(b'H', &[("{tls_version}", "TLSv1.3")]);
//! milter.queue_strings(b'H', &["client.example"]);
//! milter.flush()?;
//! assert_eq!(milter.read_packet(bound)?.letter, b'c');
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connect;
mod error;
mod receive;
mod tap;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, Shutdown, send, shutdown};

pub use error::ClientError;
use receive::Buffer;
pub use tap::{Direction, Tap};
use tap::{MaybeTap, tell, tell_closed};

use crate::spec::ConnSpec;
use crate::wire::command::{Command, Origin};
use crate::wire::frame::{begin, end, put, put_string};
use crate::wire::{OwnedPacket, Packet};

/// How long a milter may refuse to read before a write fails (sendmail's default).
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a milter.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    queue: Vec<u8>,
    received: Buffer,
    write_timeout: Duration,
    tap: MaybeTap,
}

impl Client {
    /// Connects; TCP connections get `TCP_NODELAY`.
    pub fn connect(spec: &ConnSpec, timeout: Duration) -> Result<Client, ClientError> {
        match connect::open(spec, timeout) {
            Ok(socket) => Ok(Client::from_fd(socket)),
            Err(source) => Err(ClientError::Connect { spec: spec.clone(), source }),
        }
    }

    /// Takes over a connected, blocking stream socket, such as one half of a socket pair.
    #[must_use]
    pub fn from_fd(socket: OwnedFd) -> Client {
        Client {
            socket,
            queue: Vec::new(),
            received: Buffer::default(),
            write_timeout: WRITE_TIMEOUT,
            tap: None,
        }
    }

    /// Sets how long the milter may refuse to read before a write fails; 10 s at first.
    pub fn set_write_timeout(&mut self, timeout: Duration) {
        self.write_timeout = timeout;
    }

    /// Has everything that goes over the connection told to `tap`, from now on.
    pub fn set_tap(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// Queues a packet.
    pub fn queue(&mut self, letter: u8, payload: &[u8]) {
        put(&mut self.queue, letter, payload);
    }

    /// Queues a packet of NUL-terminated strings: `H`, `M`, `R`, `L`, `U`.
    pub fn queue_strings<S: AsRef<[u8]>>(&mut self, letter: u8, strings: &[S]) {
        let start = begin(&mut self.queue, letter);
        for text in strings {
            put_string(&mut self.queue, text.as_ref());
        }
        end(&mut self.queue, start);
    }

    /// Queues the macros of the command with the letter `target`.
    pub fn queue_macros<N, V>(&mut self, target: u8, pairs: &[(N, V)])
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let start = begin(&mut self.queue, b'D');
        self.queue.push(target);
        for (name, value) in pairs {
            put_string(&mut self.queue, name.as_ref());
            put_string(&mut self.queue, value.as_ref());
        }
        end(&mut self.queue, start);
    }

    /// Queues an offer.
    pub fn queue_optneg(&mut self, version: u32, actions: u32, protocol: u32) {
        self.queue_command(&Command::Negotiate { version, actions, protocol });
    }

    /// Queues connection information.
    pub fn queue_connect(&mut self, host: impl AsRef<[u8]>, origin: &Origin) {
        self.queue_command(&Command::Connect { host: host.as_ref(), origin });
    }

    /// Queues a command.
    pub fn queue_command(&mut self, command: &Command<'_>) {
        command.encode(&mut self.queue);
    }

    /// Queues bytes as they are, whole packets or not.
    pub fn queue_raw(&mut self, bytes: &[u8]) {
        self.queue.extend_from_slice(bytes);
    }

    /// Bytes queued and not yet sent.
    #[must_use]
    pub fn queued(&self) -> &[u8] {
        &self.queue
    }

    /// Drops what is queued and not yet sent.
    pub fn clear_queue(&mut self) {
        self.queue.clear();
    }

    /// Queues a packet and sends all that is queued.
    pub fn send(&mut self, letter: u8, payload: &[u8]) -> Result<(), ClientError> {
        self.queue(letter, payload);
        self.flush()
    }

    /// Queues a command and sends all that is queued.
    pub fn send_command(&mut self, command: &Command<'_>) -> Result<(), ClientError> {
        self.queue_command(command);
        self.flush()
    }

    /// Queues bytes and sends all that is queued.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.queue_raw(bytes);
        self.flush()
    }

    /// Sends all that is queued, in one write if the socket takes it.
    ///
    /// Replies that arrive meanwhile are read into the receive buffer, so that two sides which
    /// both write a lot cannot block each other. The queue is empty afterwards, also on failure.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        let mut queue = std::mem::take(&mut self.queue);
        let result = self.write_all(&queue);
        queue.clear();
        self.queue = queue;
        result
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), ClientError> {
        while !bytes.is_empty() {
            match send(&self.socket, bytes, SendFlags::DONTWAIT | no_signal()) {
                Ok(sent) => {
                    tell(&mut self.tap, Direction::Sent, &bytes[..sent]);
                    bytes = &bytes[sent..];
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait_writable()?,
                Err(error) => {
                    return Err(ClientError::Io { action: "write", source: error.into() });
                }
            }
        }
        Ok(())
    }

    /// Waits until the socket takes more, reading what arrives in the meantime.
    fn wait_writable(&mut self) -> Result<(), ClientError> {
        let deadline = Instant::now() + self.write_timeout;
        let mut interest = PollFlags::OUT | PollFlags::IN;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
            let mut fds = [PollFd::new(&self.socket, interest)];
            match poll(&mut fds, Some(&wait)) {
                Ok(0) => {
                    return Err(ClientError::WriteTimeout { waited: self.write_timeout });
                }
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => {
                    return Err(ClientError::Io { action: "write", source: error.into() });
                }
            }
            let ready = fds[0].revents();
            // Whatever ends the stream shows as end of file: the next send says what is wrong.
            if ready.contains(PollFlags::IN)
                && !self.received.fill_now(&self.socket, &mut self.tap)?
            {
                interest = PollFlags::OUT;
            }
            if ready.intersects(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP) {
                return Ok(());
            }
        }
    }

    /// Reads one packet; `timeout` bounds the wait for the whole of it.
    pub fn read_packet(&mut self, timeout: Duration) -> Result<Packet<'_>, ClientError> {
        self.received.packet(&self.socket, &mut self.tap, timeout)
    }

    /// Reads one packet into memory of its own.
    pub fn read_owned(&mut self, timeout: Duration) -> Result<OwnedPacket, ClientError> {
        Ok(self.read_packet(timeout)?.to_owned())
    }

    /// Takes a packet that has been received already, without reading.
    pub fn buffered_packet(&mut self) -> Result<Option<Packet<'_>>, ClientError> {
        Ok(self.received.buffered()?)
    }

    /// Reads what is there without waiting; `false` means that the milter has closed.
    pub fn fill(&mut self) -> Result<bool, ClientError> {
        self.received.fill_now(&self.socket, &mut self.tap)
    }

    /// Gives the next received bytes as they are, packet or not; empty at end of file.
    pub fn read_raw(&mut self, timeout: Duration) -> Result<Vec<u8>, ClientError> {
        self.received.raw(&self.socket, &mut self.tap, timeout)
    }

    /// Gives all bytes up to end of file; a reset connection counts as one.
    ///
    /// `timeout` bounds each wait for more bytes.
    pub fn read_to_end(&mut self, timeout: Duration) -> Result<Vec<u8>, ClientError> {
        let mut all = Vec::new();
        loop {
            match self.read_raw(timeout) {
                Ok(bytes) if bytes.is_empty() => return Ok(all),
                Ok(bytes) => all.extend_from_slice(&bytes),
                Err(error) if error.is_closed() => return Ok(all),
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells the milter that nothing more comes, and can still read.
    pub fn shutdown_write(&mut self) -> Result<(), ClientError> {
        shutdown(&self.socket, Shutdown::Write)
            .map_err(|error| ClientError::Io { action: "shutdown", source: error.into() })?;
        tell_closed(&mut self.tap, Direction::Sent);
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        tell_closed(&mut self.tap, Direction::Sent);
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Keeps a closed connection an error instead of a signal, where the system can say so per call.
fn no_signal() -> SendFlags {
    #[cfg(not(target_vendor = "apple"))]
    return SendFlags::NOSIGNAL;
    #[cfg(target_vendor = "apple")]
    SendFlags::empty()
}

#[cfg(test)]
mod tests;
