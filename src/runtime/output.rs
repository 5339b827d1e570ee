//! The way back to the MTA: one socket, whole packets, one write where possible.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::log::Log;
use crate::proto::command::Command;
use crate::proto::response::{Payload, encode};
use crate::session::{Output, Report, SendError};
use crate::sys::socket::{send_all, send_some};

/// Bytes. More than this is not held back.
const HELD_MAX: usize = 128 << 10;
/// No callback is running.
const NO_CALLBACK: u8 = u8::MAX;

/// The socket of a session with the responses that are held back.
///
/// Responses of a callback are held back until it returns, so that they go out in one write. When
/// the callback turns out to take long, [`SocketOutput::hold_no_more`] sends what there is, and
/// whatever follows goes out at once: an MTA never waits for a sign of life that has been given.
pub(super) struct SocketOutput {
    socket: OwnedFd,
    /// The session's number, for log lines.
    pub(super) session: u64,
    log: Arc<Log>,
    debug: i32,
    /// How long the MTA may take to read one batch of packets.
    limit: Option<Duration>,
    held: Mutex<Held>,
    /// [`Command::index`] of the running callback, for those who look on from outside.
    callback: AtomicU8,
}

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    /// Nothing is held back.
    through: bool,
    /// A write has failed; the connection is of no use any more.
    failed: bool,
}

impl SocketOutput {
    pub(super) fn new(
        socket: OwnedFd,
        session: u64,
        log: Arc<Log>,
        debug: i32,
        limit: Option<Duration>,
    ) -> SocketOutput {
        SocketOutput {
            socket,
            session,
            log,
            debug,
            limit,
            held: Mutex::default(),
            callback: AtomicU8::new(NO_CALLBACK),
        }
    }

    /// Lends a buffer for the time of a turn: an idle session owns none.
    pub(super) fn lend(&self, buffer: Vec<u8>, through: bool) {
        let mut held = self.held.lock();
        held.bytes = buffer;
        held.through = through;
    }

    /// Takes the buffer back. Bytes that were not flushed are dropped with the connection.
    pub(super) fn reclaim(&self) -> Vec<u8> {
        std::mem::take(&mut self.held.lock().bytes)
    }

    /// Notes which callback is about to run.
    pub(super) fn enter(&self, command: Command) {
        // Relaxed: read for log lines and estimates only.
        self.callback.store(command.index() as u8, Ordering::Relaxed);
    }

    /// Notes that no callback runs.
    pub(super) fn leave(&self) {
        self.callback.store(NO_CALLBACK, Ordering::Relaxed);
    }

    /// The running callback.
    pub(super) fn callback(&self) -> Option<Command> {
        let index = self.callback.load(Ordering::Relaxed);
        (0..=u8::MAX)
            .filter_map(Command::from_letter)
            .find(|command| command.index() == usize::from(index))
    }

    fn write_out(&self, held: &mut Held) -> Result<(), SendError> {
        if held.failed {
            return Err(SendError);
        }
        if held.bytes.is_empty() {
            return Ok(());
        }
        let result = send_all(&self.socket, &held.bytes, self.limit);
        held.bytes.clear();
        result.map_err(|error| {
            held.failed = true;
            if error.kind() == std::io::ErrorKind::TimedOut {
                let seconds = self.limit.unwrap_or_default().as_secs();
                self.report(Report::WriteTimeout(seconds.try_into().unwrap_or(i64::MAX)));
            } else {
                self.report(Report::Write(&error));
            }
            SendError
        })
    }

    /// Sends what is held back.
    pub(super) fn flush(&self) -> Result<(), SendError> {
        self.write_out(&mut self.held.lock())
    }

    /// Sends what is held back as far as it fits, and holds nothing back until the turn ends.
    ///
    /// Never waits: if a callback is just writing, nothing is held back anyway.
    pub(super) fn hold_no_more(&self) {
        let Some(mut held) = self.held.try_lock() else { return };
        held.through = true;
        if !held.failed && !held.bytes.is_empty() {
            // An error shows again at the next write, which reports it.
            let sent = send_some(&self.socket, &held.bytes).unwrap_or(0);
            held.bytes.drain(..sent);
        }
    }
}

impl AsFd for SocketOutput {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Output for SocketOutput {
    fn send(&self, letter: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        let mut held = self.held.lock();
        if held.failed {
            return Err(SendError);
        }
        encode(&mut held.bytes, letter, payload);
        if now || held.through || held.bytes.len() > HELD_MAX {
            self.write_out(&mut held)
        } else {
            Ok(())
        }
    }

    fn report(&self, report: Report<'_>) {
        self.log.report(self.session, &report);
    }

    fn debugs(&self, level: i32) -> bool {
        self.debug > level
    }

    fn debug(&self, line: std::fmt::Arguments<'_>) {
        use std::io::Write;
        let mut stdout = std::io::stdout().lock();
        // Daemons often have no stdout; debug output is then lost, as asked.
        let _closed = writeln!(stdout, "[{}] {line}", self.session);
    }
}
