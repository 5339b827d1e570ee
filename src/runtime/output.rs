//! The way back to the MTA: one socket, whole packets, one write where possible.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::held::{HELD_MAX, Held, STALLED};
use super::log::Log;
use super::way::{AtomicWay, Way};
use crate::proto::command::Command;
use crate::proto::response::{Payload, bare, letter};
use crate::session::{Output, Report, SendError};
use crate::sys::clock::Time;
use crate::sys::fd::SessionFd;
use crate::sys::jitter::Mutex;
use crate::sys::log::Priority;
use crate::sys::socket::{cut, hang_up, send_some, wait_for_room};

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

    /// Has the session wait as one whose MTA has to read, which lets others go first; `false` if the
    /// connection is broken.
    #[cold]
    pub(super) fn pause(&self) -> bool {
        let _held = self.held.lock();
        let free = self.way.is(Way::Free);
        if free {
            self.way.set(Way::Full);
        }
        free
    }

    /// Whether a sign of life for the MTA goes out at once: it reads what it is sent. For who holds back all
    /// others that send.
    #[cold]
    pub(super) fn takes_more(&self) -> bool {
        let held = self.held.lock();
        let free = self.way.is(Way::Free);
        free && held.as_ref().is_none_or(|packets| packets.len() < HELD_MAX / 2)
    }

    /// Whether something is kept for the MTA although what fits has been sent. As
    /// [`SocketOutput::takes_more`].
    #[cold]
    pub(super) fn keeps_after_flush(&self) -> bool {
        self.hold_no_more();
        self.bytes_kept() > 0
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

    /// Whether the MTA has not read for long what there is for it, of which it was last sent something
    /// at `since` if nothing is kept; for a session without a callback.
    #[cold]
    pub(super) fn is_stalled(&self, since: Time, now: Time) -> bool {
        self.is_full()
            && match &*self.held.lock() {
                Some(packets) => packets.is_stalled(now),
                None => since.until(now) >= STALLED,
            }
    }

    /// Bytes that are kept for the MTA, while no callback runs.
    pub(super) fn bytes_kept(&self) -> usize {
        self.held.lock().as_ref().map_or(0, |packets| packets.room())
    }

    /// Ends the wait of a callback for the MTA to read: it hears that the connection is broken.
    pub(super) fn break_off(&self) {
        if self.is_awaited() {
            cut(&self.socket);
        }
    }

    /// Sends packets as far as they fit, and keeps the rest; with `held` locked. If `wait`, only so much
    /// is kept.
    #[cold]
    fn write(
        &self,
        held: &mut Option<Box<Held>>,
        mut packets: Box<Held>,
        wait: bool,
    ) -> Result<(), SendError> {
        let limit = self.settings.limit;
        let sent = packets.send(&self.socket);
        let sent = sent.and_then(|()| if wait { self.wait(&mut packets, limit) } else { Ok(()) });
        match sent {
            Ok(()) if packets.is_empty() => Ok(()),
            Ok(()) => {
                *held = Some(packets);
                self.way.set(Way::Full);
                Ok(())
            }
            Err(error) => {
                self.way.set(Way::Broken);
                if error.kind() == io::ErrorKind::TimedOut {
                    self.report(self.write_timeout());
                } else {
                    self.report(Report::Write(&error));
                }
                Err(SendError)
            }
        }
    }

    /// Waits until no more is left than is kept.
    fn wait(&self, packets: &mut Held, limit: Option<Duration>) -> io::Result<()> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        while packets.len() > HELD_MAX {
            self.way.set(Way::Awaited);
            wait_for_room(&self.socket, deadline)?;
            packets.send(&self.socket)?;
        }
        if self.is_awaited() {
            self.way.set(Way::Full);
        }
        Ok(())
    }

    /// What is to be logged of an MTA that does not read.
    pub(super) fn write_timeout(&self) -> Report<'static> {
        let seconds = self.settings.limit.unwrap_or_default().as_secs();
        Report::WriteTimeout(seconds.try_into().unwrap_or(i64::MAX))
    }

    /// For the session's turn: sends what was kept as far as it fits; whether that is all.
    ///
    /// # Errors
    /// The connection is broken.
    #[cold]
    pub(super) fn drain(&self) -> Result<bool, SendError> {
        let mut held = self.held.lock();
        if self.way.is(Way::Broken) {
            return Err(SendError);
        }
        if let Some(packets) = held.take() {
            self.write(&mut held, packets, false)?;
        }
        if held.is_none() {
            self.way.set(Way::Free);
        }
        Ok(held.is_none())
    }

    /// Sends what is held back as far as it fits: the connection is about to be closed.
    pub(super) fn flush(&self) {
        let mut held = self.held.lock();
        let Some(mut packets) = held.take() else { return };
        if self.is_full() {
            // Why it is closed was told.
            let _gone = packets.send(&self.socket);
        } else {
            let _reported = self.write(&mut held, packets, false);
        }
    }

    /// Sends what is held back as far as it fits, and holds nothing back until the turn ends.
    ///
    /// Never waits: if a callback is just writing, nothing is held back anyway.
    pub(super) fn hold_no_more(&self) {
        self.through.store(true, Ordering::Relaxed);
        let Some(mut held) = self.held.try_lock() else { return };
        if let Some(packets) = held.as_deref_mut() {
            // An error shows again at the next write, which reports it.
            let _later = packets.send(&self.socket);
            if packets.is_empty() {
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
    fn send(&self, kind: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        let mut held = self.held.lock();
        if self.way.is(Way::Broken) {
            return Err(SendError);
        }
        if now && held.is_none() && matches!(payload, Payload::None) {
            // What nearly all replies are.
            let packet = bare(kind);
            let sent = match send_some(&self.socket, &packet) {
                Ok(n) if n == packet.len() => return Ok(()),
                // It shows again, and is reported.
                sent => sent.unwrap_or(0),
            };
            let rest = Held::rest(packet.get(sent..).unwrap_or_default());
            return self.write(&mut held, Box::new(rest), false);
        }
        let at_once = now || self.through.load(Ordering::Relaxed);
        let mut packets = held.take().unwrap_or_default();
        if packets.push(kind, payload).is_err() {
            *held = Some(packets).filter(|packets| !packets.is_empty());
            return Err(SendError);
        }
        if at_once || packets.len() > HELD_MAX {
            // A reply comes when its callback has returned: no thread waits for the MTA to take it.
            let is_reply = now && kind != letter::PROGRESS;
            return self.write(&mut held, packets, !is_reply);
        }
        *held = Some(packets);
        Ok(())
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
