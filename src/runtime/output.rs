//! The way back to the MTA: one socket, whole packets, one write where possible.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use super::log::Log;
use crate::proto::command::Command;
use crate::proto::response::{Payload, bare, encode};
use crate::session::{Output, Report, SendError};
use crate::sys::fd::SessionFd;
use crate::sys::jitter::Mutex;
use crate::sys::log::Priority;
use crate::sys::socket::{hang_up, send_all, send_some};

/// Bytes. More than this is not held back.
const HELD_MAX: usize = 128 << 10;
/// No callback is running.
const NO_CALLBACK: u8 = u8::MAX;

/// What the sockets of all sessions of a run have in common.
#[derive(Debug)]
pub(super) struct OutputSettings {
    pub(super) log: Arc<Log>,
    /// Level of debug output.
    pub(super) debug: i32,
    /// How long an MTA may take to read one batch of packets.
    pub(super) limit: Option<Duration>,
}

/// The socket of a session with the responses that are held back.
///
/// Responses of a callback are held back until it returns, so that they go out in one write. When
/// the callback turns out to take long, [`SocketOutput::hold_no_more`] sends what there is, and
/// whatever follows goes out at once: an MTA never waits for a sign of life that has been given.
pub(super) struct SocketOutput {
    socket: SessionFd,
    /// The session's number, for log lines.
    pub(super) session: u64,
    settings: Arc<OutputSettings>,
    /// What is held back: something only between a change and the reply that follows.
    held: Mutex<Option<Box<Held>>>,
    /// Nothing is held back.
    through: AtomicBool,
    /// A write has failed; the connection is of no use any more. Set with `held` locked.
    failed: AtomicBool,
    /// [`Command::index`] of the running callback, for those who look on from outside.
    callback: AtomicU8,
    /// The session's last callback has returned.
    ended: AtomicBool,
}

/// Packets that are held back.
#[derive(Default)]
struct Held(Vec<u8>);

impl SocketOutput {
    pub(super) fn new(
        socket: OwnedFd,
        session: u64,
        settings: Arc<OutputSettings>,
    ) -> SocketOutput {
        SocketOutput {
            socket: SessionFd::new(socket),
            session,
            settings,
            held: Mutex::default(),
            through: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            callback: AtomicU8::new(NO_CALLBACK),
            ended: AtomicBool::new(false),
        }
    }

    /// Notes that the filter has closed the socket, whose number may be somebody else's by now.
    #[cold]
    pub(super) fn lost(&self) {
        self.socket.lost();
    }

    /// Takes [`SocketOutput::lost`] back.
    #[cold]
    pub(super) fn found(&self) {
        self.socket.found();
    }

    /// Logs that the socket can't be watched.
    #[cold]
    pub(super) fn unwatched(&self, error: &io::Error) {
        let text = format!("session {}: can't be watched: {error}; closed", self.session);
        self.settings.log.line(Priority::Error, &text);
    }

    /// Has the thread that waits for the MTA find the connection at its end.
    pub(super) fn hang_up(&self) {
        hang_up(&self.socket);
    }

    /// Begins a turn: what callbacks send is held back, or goes `through`.
    pub(super) fn begin(&self, through: bool) {
        // Relaxed: only decides when bytes go out, the lock on them orders the rest.
        self.through.store(through, Ordering::Relaxed);
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

    /// Notes that the session's last callback has returned.
    pub(super) fn end(&self) {
        // Release, with the acquire in `has_ended`: ordered before the count of sessions falls.
        self.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The running callback.
    pub(super) fn callback(&self) -> Option<Command> {
        let index = self.callback.load(Ordering::Relaxed);
        (0..=u8::MAX)
            .filter_map(Command::from_letter)
            .find(|command| command.index() == usize::from(index))
    }

    /// Whether the connection is of no use any more; with `held` locked.
    fn has_failed(&self) -> bool {
        // Relaxed: the lock orders it.
        self.failed.load(Ordering::Relaxed)
    }

    /// Sends the bytes of which the first `sent` went out, if there was no error; with `held`
    /// locked.
    #[cold]
    fn write(&self, bytes: &[u8], sent: io::Result<usize>) -> Result<(), SendError> {
        let rest = sent.map(|n| bytes.get(n..).unwrap_or_default());
        let limit = self.settings.limit;
        rest.and_then(|rest| send_all(&self.socket, rest, limit)).map_err(|error| {
            self.failed.store(true, Ordering::Relaxed);
            if error.kind() == io::ErrorKind::TimedOut {
                let seconds = limit.unwrap_or_default().as_secs();
                self.report(Report::WriteTimeout(seconds.try_into().unwrap_or(i64::MAX)));
            } else {
                self.report(Report::Write(&error));
            }
            SendError
        })
    }

    /// Sends what is held back.
    pub(super) fn flush(&self) {
        let mut held = self.held.lock();
        if let Some(packets) = held.take() {
            // The connection is about to be closed in any case.
            let _reported = self.write(&packets.0, Ok(0));
        }
    }

    /// Sends what is held back as far as it fits, and holds nothing back until the turn ends.
    ///
    /// Never waits: if a callback is just writing, nothing is held back anyway.
    pub(super) fn hold_no_more(&self) {
        self.through.store(true, Ordering::Relaxed);
        let Some(mut held) = self.held.try_lock() else { return };
        if let Some(Held(bytes)) = held.as_deref_mut() {
            // An error shows again at the next write, which reports it.
            let sent = send_some(&self.socket, bytes).unwrap_or(0);
            bytes.drain(..sent);
            if bytes.is_empty() {
                *held = None;
            }
        }
    }
}

impl std::fmt::Debug for SocketOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketOutput").field("session", &self.session).finish_non_exhaustive()
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
        if self.has_failed() {
            return Err(SendError);
        }
        if now && held.is_none() && matches!(payload, Payload::None) {
            // What nearly all replies are.
            let packet = bare(letter);
            return match send_some(&self.socket, &packet) {
                Ok(n) if n == packet.len() => Ok(()),
                sent => self.write(&packet, sent),
            };
        }
        let now = now || self.through.load(Ordering::Relaxed);
        let mut packets = held.take().unwrap_or_default();
        if encode(&mut packets.0, letter, payload).is_err() {
            *held = Some(packets).filter(|packets| !packets.0.is_empty());
            return Err(SendError);
        }
        if now || packets.0.len() > HELD_MAX {
            return self.write(&packets.0, Ok(0));
        }
        *held = Some(packets);
        Ok(())
    }

    fn report(&self, report: Report<'_>) {
        self.settings.log.report(self.session, &report);
    }

    fn debugs(&self, level: i32) -> bool {
        self.settings.debug > level
    }

    fn debug(&self, line: std::fmt::Arguments<'_>) {
        use crate::proto::printable::{LINE_MAX, escape};
        use std::io::Write;
        let mut stdout = std::io::stdout().lock();
        // Daemons often have no stdout; debug output is then lost, as asked.
        let _closed =
            writeln!(stdout, "[{}] {}", self.session, escape(&line.to_string(), LINE_MAX));
    }
}
