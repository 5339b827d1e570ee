//! What the owner of a loop does: wait, serve, accept, keep deadlines.

use std::sync::Arc;

use super::accept::{accept, resume};
use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::deadlines::Alarm;
use super::event_loop::{Due, EventLoop, FIRST_LISTENER_KEY, FIRST_SLOT_KEY};
use super::lifecycle::Phase;
use super::lost::Lost;
use super::pool::Employer;
use super::run::{Run, Work};
use super::spare::settle;
use super::wake_up::WAKER_KEY;
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::poller::Events;
use crate::sys::thread::is_leaving;

/// Runs a loop until it is taken away or the run is over.
pub(super) fn drive<F: Filter + 'static>(run: &Arc<Run<F>>, index: usize, scratch: &mut Scratch) {
    let Some(this) = run.loops.get(index) else { return };
    this.own();
    let lifecycle = &run.service.lifecycle;
    let home = Home { run, this, index };
    let mut events = Events::default();
    scratch.now = Time::now();
    let mut alarm = Alarm::new(scratch.now);
    let mut phase = Phase::Serve;
    loop {
        let changed = std::mem::replace(&mut phase, lifecycle.phase()) != phase;
        if alarm.is_due(scratch.now) || changed {
            match home.keep_up(scratch) {
                Some(at) if phase < Phase::Over => alarm.set(at, scratch.now),
                _ => return,
            }
        }
        let waited = this.wait(&mut events, alarm.timeout());
        scratch.now = Time::now();
        if let Err(error) = waited {
            lifecycle.cannot_wait(&error, (!this.is_intact()).then_some(Lost::Loop));
            alarm.set(Some(scratch.now), scratch.now);
        }
        for key in events.keys() {
            if key >= FIRST_SLOT_KEY {
                if !home.serve((key - FIRST_SLOT_KEY) as u32, Job::Ready, scratch) {
                    // The events that are left come again for the new owner.
                    return;
                }
                continue;
            }
            match key {
                WAKER_KEY => this.woken(),
                _ => accept(run, index, (key - FIRST_LISTENER_KEY) as usize, scratch.now),
            }
            alarm.set(Some(scratch.now), scratch.now);
        }
    }
}

/// A loop, for its owner.
struct Home<'a, F> {
    run: &'a Arc<Run<F>>,
    this: &'a EventLoop,
    index: usize,
}

impl<F: Filter + 'static> Home<'_, F> {
    /// Gives a session its turn; `false` if the loop was taken away meanwhile.
    #[inline]
    fn serve(&self, slot: u32, job: Job, scratch: &mut Scratch) -> bool {
        let Some(mut connection) = self.this.take(slot) else { return true };
        let turn = self.this.turn.begin();
        if self.run.parked.is_parked() {
            self.wake_supervisor();
        }
        let was_full = connection.output.is_full();
        let end = connection.turn(&self.run.service, scratch, job, Place::Loop);
        let mine = self.this.turn.end(turn);
        if mine && end == TurnEnd::Wait && !was_full {
            self.this.put_back(slot, connection);
            return true;
        }
        self.part(connection, slot, end, mine, scratch)
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
        slot: u32,
        end: TurnEnd,
        mine: bool,
        scratch: &mut Scratch,
    ) -> bool {
        let Home { run, this, index } = *self;
        if mine && is_leaving() {
            // Its callback has ended this thread; the loop goes on with another.
            this.remove(slot, &connection.output);
            this.give_up();
            run.service.lifecycle.control.wake();
            return false;
        }
        if !mine {
            this.remove(slot, &connection.output);
            settle(run, connection, end, index, scratch);
            return false;
        }
        match end {
            TurnEnd::Wait | TurnEnd::Full => {
                if this.watch(slot, &connection) {
                    this.put_back(slot, connection);
                } else {
                    this.remove(slot, &connection.output);
                    run.dispatch(Work::End(connection));
                }
            }
            TurnEnd::Close => this.remove(slot, &connection.output),
            TurnEnd::HandOver if run.reserve() => {
                this.remove(slot, &connection.output);
                run.service.lifecycle.detach(&connection.output);
                run.send(Work::Connection(connection, index));
            }
            TurnEnd::HandOver => {
                // No thread is to be had but this one.
                let turn = this.turn.begin();
                let end = connection.turn(&run.service, scratch, Job::Resume, Place::Spare);
                let mine = this.turn.end(turn);
                return self.part(connection, slot, end, mine, scratch);
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
                Due::Session(slot, job) if self.serve(slot, job, scratch) => {}
                Due::Session(..) => return None,
                Due::Accepting => resume(self.run, self.this, scratch.now),
                Due::Nothing(next) => return Some(next),
            }
        }
    }
}
