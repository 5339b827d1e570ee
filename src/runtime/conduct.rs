//! A turn of a session from its beginning to its end, whatever its callbacks do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::lifecycle::Phase;
use super::service::Service;
use crate::proto::command::Command;
use crate::proto::response::{Payload, letter};
use crate::session::{Event, Filter, Report};
use crate::sys::flags;
use crate::sys::thread::is_leaving;

impl Connection {
    /// Serves the session as far as it goes without waiting for the MTA.
    pub(super) fn turn<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        job: Job,
        place: Place,
    ) -> TurnEnd {
        self.contained(service, place, |this| this.work(service, scratch, job, place))
    }

    /// The same in a loop, for a session that has room for replies and something to be received: nearly all
    /// turns.
    #[expect(clippy::inline_always, reason = "each message's way")]
    #[inline(always)]
    pub(super) fn turn_in_loop<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
    ) -> TurnEnd {
        self.contained(service, Place::Loop, |this| this.work_in_loop(service, scratch))
    }

    /// A turn, whatever happens in it: `work` tells how it ended, and in which phase of the run.
    #[expect(clippy::inline_always, reason = "each message's way; the other caller is seldom")]
    #[inline(always)]
    fn contained<F: Filter>(
        &mut self,
        service: &Service<F>,
        place: Place,
        work: impl FnOnce(&mut Self) -> (TurnEnd, Phase),
    ) -> TurnEnd {
        self.output.begin(place != Place::Loop);
        flags::begin();
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        let (mut end, phase) =
            done.unwrap_or_else(|panic| (self.contain(&*panic), service.lifecycle.phase()));
        if flags::is_any() {
            end = self.cut_short(end);
        }
        self.output.leave();
        if end == TurnEnd::Close || (phase >= Phase::Drain && self.ends_in(phase, end)) {
            self.finish(service);
            return TurnEnd::Close;
        }
        end
    }

    /// Whether the session ends with a turn that has come to this `end`, for the phase of the run.
    #[cold]
    fn ends_in(&self, phase: Phase, end: TurnEnd) -> bool {
        // A command that has arrived in time may have a slow callback.
        let goes_on = end == TurnEnd::HandOver && phase == Phase::Drain;
        self.must_end(phase) && !goes_on
    }

    /// What comes of a turn in which a callback has ended the thread, or the system had no memory.
    #[cold]
    fn cut_short(&self, end: TurnEnd) -> TurnEnd {
        let end = if is_leaving() { self.abandoned() } else { end };
        if flags::ran_short() { self.starved() } else { end }
    }

    /// Ends the session: abort and close callbacks, once.
    #[inline(never)]
    pub(super) fn finish<F: Filter>(&mut self, service: &Service<F>) {
        // The output is ended last, and no callback gets here: so this is done once.
        if !self.output.has_ended() {
            // Once `smfi_main` has returned, the filter may have freed what its callbacks use.
            if service.lifecycle.phase() < Phase::Over {
                self.output.enter(Command::Quit);
                let left = is_leaving();
                let finish = AssertUnwindSafe(|| self.session.finish(&service.filter));
                if let Err(panic) = catch_unwind(finish) {
                    let _closed = self.contain(&*panic);
                }
                if is_leaving() && !left {
                    let _closed = self.abandoned();
                }
                self.output.leave();
                self.output.flush();
            }
            self.note_rest();
            self.note(Event::End);
            self.output.end();
            service.guests.leave(self.output.session);
            service.lifecycle.end_session(self.session.had_message());
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
        let _gone = self.session.context().output().send(letter::TEMPFAIL, Payload::None, true);
        TurnEnd::Close
    }

    /// A session that the system has no memory for ends, and gives back what it has.
    #[cold]
    fn starved(&self) -> TurnEnd {
        self.report(Report::NoMemory);
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
}
