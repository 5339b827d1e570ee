//! A session with its socket, and what a turn of it is about.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::attended::Attended;
use super::counted::Counted;
use super::lifecycle::Phase;
use super::linger::LINGER;
use super::options::Limits;
use super::output::SocketOutput;
use super::partial::Partial;
use super::service::Service;
use super::traced::Traced;
use crate::proto::frame;
use crate::session::{Event, Filter, Output, Report, Session};
use crate::sys::clock::Time;
use crate::sys::flags;

/// What a thread lends to the session it serves: sessions own no buffers while they wait.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Bytes received, with room for one more: a NUL. Grows to what the thread needs, which for
    /// one that only runs slow callbacks is a packet.
    pub(super) buffer: Vec<u8>,
    /// The time, as of the last wait.
    pub(super) now: Time,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { buffer: Vec::new(), now: Time::now() }
    }
}

impl Scratch {
    /// Makes room for that many bytes, and a NUL; `false` if there is no memory for it.
    #[inline]
    pub(super) fn fits(&mut self, size: usize) -> bool {
        self.buffer.len() > size || self.grow(size + 1)
    }

    #[cold]
    fn grow(&mut self, size: usize) -> bool {
        let grown = self.buffer.try_reserve(size - self.buffer.len()).is_ok();
        if grown {
            self.buffer.resize(size, 0);
        }
        grown
    }
}

/// Why a session gets a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// Its socket can be read, or written to if that is what it waits for, or its peer is gone.
    Ready,
    /// It was handed over with a packet whose callback is known to be slow.
    Resume,
    /// Its deadline has come.
    Expired,
    /// It is to end.
    End,
}

/// Where a session has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a loop: slow callbacks are handed over, and changes wait for the reply unless the
    /// supervisor sees that the callback takes long.
    Loop,
    /// On a spare thread: changes go out at once, and callbacks are timed.
    Spare,
    /// On the session's own thread: changes go out at once.
    Own,
}

impl Place {
    /// The time after callbacks; `waited` is when the thread has last waited, which is near enough
    /// for callbacks known to be short.
    pub(super) fn time(self, waited: Time) -> Time {
        if self == Place::Loop { waited } else { Time::now() }
    }
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum TurnEnd {
    /// The session waits for its MTA.
    Wait,
    /// The same, and more may have arrived than was received.
    More,
    /// The session waits for its MTA to read what it was sent.
    Full,
    /// The next callback is known to be slow and must not run in a loop.
    HandOver,
    /// The session ends: after a turn, its close callback has been called.
    Close,
}

impl TurnEnd {
    /// Whether the session waits for its MTA to send something.
    pub(super) fn waits(self) -> bool {
        matches!(self, TurnEnd::Wait | TurnEnd::More)
    }

    /// Whether the session waits for its MTA, to send something or to read.
    pub(super) fn stays(self) -> bool {
        self.waits() || self == TurnEnd::Full
    }

    /// The same if `more` may have arrived than was received.
    #[inline]
    pub(super) fn or_more(self, more: bool) -> TurnEnd {
        if more && self == TurnEnd::Wait { TurnEnd::More } else { self }
    }
}

/// A session with its socket.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) output: Arc<SocketOutput>,
    /// The bytes of a packet that has not arrived in full; or that have arrived and wait until the MTA
    /// has read what there is for it.
    pub(super) partial: Partial,
    /// When the wait for the next command, for the rest of a packet, or for room for a reply, began.
    pub(super) since: Time,
}

impl Connection {
    pub(super) fn new(session: Session, output: Arc<SocketOutput>, now: Time) -> Connection {
        Connection { session, output, partial: Partial::default(), since: now }
    }

    /// A session that begins on a connection just accepted; `None` if the system has no memory for it.
    pub(super) fn begin<F: Filter>(
        service: &Service<F>,
        socket: OwnedFd,
        now: Time,
    ) -> Option<Box<Connection>> {
        flags::begin();
        let number = service.lifecycle.begin_session();
        let settings = Arc::clone(&service.output_settings);
        let output = Arc::new(SocketOutput::new(socket, number, settings));
        let session = Session::new(
            service.filter.traits(),
            listened(service, &output),
            Arc::clone(&service.options.max_data_size),
            service.options.quiet_probes,
        );
        let connection = Box::new(Connection::new(session, output, now));
        if flags::ran_short() {
            // No callback has heard of it.
            connection.output.end();
            service.lifecycle.end_session(false);
            return None;
        }
        Some(connection)
    }

    /// Starts the wait for the MTA anew, after a callback that took long.
    pub(super) fn wait_from(&mut self, now: Time) {
        self.since = now;
    }

    pub(super) fn in_message(&self) -> bool {
        self.session.in_message()
    }

    /// When the MTA has been silent, or has not read, for too long.
    pub(super) fn deadline(&self, limits: Limits) -> Option<Time> {
        let within = self.output.is_full() || !self.partial.is_empty();
        self.since.after(self.limit(limits, within)?)
    }

    /// Seconds that its MTA had for what it is waited for, and whether that is the rest of a packet.
    pub(super) fn allowed(&self, limits: Limits) -> (i64, bool) {
        let within = !self.partial.is_empty();
        let limit = self.limit(limits, within).unwrap_or_default();
        (i64::try_from(limit.as_secs()).unwrap_or(i64::MAX), within)
    }

    /// How long its MTA may take, `within` a packet or for the next one.
    fn limit(&self, limits: Limits, within: bool) -> Option<Duration> {
        let usual = if within { limits.packet } else { limits.idle };
        let first = limits.first.filter(|_| !self.session.has_begun());
        usual.into_iter().chain(first).min()
    }

    /// Bytes that it keeps while it waits.
    pub(super) fn bytes_kept(&self) -> usize {
        self.session.macro_bytes() + self.partial.room() + self.output.bytes_kept()
    }

    /// Whether it has to end in this phase of the run.
    pub(super) fn must_end(&self, phase: Phase) -> bool {
        match phase {
            Phase::Serve | Phase::Linger => false,
            Phase::Drain => !self.in_message() && !self.output.is_full(),
            Phase::Abort | Phase::Over => true,
        }
    }

    /// Whether it has to end in this phase of the run while it waits for its MTA.
    pub(super) fn is_to_end(&self, phase: Phase, now: Time) -> bool {
        let stopping = phase != Phase::Serve;
        if stopping && self.output.is_full() {
            return self.must_end(phase) || self.output.is_stalled(self.since, now);
        }
        let silent = || !self.in_message() && self.since.until(now) >= LINGER;
        self.must_end(phase) || (phase == Phase::Linger && silent())
    }

    pub(super) fn report(&self, report: Report<'_>) {
        self.session.context().output().report(report);
    }

    /// Tells whoever watches the session of a packet that is there in part and will not be completed.
    #[cold]
    pub(super) fn note_rest(&mut self) {
        let bytes = self.partial.bytes();
        if frame::wanted(bytes).map_or(!bytes.is_empty(), |wanted| wanted > bytes.len()) {
            self.note(Event::Bytes(bytes));
            self.partial.clear();
        }
    }

    /// Tells whoever watches the session.
    #[cold]
    pub(super) fn note(&self, event: Event<'_>) {
        if self.session.context().is_watched() {
            self.session.context().note(event);
        }
    }
}

/// The way back to an MTA, past those who want to hear of the session: each has the next one's `Output`
/// inside. Without any of them it is the socket's.
fn listened<F: Filter>(service: &Service<F>, socket: &Arc<SocketOutput>) -> Arc<dyn Output> {
    let (session, mut output) = (socket.session, Arc::<SocketOutput>::clone(socket) as _);
    if let Some(tally) = &service.tally {
        output = Counted::begin(tally, socket, output);
    }
    if let Some(trace) = &service.trace {
        output = Traced::begin(trace, session, output);
    }
    if let Some(callbacks) = &service.callbacks {
        output = Attended::begin(callbacks, socket, output);
    }
    output
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// An idle session is this, what it shares with callbacks, and its macros. Eight bytes more would be
    /// sixteen for the allocator.
    #[test]
    fn a_session_that_waits_is_small() {
        assert_eq!(size_of::<Connection>(), 72);
        assert_eq!(size_of::<crate::session::Context>(), 104);
        assert_eq!(size_of::<SocketOutput>(), 40);
    }
}
