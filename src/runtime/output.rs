//! The way back to the MTA: one socket, whole packets, one write where possible.

mod sending;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use super::held::Held;
use super::log::Log;
use super::way::{AtomicWay, Way};
use crate::proto::command::Command;
use crate::proto::response::{Payload, bare};
use crate::session::{Output, Report, SendError};
use crate::sys::fd::SessionFd;
use crate::sys::jitter::Mutex;
use crate::sys::log::Priority;
use crate::sys::socket::{cut, hang_up, send_some};

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
///
/// No thread waits for an MTA to read, except in a callback that has more to send than is kept for an
/// MTA that does not. What does not fit the socket is kept, and goes out when there is room:
/// [`SocketOutput::drain`].
pub(super) struct SocketOutput {
    socket: SessionFd,
    /// The session's number, for log lines.
    pub(super) session: u64,
    settings: Arc<OutputSettings>,
    /// What is held back: something only between a change and the reply that follows, or if the MTA does
    /// not read.
    held: Mutex<Option<Box<Held>>>,
    /// Nothing is held back.
    through: AtomicBool,
    /// Set with `held` locked.
    way: AtomicWay,
    /// [`Command::index`] of the running callback, for those who look on from outside.
    callback: AtomicU8,
    /// The session's last callback has returned.
    ended: AtomicBool,
}

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
            way: AtomicWay::default(),
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
        if self.is_full() {
            cut(&self.socket);
        } else {
            hang_up(&self.socket);
        }
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

    /// Whether the MTA has to read before anything else is done for it.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.way.is(Way::Full)
    }

    /// Ends the connection, while a callback runs that is not waited for.
    #[cold]
    pub(super) fn cut(&self) {
        cut(&self.socket);
    }

    /// Whether a callback waits for the MTA to read.
    pub(super) fn is_awaited(&self) -> bool {
        self.way.is(Way::Awaited)
    }

    /// Ends the wait of a callback for the MTA to read: it hears that the connection is broken.
    pub(super) fn break_off(&self) {
        if self.is_awaited() {
            cut(&self.socket);
        }
    }

    /// What is to be logged of an MTA that does not read.
    pub(super) fn write_timeout(&self) -> Report<'static> {
        let seconds = self.settings.limit.unwrap_or_default().as_secs();
        Report::WriteTimeout(seconds.try_into().unwrap_or(i64::MAX))
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
    fn send(&self, kind: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        if now && matches!(payload, Payload::None) {
            return self.reply(kind);
        }
        self.push(self.held.lock(), kind, payload, now)
    }

    fn reply(&self, kind: u8) -> Result<(), SendError> {
        let held = self.held.lock();
        if held.is_some() || self.way.is(Way::Broken) {
            return self.push(held, kind, Payload::None, true);
        }
        let packet = bare(kind);
        match send_some(&self.socket, &packet) {
            Ok(n) if n == packet.len() => Ok(()),
            // It shows again, and is reported.
            sent => self.write_rest(held, kind, sent.unwrap_or(0)),
        }
    }

    fn report(&self, report: Report<'_>) {
        self.settings.log.report(self.session, &report);
    }

    fn callback(&self) -> Option<Command> {
        SocketOutput::callback(self)
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
