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
        self.output.begin(place != Place::Loop);
        flags::begin();
        let done = catch_unwind(AssertUnwindSafe(|| self.work(service, scratch, job, place)));
        let (end, phase) =
            done.unwrap_or_else(|panic| (self.contain(&*panic), service.lifecycle.phase()));
        let end = if is_leaving() { self.abandoned() } else { end };
        let end = if flags::ran_short() { self.starved() } else { end };
        self.output.leave();
        // A command that has arrived in time may have a slow callback.
        let goes_on = end == TurnEnd::HandOver && phase == Phase::Drain;
        if end == TurnEnd::Close || (self.must_end(phase) && !goes_on) {
            self.finish(service);
            return TurnEnd::Close;
        }
        end
    }

    /// Ends the session: abort and close callbacks, once.
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
