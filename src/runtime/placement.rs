//! Which loops have a thread when there are not enough.
//!
//! A loop whose thread is blocked gets another one. If none can be had, for the limit or for the
//! system's sake, its sessions move to a loop that has one, and it is parked: with any one thread
//! left, all sessions are served. Later threads are spares then, which is what callbacks that
//! block need; after a while without a shortage the parked loops get threads again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::errand::Refused;
use super::event_loop::EventLoop;
use super::pool::Employer;
use super::run::{Run, Work};
use super::tenure::Tenure;
use crate::session::Filter;

/// Time without a shortage of threads after which parked loops get threads again: sessions move for
/// a shortage no more often than that.
const RELIEF: Duration = Duration::from_secs(10);

/// Gives loops threads, for the supervisor.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// When there was last a loop without a thread.
    short: Option<Instant>,
}

impl Placement {
    /// Gives threads to the loops that have none, or moves their sessions.
    pub(super) fn look<F: Filter + 'static>(&mut self, run: &Arc<Run<F>>) {
        for (index, event_loop) in run.loops.iter().enumerate() {
            match event_loop.owner.tenure() {
                Tenure::Owned | Tenure::Promised => {}
                Tenure::Vacant => {
                    if !offer(run, index, event_loop) {
                        self.short = Some(Instant::now());
                        merge(run, index, event_loop);
                    }
                }
                Tenure::Parked => {
                    let relieved = self.short.is_none_or(|at| at.elapsed() >= RELIEF);
                    if relieved && !offer(run, index, event_loop) {
                        self.short = Some(Instant::now());
                    }
                }
            }
        }
    }
}

/// Gives a thread to a loop; `false` if none can be had.
pub(super) fn offer<F: Filter + 'static>(
    run: &Arc<Run<F>>,
    index: usize,
    event_loop: &EventLoop,
) -> bool {
    let reserved = run.reserve();
    if reserved {
        event_loop.promise();
        run.send(Work::Loop(index));
    }
    reserved
}

/// Moves the sessions of a loop without a thread to one that has a thread, if there is one.
#[cold]
fn merge<F: Filter + 'static>(run: &Arc<Run<F>>, index: usize, event_loop: &EventLoop) {
    let others = run.loops.iter().enumerate().filter(|(n, _)| *n != index).map(|(_, other)| other);
    let staffed = others.filter(|other| other.owner.tenure() <= Tenure::Promised);
    let Some(target) = staffed.min_by_key(|other| other.sessions()) else { return };
    event_loop.park();
    while let Some(connection) = event_loop.evict() {
        match target.insert(connection, false) {
            Ok(()) => {}
            Err(Refused::Parked(connection) | Refused::ToEnd(connection)) => {
                run.dispatch(Work::End(connection));
            }
        }
    }
    // Its thread may have been woken for a connection.
    run.entrance.open_again(target);
}
