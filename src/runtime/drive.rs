//! What the owner of a loop does: wait, serve, accept, keep deadlines.

use std::sync::Arc;

use super::accept::{Crowd, accept, resume};
use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::deadlines::Alarm;
use super::errand::Due;
use super::event_loop::{EventLoop, FIRST_LISTENER_KEY, FIRST_SLOT_KEY};
use super::lifecycle::Phase;
use super::lost::Lost;
use super::pool::Employer;
use super::run::{Run, Work};
use super::spare::settle;
use super::wake_up::WAKER_KEY;
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::poller::{Events, Ready};
use crate::sys::thread::is_leaving;

/// Runs a loop until it is taken away or the run is over.
#[inline(never)]
pub(super) fn drive<F: Filter + 'static>(run: &Arc<Run<F>>, index: usize, scratch: &mut Scratch) {
    let Some(this) = run.loops.get(index) else { return };
    this.owner.enter();
    let lifecycle = &run.service.lifecycle;
    let home = Home { run, this, index };
    let mut events = Events::default();
    scratch.now = Time::now();
    let mut alarm = Alarm::new(scratch.now);
    let mut phase = Phase::Serve;
    let mut crowd = Crowd::default();
    loop {
        if alarm.is_due(scratch.now) || !lifecycle.is_in(phase) {
            phase = lifecycle.phase();
            match home.keep_up(scratch) {
                Some(at) if phase < Phase::Over => alarm.set(at, scratch.now),
                _ => return,
            }
        }
        // Of the owner before there may be something left.
        let mut next = this.batch.next();
        if next.is_none() {
            let waited = this.wait(&mut events, alarm.timeout());
            scratch.now = Time::now();
            crowd.waited(lifecycle.begun());
            if let Err(error) = waited {
                lifecycle.cannot_wait(&error, (!this.is_intact()).then_some(Lost::Loop));
                alarm.set(Some(scratch.now), scratch.now);
            }
            next = this.batch.fill(&events);
        }
        while let Some(ready) = next {
            if ready.key() >= FIRST_SLOT_KEY {
                if !home.serve_ready(ready, scratch) {
                    return;
                }
                next = this.batch.next();
                continue;
            }
            match ready.key() {
                WAKER_KEY => this.owner.woken(),
                key => {
                    let door = (key - FIRST_LISTENER_KEY) as usize;
                    accept(run, index, door, scratch.now, &mut crowd);
                }
            }
            alarm.set(Some(scratch.now), scratch.now);
            next = this.batch.next();
        }
    }
}

/// What a session that is ready is watched as.
fn watched(ready: Ready) -> u64 {
    ready.key() - FIRST_SLOT_KEY
}

/// A loop, for its owner.
struct Home<'a, F> {
    run: &'a Arc<Run<F>>,
    this: &'a EventLoop,
    index: usize,
}

impl<F: Filter + 'static> Home<'_, F> {
    /// Gives a session its turn whose socket is ready, and then those that are next in the batch, up to one
    /// that does not only wait again; `false` if the loop was taken away meanwhile.
    #[expect(clippy::inline_always, reason = "each message's way")]
    #[inline(always)]
    fn serve_ready(&self, mut ready: Ready, scratch: &mut Scratch) -> bool {
        let this = self.this;
        let mut taken = this.take_ready(watched(ready));
        while let Some(mut connection) = taken {
            if ready.is_last() || connection.output.is_full() {
                return self.serve(connection, Job::Ready, ready.is_last(), scratch);
            }
            let turn = self.begin();
            let end = connection.turn_in_loop(&self.run.service, scratch);
            let mine = this.turn.end(turn);
            if !mine || end != TurnEnd::Wait {
                return self.part(connection, end, mine, scratch);
            }
            let Some(next) = this.batch.next_from(FIRST_SLOT_KEY) else {
                this.put_back(connection);
                break;
            };
            taken = this.exchange(connection, watched(next));
            ready = next;
        }
        true
    }

    /// Gives a session its turn, for whatever reason, and sees to what its socket is watched for; of which
    /// there may be `more` than the turn receives.
    #[cold]
    fn serve(
        &self,
        mut connection: Box<Connection>,
        job: Job,
        more: bool,
        scratch: &mut Scratch,
    ) -> bool {
        let turn = self.begin();
        let end = connection.turn(&self.run.service, scratch, job, Place::Loop);
        let mine = self.this.turn.end(turn);
        self.part(connection, end.or_more(more), mine, scratch)
    }

    /// Begins a turn, under the eyes of the supervisor.
    #[inline]
    fn begin(&self) -> u64 {
        let turn = self.this.turn.begin();
        if self.run.parked.is_parked() {
            self.wake_supervisor();
        }
        turn
    }

    #[cold]
    fn wake_supervisor(&self) {
        if self.run.parked.take() {
            self.run.service.lifecycle.control.wake();
        }
    }

    /// What follows a turn after which the session does not stay; `mine` if the loop is still the
    /// caller's, which is what it returns.
    #[cold]
    fn part(
        &self,
        mut connection: Box<Connection>,
        end: TurnEnd,
        mine: bool,
        scratch: &mut Scratch,
    ) -> bool {
        let Home { run, this, index } = *self;
        if mine && is_leaving() {
            // Its callback has ended this thread; the loop goes on with another.
            this.remove(&connection.output);
            this.owner.leave();
            run.service.lifecycle.control.wake();
            return false;
        }
        if !mine {
            this.remove(&connection.output);
            settle(run, connection, end, index, scratch);
            return false;
        }
        match end {
            TurnEnd::Wait | TurnEnd::More | TurnEnd::Full => {
                if this.watch(&connection, end == TurnEnd::More) {
                    this.put_back(connection);
                } else {
                    this.remove(&connection.output);
                    run.dispatch(Work::End(connection));
                }
            }
            TurnEnd::Close => this.remove(&connection.output),
            TurnEnd::HandOver if run.reserve() => {
                this.remove(&connection.output);
                run.service.lifecycle.detach(&connection.output);
                run.send(Work::Connection(connection, index));
            }
            TurnEnd::HandOver => {
                // No thread is to be had but this one.
                let turn = this.turn.begin();
                let end = connection.turn(&run.service, scratch, Job::Resume, Place::Spare);
                let mine = this.turn.end(turn);
                // What the packet came with may not have been received to its end.
                return self.part(connection, end.or_more(true), mine, scratch);
            }
        }
        true
    }

    /// Serves what is due besides events, and tells when to look again at the latest.
    ///
    /// `None` if the loop was taken away meanwhile.
    fn keep_up(&self, scratch: &mut Scratch) -> Option<Option<Time>> {
        loop {
            match self.this.due(self.run.service.lifecycle.phase(), scratch.now) {
                Due::Session(slot, job) => {
                    let connection = self.this.take(slot);
                    let stays = connection.is_none_or(|c| self.serve(c, job, false, scratch));
                    if !stays {
                        return None;
                    }
                }
                Due::Accepting => resume(self.run, self.this, scratch.now),
                Due::Nothing(next) => return Some(next),
            }
        }
    }
}
