//! What the owner of a loop does: wait, serve, accept, keep deadlines.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::accept::accept;
use super::connection::{Job, Scratch, TurnEnd};
use super::deadlines::Alarm;
use super::event_loop::{Due, FIRST_SLOT_KEY, LISTENER_KEY, WAKER_KEY};
use super::pool::Work;
use super::shared::{Phase, Shared};
use crate::session::Filter;
use crate::sys::poller::Events;
use crate::sys::thread::StateView;

/// Runs a loop until it is taken away or the run is over.
pub(super) fn drive<F: Filter + 'static>(
    shared: &Arc<Shared<F>>,
    index: usize,
    scratch: &mut Scratch,
) {
    let Some(this) = shared.loops.get(index) else { return };
    *this.owner.lock() = StateView::own();
    this.owned.store(true, Ordering::Relaxed);
    let mut events = Events::default();
    scratch.now = Instant::now();
    let mut alarm = Alarm::new(scratch.now);
    let mut phase = Phase::Serve;
    loop {
        let changed = std::mem::replace(&mut phase, shared.phase()) != phase;
        if changed || alarm.is_due(scratch.now) {
            match keep_up(shared, index, scratch) {
                Some(at) if phase < Phase::Over => alarm.set(at),
                _ => return,
            }
        }
        let timeout = alarm.timeout(scratch.now);
        // An error leaves no events; what was missed comes again.
        let _again = this.poller.wait(&mut events, timeout);
        scratch.now = Instant::now();
        for key in events.keys() {
            let owned = match key {
                WAKER_KEY => {
                    this.waker.clear();
                    alarm.set(Some(scratch.now));
                    true
                }
                LISTENER_KEY => {
                    accept(shared, index, scratch.now);
                    alarm.set(Some(scratch.now));
                    true
                }
                _ => {
                    let slot = (key - FIRST_SLOT_KEY) as u32;
                    serve(shared, index, slot, Job::Readable, scratch)
                }
            };
            if !owned {
                // The events that are left come again for the new owner.
                return;
            }
        }
    }
}

/// Gives a session its turn; `false` if the loop was taken away meanwhile.
fn serve<F: Filter + 'static>(
    shared: &Arc<Shared<F>>,
    index: usize,
    slot: u32,
    job: Job,
    scratch: &mut Scratch,
) -> bool {
    let Some(this) = shared.loops.get(index) else { return false };
    let Some(mut connection) = this.take(slot) else { return true };
    let (mut job, mut inline) = (job, true);
    loop {
        let turn = this.turn.begin();
        if shared.supervisor_parked.load(Ordering::SeqCst)
            && shared.supervisor_parked.swap(false, Ordering::Relaxed)
        {
            shared.control.wake();
        }
        let end = connection.turn(shared, scratch, job, inline);
        if !this.turn.end(turn) {
            this.remove(slot, &connection.output);
            shared.settle(connection, end, index, scratch);
            return false;
        }
        match end {
            TurnEnd::Wait => this.put_back(slot, connection, &shared.options),
            TurnEnd::Close => this.remove(slot, &connection.output),
            TurnEnd::HandOver if shared.reserve() => {
                this.remove(slot, &connection.output);
                shared.detach(&connection.output);
                shared.send(Work::Connection(connection, index));
            }
            TurnEnd::HandOver => {
                // No thread is to be had but this one.
                (job, inline) = (Job::Resume, false);
                continue;
            }
        }
        return true;
    }
}

/// Serves what is due besides events, and tells when to look again at the latest.
///
/// `None` if the loop was taken away meanwhile.
fn keep_up<F: Filter + 'static>(
    shared: &Arc<Shared<F>>,
    index: usize,
    scratch: &mut Scratch,
) -> Option<Option<Instant>> {
    let this = shared.loops.get(index)?;
    loop {
        match this.due(shared, scratch.now) {
            Due::Session(slot, job) if serve(shared, index, slot, job, scratch) => {}
            Due::Session(..) => return None,
            Due::Nothing(next) => return Some(next),
        }
    }
}
