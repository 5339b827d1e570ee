//! What a turn is for: packets, a deadline, room for what was sent, the end.

use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::lifecycle::Phase;
use super::service::Service;
use super::tally::Refusal;
use crate::proto::response::{Payload, letter};
use crate::session::{Filter, Report};
use crate::sys::clock::Time;
use crate::sys::socket::has_arrived;

impl Connection {
    /// Does what a turn is for, and if a stop is about to close the session, answers what has arrived
    /// before. Gives the phase, too, since which nothing has arrived: the one to be judged by, as a
    /// later one asks for another look.
    pub(super) fn work<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        job: Job,
        place: Place,
    ) -> (TurnEnd, Phase) {
        let end = match job {
            Job::Ready if self.output.is_full() => self.make_room(service, scratch, place),
            Job::Ready => self.read_late(service, scratch, place),
            Job::Resume => self.resume(service, scratch, 0, place),
            // Its peer does not read.
            Job::End if self.output.is_full() => TurnEnd::Close,
            Job::End => {
                let end = self.arrived(service, scratch, TurnEnd::Wait, place);
                if end.waits() && !self.in_message() { TurnEnd::Close } else { end }
            }
            Job::Expired => self.expire(service, scratch, place),
        };
        self.judge(service, scratch, end, place)
    }

    /// The same for a turn in a loop that is for what is to be received.
    #[expect(clippy::inline_always, reason = "each message's way")]
    #[inline(always)]
    pub(super) fn work_in_loop<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
    ) -> (TurnEnd, Phase) {
        let end = self.read(service, scratch, Place::Loop);
        self.judge(service, scratch, end, Place::Loop)
    }

    /// How a turn ends if its work has come to this `end`, see [`Connection::work`].
    #[inline]
    fn judge<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        end: TurnEnd,
        place: Place,
    ) -> (TurnEnd, Phase) {
        if end.stays() && service.guests.limit_bytes() && !self.may_stay(service) {
            return (TurnEnd::Close, service.lifecycle.phase());
        }
        if service.lifecycle.is_in(Phase::Serve) {
            return (end, Phase::Serve);
        }
        self.judge_late(service, scratch, end, place)
    }

    /// The same once a stop has begun.
    #[cold]
    fn judge_late<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        end: TurnEnd,
        place: Place,
    ) -> (TurnEnd, Phase) {
        let phase = service.lifecycle.phase();
        if !end.waits() {
            return (end, phase);
        }
        service.lifecycle.answered();
        (self.arrived(service, scratch, end, place), phase)
    }

    /// Whether it keeps no more than it may; if it does, its MTA is told so.
    #[cold]
    fn may_stay<F: Filter>(&self, service: &Service<F>) -> bool {
        let (session, bytes) = (self.output.session, self.bytes_kept());
        let stays = service.guests.may_keep(session, bytes, Time::now());
        if !stays {
            service.count_refusal(Refusal::Bytes);
            let _gone = self.session.context().output().send(letter::TEMPFAIL, Payload::None, true);
        }
        stays
    }

    /// Serves a session that a stop is about to close until a message has begun, or nothing more
    /// has arrived.
    #[cold]
    fn arrived<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        mut end: TurnEnd,
        place: Place,
    ) -> TurnEnd {
        while end.waits()
            && !self.in_message()
            && !service.lifecycle.is_aborting()
            && has_arrived(&*self.output)
        {
            end = self.read_late(service, scratch, place);
        }
        end
    }

    /// Ends the session for its deadline, unless what it waits for has arrived and only nobody has
    /// looked: the process could not run, or others came first.
    #[cold]
    fn expire<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        place: Place,
    ) -> TurnEnd {
        let since = self.since;
        if self.output.is_full() {
            let end = self.make_room(service, scratch, place);
            if end == TurnEnd::Full && self.since == since {
                self.report(self.output.write_timeout());
                return TurnEnd::Close;
            }
            return end;
        }
        if has_arrived(&*self.output) {
            let end = self.read_late(service, scratch, place);
            if end != TurnEnd::Wait || self.since != since {
                return end;
            }
        }
        let (seconds, within) = self.allowed(service.options.limits());
        self.report(Report::ReadTimeout(seconds, within));
        TurnEnd::Close
    }
}
