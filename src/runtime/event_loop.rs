//! An event loop: a poller and the sessions it watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::accept::EXHAUSTION_PAUSE;
use super::connection::{Connection, Job};
use super::deadlines::Deadlines;
use super::log::Log;
use super::options::Options;
use super::output::SocketOutput;
use super::shared::{Phase, Shared};
use super::turn::Turn;
use crate::net::listener::Listener;
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::log::Priority;
use crate::sys::poller::Poller;
use crate::sys::thread::StateView;
use crate::sys::waker::Waker;

pub(super) const WAKER_KEY: u64 = 0;
pub(super) const LISTENER_KEY: u64 = 1;
/// Keys from here on are slots.
pub(super) const FIRST_SLOT_KEY: u64 = 2;

#[derive(Debug)]
struct Slot {
    output: Arc<SocketOutput>,
    /// The entry in `deadlines`.
    deadline: Option<Time>,
    /// `None` while the session has its turn.
    connection: Option<Box<Connection>>,
}

/// What belongs to the owner; locked for moments only, never while a callback runs.
#[derive(Debug, Default)]
struct State {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    deadlines: Deadlines,
    /// The slot that has its turn.
    running: Option<u32>,
    /// Slots to look at since the phase has changed.
    sweep: Vec<u32>,
    /// The phase the loop has taken note of.
    phase: Option<Phase>,
    /// Accepting is paused until then.
    accept_after: Option<Time>,
    /// When the owner has last gone to wait, until when; `None`: for ever.
    waits_until: Option<Time>,
}

impl State {
    /// Looks at a session whose deadline was thought to have come.
    fn expire(&mut self, slot: u32, now: Time, options: &Options) -> Option<Job> {
        let place = self.slots.get_mut(slot as usize)?.as_mut()?;
        place.deadline = place.connection.as_ref().and_then(|c| c.deadline(options));
        let at = place.deadline?;
        if at <= now {
            place.deadline = None;
            return Some(Job::Expired);
        }
        self.deadlines.insert(at, slot);
        None
    }
}

/// What is to be done besides events.
pub(super) enum Due {
    /// A session has to end, for its deadline or for the phase.
    Session(u32, Job),
    /// Nothing until then.
    Nothing(Option<Time>),
}

/// An event loop.
#[derive(Debug)]
pub(super) struct EventLoop {
    pub(super) poller: Poller,
    pub(super) waker: Waker,
    pub(super) turn: Turn,
    state: Mutex<State>,
    sessions: AtomicUsize,
    /// A thread owns the loop.
    pub(super) owned: AtomicBool,
    /// That thread's state, where it can be seen.
    pub(super) owner: Mutex<Option<StateView>>,
}

impl EventLoop {
    pub(super) fn new() -> std::io::Result<EventLoop> {
        let event_loop = EventLoop {
            poller: Poller::new()?,
            waker: Waker::new()?,
            turn: Turn::default(),
            state: Mutex::default(),
            sessions: AtomicUsize::new(0),
            owned: AtomicBool::new(false),
            owner: Mutex::new(None),
        };
        event_loop.poller.add(&event_loop.waker, WAKER_KEY, false)?;
        Ok(event_loop)
    }

    /// Sessions in this loop.
    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Whether a thread owns the loop, rather than none could be had for it.
    pub(super) fn is_owned(&self) -> bool {
        self.owned.load(Ordering::Relaxed)
    }

    /// Starts or resumes accepting.
    pub(super) fn listen(&self, listener: &Listener) -> std::io::Result<()> {
        self.poller.add(listener, LISTENER_KEY, true)
    }

    /// Takes in a session that waits for its MTA; `own` if the calling thread owns the loop.
    ///
    /// Gives it back if it is to end rather than to wait, or can't be watched.
    pub(super) fn insert(
        &self,
        connection: Box<Connection>,
        options: &Options,
        log: &Log,
        own: bool,
    ) -> Result<(), Box<Connection>> {
        let output = Arc::clone(&connection.output);
        let slot = self.enter(connection, options, own)?;
        // Not under the lock: what can be read already wakes the owner, who needs it at once.
        let added = self.poller.add(&*output, FIRST_SLOT_KEY + u64::from(slot), false);
        let mut state = self.state.lock();
        let place = state.slots.get_mut(slot as usize).and_then(Option::as_mut);
        let mine = place.filter(|place| Arc::ptr_eq(&place.output, &output));
        match (added, mine) {
            (Ok(()), Some(_)) => Ok(()),
            (Ok(()), None) => {
                // It was ended by a stop meanwhile.
                self.poller.delete(&*output);
                Ok(())
            }
            (Err(error), mine) => {
                let connection = mine.and_then(|place| place.connection.take());
                let Some(connection) = connection else { return Ok(()) };
                self.vacate(&mut state, slot);
                let text = format!("session {}: can't be watched: {error}; closed", output.session);
                log.line(Priority::Error, &text);
                Err(connection)
            }
        }
    }

    /// Gives a session a slot, unless it is to end.
    fn enter(
        &self,
        connection: Box<Connection>,
        options: &Options,
        own: bool,
    ) -> Result<u32, Box<Connection>> {
        let mut state = self.state.lock();
        match state.phase {
            None | Some(Phase::Serve) => {}
            Some(Phase::Drain) if connection.in_message() => {}
            Some(_) => return Err(connection),
        }
        let slot = match state.free.pop() {
            Some(slot) => slot,
            None => {
                let Ok(slot) = u32::try_from(state.slots.len()) else { return Err(connection) };
                state.slots.push(None);
                slot
            }
        };
        let deadline = connection.deadline(options);
        if let Some(at) = deadline {
            state.deadlines.insert(at, slot);
            if !own && state.waits_until.is_none_or(|until| at < until) {
                self.waker.wake();
            }
        }
        let output = Arc::clone(&connection.output);
        if let Some(place) = state.slots.get_mut(slot as usize) {
            *place = Some(Slot { output, deadline, connection: Some(connection) });
        }
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(slot)
    }

    /// Takes a session out for its turn.
    #[inline]
    pub(super) fn take(&self, slot: u32) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        let connection = state.slots.get_mut(slot as usize)?.as_mut()?.connection.take()?;
        state.running = Some(slot);
        Some(connection)
    }

    /// Puts a session back after its turn.
    #[inline]
    pub(super) fn put_back(&self, slot: u32, connection: Box<Connection>, options: &Options) {
        let mut state = self.state.lock();
        state.running = None;
        let Some(Some(place)) = state.slots.get_mut(slot as usize) else { return };
        let timed = place.deadline.is_some();
        place.connection = Some(connection);
        if !timed {
            self.time(&mut state, slot, options);
        }
    }

    /// Sets the deadline of a session that may have one now: without a limit between packets, one
    /// begins with the first byte of a packet.
    #[cold]
    fn time(&self, state: &mut State, slot: u32, options: &Options) {
        let Some(Some(place)) = state.slots.get_mut(slot as usize) else { return };
        place.deadline = place.connection.as_ref().and_then(|c| c.deadline(options));
        if let Some(at) = place.deadline {
            state.deadlines.insert(at, slot);
            self.waker.wake();
        }
    }

    /// Forgets the slot of a session that has its turn; its descriptor is watched no more.
    ///
    /// It does no harm if the session was let go of already, even if the slot has a new one.
    pub(super) fn remove(&self, slot: u32, output: &Arc<SocketOutput>) {
        let mut state = self.state.lock();
        let place = state.slots.get(slot as usize).and_then(Option::as_ref);
        if place.is_some_and(|place| Arc::ptr_eq(&place.output, output)) {
            self.vacate(&mut state, slot);
        }
    }

    fn vacate(&self, state: &mut State, slot: u32) -> Option<Slot> {
        state.running = None;
        let gone = state.slots.get_mut(slot as usize)?.take()?;
        state.free.push(slot);
        if let Some(at) = gone.deadline {
            state.deadlines.remove(at, slot);
        }
        if let Some(after) = &mut state.accept_after {
            // There is room for a connection again.
            *after = Time::now();
            self.waker.wake();
        }
        self.poller.delete(&*gone.output);
        self.sessions.fetch_sub(1, Ordering::Relaxed);
        Some(gone)
    }

    /// For the supervisor, when it has taken the loop away: lets go of the session whose turn it
    /// was, which from now on belongs to its thread alone.
    ///
    /// `detach` runs before the session's thread can put the session into a loop again.
    pub(super) fn let_go(
        &self,
        detach: impl FnOnce(&Arc<SocketOutput>),
    ) -> Option<Arc<SocketOutput>> {
        self.owned.store(false, Ordering::Relaxed);
        let mut state = self.state.lock();
        let slot = state.running?;
        let gone = self.vacate(&mut state, slot)?;
        detach(&gone.output);
        Some(gone.output)
    }

    pub(super) fn due<F: Filter>(&self, shared: &Shared<F>, now: Time) -> Due {
        let phase = shared.phase();
        let mut state = self.state.lock();
        if phase > Phase::Serve && state.phase != Some(phase) {
            state.phase = Some(phase);
            state.accept_after = None;
            state.sweep = (0..state.slots.len() as u32).collect();
        }
        while let Some(slot) = state.sweep.pop() {
            let waiting =
                state.slots.get(slot as usize).and_then(|s| s.as_ref()?.connection.as_ref());
            if waiting.is_some_and(|c| phase > Phase::Drain || !c.in_message()) {
                return Due::Session(slot, Job::End);
            }
        }
        if state.accept_after.is_some_and(|after| after <= now) {
            state.accept_after = None;
            if shared.listener().is_some_and(|listener| self.listen(&listener).is_err()) {
                state.accept_after = now.after(EXHAUSTION_PAUSE);
            }
        }
        while let Some(slot) = state.deadlines.due(now) {
            if let Some(job) = state.expire(slot, now, &shared.options) {
                return Due::Session(slot, job);
            }
        }
        let next = [state.deadlines.first(), state.accept_after].into_iter().flatten().min();
        state.waits_until = next;
        Due::Nothing(next)
    }

    /// Stops accepting for a while.
    pub(super) fn pause(&self, listener: &Listener, now: Time, span: Duration) {
        self.poller.delete(listener);
        self.state.lock().accept_after = now.after(span);
    }
}
