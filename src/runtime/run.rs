//! One run put together: the loops, the pool and the listener. Where a session is placed.

use super::balance::Balance;
use super::connection::Connection;
use super::entrance::Entrance;
use super::errand::Refused;
use super::event_loop::EventLoop;
use super::lifecycle::Phase;
use super::lost::Lost;
use super::own_thread::Stops;
use super::pool::Pool;
use super::service::Service;
use super::tenure::Tenure;
use super::turn::Parked;
use crate::session::Filter;

/// Something a thread of the pool can take on.
#[derive(Debug)]
pub(super) enum Work {
    /// To own a loop, by number.
    Loop(usize),
    /// To run a session's slow callback; the number of the loop it came from.
    Connection(Box<Connection>, usize),
    /// To serve a session from its beginning to its end, and leave.
    Session(Box<Connection>),
    /// To end a session.
    End(Box<Connection>),
}

/// One run of `smfi_main`.
pub(super) struct Run<F> {
    pub(super) service: Service<F>,
    pub(super) entrance: Entrance,
    pub(super) loops: Vec<EventLoop>,
    /// Where sessions have threads of their own.
    pub(super) stops: Option<Stops>,
    pub(super) pool: Pool<Work>,
    pub(super) balance: Balance,
    /// Whether the supervisor sleeps.
    pub(super) parked: Parked,
}

impl<F: Filter> Run<F> {
    /// Moves on, and lets every loop and every session's own thread know.
    pub(super) fn enter_phase(&self, phase: Phase) {
        let lifecycle = &self.service.lifecycle;
        lifecycle.enter(phase);
        for event_loop in &self.loops {
            if !event_loop.wake() && !event_loop.is_intact() {
                lifecycle.lose(Lost::Loop);
            }
        }
        if let Some(stops) = self.stops.as_ref().filter(|stops| !stops.enter(phase)) {
            if !stops.is_intact() {
                lifecycle.lose(Lost::Stops);
            }
            if phase >= Phase::Abort {
                lifecycle.each_detached(|output| output.hang_up());
            }
        }
    }

    /// Loops whose owners wait and can't be woken any more.
    pub(super) fn unreachable(&self) -> impl Iterator<Item = &EventLoop> {
        self.loops.iter().filter(|event_loop| event_loop.is_unreachable())
    }

    /// A descriptor that is lost.
    pub(super) fn find_lost(&self) -> Option<Lost> {
        let waker = self.service.lifecycle.control.waker();
        if !waker.is_some_and(|waker| waker.is_intact()) {
            return Some(Lost::Supervisor);
        }
        if !self.loops.iter().all(|event_loop| event_loop.is_intact()) {
            return Some(Lost::Loop);
        }
        if !self.stops.as_ref().is_none_or(|stops| stops.is_intact()) {
            return Some(Lost::Stops);
        }
        (!self.entrance.is_intact()).then_some(Lost::Listener)
    }

    /// Puts a session that waits for its MTA into a loop.
    ///
    /// `home` is the number of the one it comes from, `own` if the calling thread owns that. Gives the
    /// session back if it is to end rather than to wait: the run is stopping, or it can't be watched.
    pub(super) fn attach(
        &self,
        mut connection: Box<Connection>,
        home: usize,
        own: bool,
    ) -> Result<(), Box<Connection>> {
        let places = self.loops.iter().map(|l| (l.owner.tenure(), l.sessions()));
        loop {
            let best = self.balance.choose(places.clone(), home);
            let best = best.and_then(|n| self.loops.get(n).map(|event_loop| (n, event_loop)));
            let Some((n, event_loop)) = best else { return Err(connection) };
            match event_loop.insert(connection, own && n == home) {
                Ok(()) => return Ok(()),
                // Just now. There always is one that is not.
                Err(Refused::Parked(back)) => connection = back,
                Err(Refused::ToEnd(back)) => return Err(back),
            }
        }
    }

    /// Whether sessions of some loop wait for it to get a thread.
    pub(super) fn has_vacancy(&self) -> bool {
        self.loops.iter().any(|event_loop| event_loop.owner.tenure() == Tenure::Vacant)
    }
}
