//! A thread of its own for each session, on request.
//!
//! Filters written for a library that starts a thread for every connection may keep data by thread.
//! The thread begins with the session and ends with it, so that what the filter has registered for
//! the end of a thread runs once a session. A loop only accepts connections.

use std::io;

use super::connection::{Connection, Job, Place, Scratch, TurnEnd};
use super::lifecycle::Phase;
use super::linger::LINGER;
use super::lost::{LOST_PAUSE, Lost};
use super::service::Service;
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::fd::Identity;
use crate::sys::socket::ready;
use crate::sys::waker::Waker;

/// Descriptors that become readable, for good, when a stop reaches the sessions it concerns.
#[derive(Debug)]
pub(super) struct Stops {
    /// Sessions without a message in hand.
    drain: Waker,
    /// All sessions.
    abort: Waker,
}

impl Stops {
    pub(super) fn new() -> io::Result<Stops> {
        Ok(Stops { drain: Waker::new()?, abort: Waker::new()? })
    }

    /// Lets threads know that a phase has begun; `false` if they can't be told: the filter has closed our
    /// descriptors, or the system refuses.
    pub(super) fn enter(&self, phase: Phase) -> bool {
        let drain = phase < Phase::Linger || self.drain.wake();
        let abort = phase < Phase::Abort || self.abort.wake();
        drain && abort
    }

    /// Whether the descriptors still are ours.
    pub(super) fn is_intact(&self) -> bool {
        self.drain.is_intact() && self.abort.is_intact()
    }

    /// What a session waits for beside its MTA; one with a message in hand is let alone while
    /// messages are being finished.
    fn next(&self, phase: Phase) -> &Waker {
        if phase == Phase::Serve { &self.drain } else { &self.abort }
    }
}

/// Serves a session from its beginning to its end on the calling thread.
pub(super) fn accompany<F: Filter>(
    service: &Service<F>,
    stops: &Stops,
    mut connection: Box<Connection>,
    scratch: &mut Scratch,
) {
    connection.wait_from(Time::now());
    // No poller tells whether the socket is still ours at the end.
    let socket = Identity::of(&*connection.output);
    loop {
        let job = next_job(service, stops, &connection);
        if connection.turn(service, scratch, job, Place::Own) == TurnEnd::Close {
            break;
        }
    }
    if !Identity::of(&*connection.output).is_still(socket) {
        connection.output.lost();
    }
    service.lifecycle.undetach(connection.output.session);
}

/// Waits until there is something to do for a session.
fn next_job<F: Filter>(service: &Service<F>, stops: &Stops, connection: &Connection) -> Job {
    let Service { lifecycle, options, .. } = service;
    loop {
        let phase = lifecycle.phase();
        let now = Time::now();
        if connection.is_to_end(phase, now) {
            return Job::End;
        }
        let deadline = connection.deadline(options.limits());
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Job::Expired;
        }
        let left = deadline.map(|deadline| now.until(deadline));
        let full = connection.output.is_full();
        let again = phase == Phase::Linger || (full && phase != Phase::Serve);
        let linger = again.then_some(LINGER);
        let left = left.into_iter().chain(linger).min();
        match ready(&*connection.output, full, stops.next(phase), left) {
            Ok(true) => return Job::Ready,
            Ok(false) if phase != lifecycle.phase() || stops.is_intact() => {}
            Err(error) if stops.is_intact() => lifecycle.cannot_wait(&error, None),
            Ok(false) | Err(_) => {
                lifecycle.lose(Lost::Stops);
                std::thread::sleep(LOST_PAUSE);
            }
        }
    }
}
