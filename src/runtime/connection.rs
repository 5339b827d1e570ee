//! A session with its socket: one turn reads, runs callbacks and answers.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::options::Options;
use super::output::SocketOutput;
use super::shared::{Phase, Shared};
use crate::proto::command::Command;
use crate::proto::frame;
use crate::proto::response::{Payload, letter};
use crate::session::{Filter, Flow, Output, Report, Session};
use crate::sys::socket::receive;
use crate::sys::thread::Stopwatch;

/// Bytes received at once.
const READ_SIZE: usize = 128 << 10;

/// What a thread lends to the session it serves: sessions own no buffers while they wait.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Bytes received, with room for one more: a NUL. Grows to what the thread needs, which for
    /// one that only runs slow callbacks is a packet.
    buffer: Vec<u8>,
    /// The time, as of the last wait.
    pub(super) now: Instant,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch { buffer: Vec::new(), now: Instant::now() }
    }
}

/// Why a session gets a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    /// Its socket can be read, or its peer is gone.
    Readable,
    /// It was handed over with a packet whose callback is known to be slow.
    Resume,
    /// Its deadline has come.
    Expired,
    /// It is to end.
    End,
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum TurnEnd {
    /// The session waits for its MTA.
    Wait,
    /// The next callback is known to be slow and must not run in a loop.
    HandOver,
    /// The session has ended; its close callback has been called.
    Closed,
}

/// A session with its socket.
#[derive(Debug)]
pub(super) struct Connection {
    session: Session,
    pub(super) output: Arc<SocketOutput>,
    /// The bytes of a packet that has not arrived in full.
    partial: Vec<u8>,
    /// When the wait for the next command, or for the rest of a packet, began.
    since: Instant,
    /// The close callback has been called, or must not be called any more.
    ended: bool,
}

impl std::fmt::Debug for SocketOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketOutput").field("session", &self.session).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(session: Session, output: Arc<SocketOutput>, now: Instant) -> Connection {
        Connection { session, output, partial: Vec::new(), since: now, ended: false }
    }

    /// Starts the wait for the MTA anew, after a callback that took long.
    pub(super) fn wait_from(&mut self, now: Instant) {
        self.since = now;
    }

    pub(super) fn in_message(&self) -> bool {
        self.session.in_message()
    }

    /// When the MTA has been silent for too long.
    pub(super) fn deadline(&self, options: &Options) -> Option<Instant> {
        let limit =
            if self.partial.is_empty() { options.idle_limit() } else { options.packet_limit() };
        self.since.checked_add(limit?)
    }

    /// Serves the session as far as it goes without waiting for the MTA.
    ///
    /// In a loop (`inline`), a callback known to be slow is not run but handed over.
    pub(super) fn turn<F: Filter>(
        &mut self,
        shared: &Shared<F>,
        scratch: &mut Scratch,
        job: Job,
        inline: bool,
    ) -> TurnEnd {
        self.output.begin(!inline);
        let end = catch_unwind(AssertUnwindSafe(|| self.work(shared, scratch, job, inline)))
            .unwrap_or_else(|panic| self.contain(&*panic));
        self.output.leave();
        match end {
            Flow::Continue if !self.must_end(shared.phase()) => match self.handed_over() {
                true => TurnEnd::HandOver,
                false => TurnEnd::Wait,
            },
            Flow::Continue | Flow::Close => {
                self.finish(shared);
                TurnEnd::Closed
            }
        }
    }

    /// Whether a complete packet is waiting for its callback.
    fn handed_over(&self) -> bool {
        frame::wanted(&self.partial).is_some_and(|wanted| wanted <= self.partial.len())
    }

    fn must_end(&self, phase: Phase) -> bool {
        match phase {
            Phase::Serve => false,
            Phase::Drain => !self.in_message(),
            Phase::Abort | Phase::Over => true,
        }
    }

    fn work<F: Filter>(
        &mut self,
        shared: &Shared<F>,
        scratch: &mut Scratch,
        job: Job,
        inline: bool,
    ) -> Flow {
        match job {
            Job::End => return Flow::Close,
            Job::Expired => {
                let within = !self.partial.is_empty();
                self.report(Report::ReadTimeout(shared.options.timeout.max(1).into(), within));
                return Flow::Close;
            }
            Job::Readable | Job::Resume => {}
        }
        let had = self.partial.len();
        let buffer = &mut scratch.buffer;
        let wanted = had + 1 + if job == Job::Readable { READ_SIZE } else { 0 };
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        let mut filled = had;
        if job == Job::Readable {
            let room = buffer.get_mut(had..had + READ_SIZE).unwrap_or_default();
            match receive(&*self.output, room) {
                Ok(0) => {
                    if self.in_message() {
                        self.report(Report::LostInMessage);
                    }
                    return Flow::Close;
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Flow::Continue;
                }
                Err(error) => {
                    self.report(Report::Read(&error));
                    return Flow::Close;
                }
            }
            if frame::wanted(&self.partial).is_some_and(|wanted| wanted > filled) {
                // Still incomplete: only what is new moves, so that a peer that drips its
                // packets costs no more than its bytes.
                self.partial.extend_from_slice(buffer.get(had..filled).unwrap_or_default());
                return Flow::Continue;
            }
        }
        if let Some(front) = buffer.get_mut(..had) {
            front.copy_from_slice(&self.partial);
        }
        self.partial = Vec::new();
        let mut buffer = std::mem::take(&mut scratch.buffer);
        let (flow, done) = self.packets(shared, &mut buffer, filled, inline);
        scratch.buffer = buffer;
        if done > 0 || had == 0 {
            self.since = if inline { scratch.now } else { Instant::now() };
        }
        flow
    }

    /// Processes the complete packets of a buffer and keeps the rest; how many bytes they had.
    fn packets<F: Filter>(
        &mut self,
        shared: &Shared<F>,
        buffer: &mut [u8],
        filled: usize,
        inline: bool,
    ) -> (Flow, usize) {
        let mut at = 0;
        loop {
            if shared.is_aborting() {
                return (Flow::Close, at);
            }
            let start = at;
            let limit = self.session.context().max_data_size();
            let bytes = buffer.get(..filled).unwrap_or_default();
            let packet = match frame::next(bytes, at, limit) {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(error) => {
                    self.report(Report::Frame(error));
                    return (Flow::Close, at);
                }
            };
            at = packet.payload.end;
            let flow = match Command::from_letter(packet.letter) {
                Some(command) if inline && self.hands_over(shared, command) => {
                    at = start;
                    break;
                }
                Some(command) => self.packet(shared, command, packet.payload, buffer, inline),
                None => self.session.handle(&shared.filter, packet.letter, &mut [0]),
            };
            if flow == Flow::Close {
                return (Flow::Close, at);
            }
        }
        if at < filled {
            self.partial = buffer.get(at..filled).unwrap_or_default().to_vec();
        }
        (Flow::Continue, at)
    }

    /// Whether a command's callback is too slow to run in a loop.
    fn hands_over<F: Filter>(&self, shared: &Shared<F>, command: Command) -> bool {
        shared.estimates.is_slow(command) && shared.filter.serves(command)
    }

    /// Processes one packet.
    fn packet<F: Filter>(
        &mut self,
        shared: &Shared<F>,
        command: Command,
        payload: Range<usize>,
        buffer: &mut [u8],
        inline: bool,
    ) -> Flow {
        let end = payload.end;
        let Some(bytes) = buffer.get_mut(payload.start..=end) else { return Flow::Close };
        // Callbacks get strings in place; the byte behind them belongs to the next packet.
        let saved = bytes.last_mut().map(std::mem::take);
        let watch = (!inline).then(Stopwatch::start);
        self.output.enter(command);
        let flow = self.session.process(&shared.filter, command, bytes);
        if let Some(watch) = watch {
            shared.estimates.observe(command, watch.elapsed());
        }
        if let (Some(last), Some(saved)) = (bytes.last_mut(), saved) {
            *last = saved;
        }
        flow
    }

    /// Ends the session: abort and close callbacks, once.
    pub(super) fn finish<F: Filter>(&mut self, shared: &Shared<F>) {
        if !std::mem::replace(&mut self.ended, true) {
            // Once `smfi_main` has returned, the filter may have freed what its callbacks use.
            if shared.phase() < Phase::Over {
                self.output.enter(Command::Quit);
                let finish = AssertUnwindSafe(|| self.session.finish(&shared.filter));
                if let Err(panic) = catch_unwind(finish) {
                    let _closed = self.contain(&*panic);
                }
                self.output.leave();
                self.output.flush();
            }
            self.output.end();
            shared.end_session();
        }
    }

    /// A bug of ours costs this session only, and the MTA hears of it.
    fn contain(&mut self, panic: &(dyn std::any::Any + Send)) -> Flow {
        let what = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("panic");
        self.report(Report::Panic(what));
        let _gone = self.output.send(letter::TEMPFAIL, Payload::None, true);
        Flow::Close
    }

    fn report(&self, report: Report<'_>) {
        self.output.report(report);
    }
}
