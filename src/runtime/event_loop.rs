//! An event loop: a poller and the sessions it watches.

// Found from the models, too, whose files are elsewhere.
#[path = "event_loop/leaving.rs"]
mod leaving;

use std::sync::Arc;
use std::time::Duration;

use super::batch::Batch;
use super::connection::Connection;
use super::errand::{Due, Refused};
use super::lifecycle::Phase;
use super::options::Limits;
use super::owner::Owner;
use super::slots::Slots;
use super::tenure::Tenure;
use super::turn::Turn;
use crate::net::listener::{Listener, SOCKETS_MAX};
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;
use crate::sys::poller::{Events, Poller, Timeout, Watch, is_shortage};
use crate::sys::sync::{AtomicUsize, Ordering};

/// Keys from here on are listening sockets.
pub(super) const FIRST_LISTENER_KEY: u64 = 1;
/// Keys from here on are slots.
pub(super) const FIRST_SLOT_KEY: u64 = FIRST_LISTENER_KEY + SOCKETS_MAX as u64;

/// What belongs to the owner; locked for moments only, never while a callback runs.
#[derive(Debug)]
struct State {
    slots: Slots,
    /// Accepting is paused until then.
    accept_after: Option<Time>,
    /// When the owner has last gone to wait, until when; `None`: for ever.
    waits_until: Option<Time>,
}

/// What a session waits for.
fn watch(full: bool) -> Watch {
    if full { Watch::Room } else { Watch::Edge }
}

/// An event loop.
#[derive(Debug)]
pub(super) struct EventLoop {
    poller: Poller,
    pub(super) owner: Owner,
    pub(super) turn: Turn,
    /// What the owner has to serve before it waits again.
    pub(super) batch: Batch,
    state: Mutex<State>,
    sessions: AtomicUsize,
}

impl EventLoop {
    pub(super) fn new(limits: Limits) -> std::io::Result<EventLoop> {
        let state = State { slots: Slots::new(limits), accept_after: None, waits_until: None };
        let poller = Poller::new()?;
        Ok(EventLoop {
            owner: Owner::new(&poller)?,
            poller,
            turn: Turn::default(),
            batch: Batch::default(),
            state: Mutex::new(state),
            sessions: AtomicUsize::new(0),
        })
    }

    /// Wakes the owner; `false` if it can't be.
    pub(super) fn wake(&self) -> bool {
        self.owner.wake(&self.poller)
    }

    /// Whether it has an owner that waits and can't be woken any more.
    pub(super) fn is_unreachable(&self) -> bool {
        self.owner.is_unreachable(&self.poller)
    }

    /// Whether its descriptors still are, and have been all the time.
    pub(super) fn is_intact(&self) -> bool {
        self.owner.is_intact() && self.poller.is_intact()
    }

    /// Sessions in this loop.
    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Sessions whose MTA has to read what it was sent.
    pub(super) fn full(&self) -> usize {
        self.state.lock().slots.full()
    }

    /// For the supervisor, that a thread will own the loop.
    pub(super) fn promise(&self) {
        self.state.lock().slots.open();
        self.owner.expect(Tenure::Promised);
    }

    /// For the supervisor, that a loop without a thread is to have no sessions until it has one.
    pub(super) fn park(&self) {
        self.state.lock().slots.close();
        self.owner.expect(Tenure::Parked);
    }

    /// For the owner, when its batch is empty: waits for events.
    ///
    /// # Errors
    /// The poller is lost. From now on the owner is to look at the phase every now and then.
    #[inline]
    pub(super) fn wait(&self, events: &mut Events, timeout: &Timeout) -> std::io::Result<()> {
        let waited = self.poller.wait(events, timeout);
        if waited.is_err() {
            self.owner.poll();
        }
        waited
    }

    /// Starts or resumes accepting at the listening socket of that number.
    pub(super) fn listen(&self, listener: &Listener, number: u64) -> std::io::Result<()> {
        match self.poller.add(listener, FIRST_LISTENER_KEY + number, Watch::Shared) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            added => added,
        }
    }

    /// Takes in a session that waits for its MTA; `own` if the calling thread owns the loop.
    ///
    /// Gives it back if the loop was parked, or if it is to end rather than to wait, or can't be watched.
    pub(super) fn insert(&self, connection: Box<Connection>, own: bool) -> Result<(), Refused> {
        let output = Arc::clone(&connection.output);
        let ticket = {
            let mut state = self.state.lock();
            if state.slots.is_closed() {
                return Err(Refused::Parked(connection));
            }
            state.slots.enter(connection).map_err(Refused::ToEnd)?
        };
        self.sessions.fetch_add(1, Ordering::Relaxed);
        // Not under the lock: what can be read already wakes the owner, who needs it at once. It
        // may serve the session, and the session may even be back in another slot, before the next
        // line.
        let key = FIRST_SLOT_KEY + ticket.watched_as();
        let added = self.poller.add(&*output, key, watch(ticket.full));
        let mut state = self.state.lock();
        match state.slots.arrive(ticket, added.is_ok()) {
            Ok(deadline) => {
                let earlier = |at| state.waits_until.is_none_or(|until| at < until);
                if !own && deadline.is_some_and(earlier) {
                    self.wake();
                }
                Ok(())
            }
            Err(connection) => {
                self.vacate(&mut state, ticket.slot);
                if let Err(error) = added {
                    if is_shortage(&error) {
                        output.found();
                    }
                    output.unwatched(&error);
                } else if state.slots.is_closed() {
                    return Err(Refused::Parked(connection));
                }
                Err(Refused::ToEnd(connection))
            }
        }
    }

    /// Takes a session out for its turn that is ready, by what it is watched as.
    #[inline]
    pub(super) fn take_ready(&self, watched: u64) -> Option<Box<Connection>> {
        self.state.lock().slots.take_ready(watched)
    }

    /// The same, for whatever else.
    #[inline(never)]
    pub(super) fn take(&self, slot: u32) -> Option<Box<Connection>> {
        self.state.lock().slots.take(slot)
    }

    /// Puts the session back that has its turn.
    #[expect(clippy::inline_always, reason = "each message's way; the other caller is cold")]
    #[inline(always)]
    pub(super) fn put_back(&self, connection: Box<Connection>) {
        self.put_into(&mut self.state.lock(), connection);
    }

    #[expect(clippy::inline_always, reason = "each message's way")]
    #[inline(always)]
    fn put_into(&self, state: &mut State, connection: Box<Connection>) {
        if let Some(slot) = state.slots.put_back(connection) {
            self.time(state, slot);
        }
    }

    /// The same, and takes the next one out for its turn.
    #[expect(clippy::inline_always, reason = "each message's way")]
    #[inline(always)]
    pub(super) fn exchange(
        &self,
        connection: Box<Connection>,
        next: u64,
    ) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        self.put_into(&mut state, connection);
        state.slots.take_ready(next)
    }

    /// Sets the deadline of a session that has none yet.
    #[cold]
    fn time(&self, state: &mut State, slot: u32) {
        if state.slots.time(slot).is_some() {
            self.wake();
        }
    }

    /// Watches the socket of the session that has its turn for what it will wait for, of which there may be
    /// `more` already; `false` if it can't, which is logged.
    #[cold]
    pub(super) fn watch(&self, connection: &Connection, more: bool) -> bool {
        let full = connection.output.is_full();
        let (watched, changes) = {
            let mut state = self.state.lock();
            let Some(watched) = state.slots.running_as_watched() else { return true };
            (watched, state.slots.watch(full))
        };
        let key = FIRST_SLOT_KEY + watched;
        let changed = match (changes, more) {
            // Tells of what is there already.
            (true, _) => self.poller.change(&*connection.output, key, watch(full)),
            (false, true) if !full => self.poller.again(&*connection.output, key),
            (false, _) => Ok(()),
        };
        changed.inspect_err(|error| connection.output.unwatched(error)).is_ok()
    }

    /// What is to be done besides events, in this phase of the run.
    pub(super) fn due(&self, phase: Phase, now: Time) -> Due {
        let mut state = self.state.lock();
        if state.slots.note(phase) {
            state.accept_after = None;
        }
        if let Some((slot, job)) = state.slots.due(now) {
            return Due::Session(slot, job);
        }
        if state.accept_after.take_if(|after| *after <= now).is_some() {
            return Due::Accepting;
        }
        let next = [state.slots.first_deadline(), state.accept_after].into_iter().flatten().min();
        state.waits_until = next;
        Due::Nothing(next)
    }

    /// Does not accept for a while.
    pub(super) fn pause(&self, now: Time, span: Duration) {
        self.state.lock().accept_after = now.after(span);
    }

    /// Whether accepting is not paused.
    pub(super) fn accepts(&self) -> bool {
        self.state.lock().accept_after.is_none()
    }

    /// Stops watching a listening socket.
    pub(super) fn ignore(&self, listener: &Listener) {
        self.poller.delete(listener);
    }
}
