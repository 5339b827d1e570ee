//! A session with its socket: one turn reads, runs callbacks and answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::options::Options;
use super::output::SocketOutput;
use super::partial::Partial;
use super::shared::{LINGER, Phase, Shared};
use crate::proto::command::Command;
use crate::proto::response::{Payload, letter};
use crate::session::{Filter, Output, Report, Session};
use crate::sys::clock::Time;
use crate::sys::thread::is_leaving;

/// What a thread lends to the session it serves: sessions own no buffers while they wait.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Bytes received, with room for one more: a NUL. Grows to what the thread needs, which for
    /// one that only runs slow callbacks is a packet.
    pub(super) buffer: Vec<u8>,
    /// The time, as of the last wait.
    pub(super) now: Time,
}

impl Scratch {
    pub(super) fn new() -> Scratch {
        Scratch { buffer: Vec::new(), now: Time::now() }
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

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum TurnEnd {
    /// The session waits for its MTA.
    Wait,
    /// The next callback is known to be slow and must not run in a loop.
    HandOver,
    /// The session ends: after a turn, its close callback has been called.
    Close,
}

/// A session with its socket.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) output: Arc<SocketOutput>,
    /// The bytes of a packet that has not arrived in full.
    pub(super) partial: Partial,
    /// When the wait for the next command, or for the rest of a packet, began.
    pub(super) since: Time,
}

impl Connection {
    pub(super) fn new(session: Session, output: Arc<SocketOutput>, now: Time) -> Connection {
        Connection { session, output, partial: Partial::default(), since: now }
    }

    /// Starts the wait for the MTA anew, after a callback that took long.
    pub(super) fn wait_from(&mut self, now: Time) {
        self.since = now;
    }

    pub(super) fn in_message(&self) -> bool {
        self.session.in_message()
    }

    /// When the MTA has been silent for too long.
    pub(super) fn deadline(&self, options: &Options) -> Option<Time> {
        let limit =
            if self.partial.is_empty() { options.idle_limit() } else { options.packet_limit() };
        self.since.after(limit?)
    }

    /// Serves the session as far as it goes without waiting for the MTA.
    pub(super) fn turn<F: Filter>(
        &mut self,
        shared: &Shared<F>,
        scratch: &mut Scratch,
        job: Job,
        place: Place,
    ) -> TurnEnd {
        self.output.begin(place != Place::Loop);
        let done = catch_unwind(AssertUnwindSafe(|| self.work(shared, scratch, job, place)));
        let (end, phase) = done.unwrap_or_else(|panic| (self.contain(&*panic), shared.phase()));
        let end = if is_leaving() { self.abandoned() } else { end };
        self.output.leave();
        // A command that has arrived in time may have a slow callback.
        let goes_on = end == TurnEnd::HandOver && phase == Phase::Drain;
        if end == TurnEnd::Close || (self.must_end(phase) && !goes_on) {
            self.finish(shared);
            return TurnEnd::Close;
        }
        end
    }

    /// Whether it has to end in this phase of the run.
    pub(super) fn must_end(&self, phase: Phase) -> bool {
        match phase {
            Phase::Serve | Phase::Linger => false,
            Phase::Drain => !self.in_message(),
            Phase::Abort | Phase::Over => true,
        }
    }

    /// Whether it has to end in this phase of the run while it waits for its MTA.
    pub(super) fn is_to_end(&self, phase: Phase, now: Time) -> bool {
        let silent = || !self.in_message() && self.since.until(now) >= LINGER;
        self.must_end(phase) || (phase == Phase::Linger && silent())
    }

    /// Ends the session: abort and close callbacks, once.
    pub(super) fn finish<F: Filter>(&mut self, shared: &Shared<F>) {
        // The output is ended last, and no callback gets here: so this is done once.
        if !self.output.has_ended() {
            // Once `smfi_main` has returned, the filter may have freed what its callbacks use.
            if shared.phase() < Phase::Over {
                self.output.enter(Command::Quit);
                let left = is_leaving();
                let finish = AssertUnwindSafe(|| self.session.finish(&shared.filter));
                if let Err(panic) = catch_unwind(finish) {
                    let _closed = self.contain(&*panic);
                }
                if is_leaving() && !left {
                    let _closed = self.abandoned();
                }
                self.output.leave();
                self.output.flush();
            }
            self.output.end();
            shared.end_session();
        }
    }

    /// A bug of ours costs this session only, and the MTA hears of it.
    fn contain(&mut self, panic: &(dyn std::any::Any + Send)) -> TurnEnd {
        let what = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("panic");
        self.report(Report::Panic(what));
        let _gone = self.output.send(letter::TEMPFAIL, Payload::None, true);
        TurnEnd::Close
    }

    /// A callback that ends its thread costs this session, and the thread.
    #[cold]
    fn abandoned(&self) -> TurnEnd {
        if let Some(command) = self.output.callback() {
            self.report(Report::ThreadEnded(command));
        }
        TurnEnd::Close
    }

    pub(super) fn report(&self, report: Report<'_>) {
        self.output.report(report);
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// An idle session is this, what it shares with callbacks, and its macros. Eight bytes more would be
    /// sixteen for the allocator.
    #[test]
    fn a_session_that_waits_is_small() {
        assert_eq!(size_of::<Connection>(), 72);
        assert_eq!(size_of::<crate::session::Context>(), 120);
        assert_eq!(size_of::<SocketOutput>(), 40);
    }
}
