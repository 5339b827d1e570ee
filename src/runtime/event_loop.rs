//! An event loop: a poller and the sessions it watches.

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Job};
use super::lifecycle::Phase;
use super::options::Limits;
use super::output::SocketOutput;
use super::slots::{Slot, Slots};
use super::tenure::{Seat, Tenure};
use super::turn::Turn;
use super::wake_up::WakeUp;
use crate::net::listener::{Listener, SOCKETS_MAX};
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;
use crate::sys::poller::{Events, Poller, Timeout, Watch, is_shortage};
use crate::sys::socket::is_connection;
use crate::sys::sync::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::thread::StateView;

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

/// What is to be done besides events.
pub(super) enum Due {
    /// A session has to end, for its deadline or for the phase.
    Session(u32, Job),
    /// The pause in accepting is over.
    Accepting,
    /// Nothing until then.
    Nothing(Option<Time>),
}

/// What a session waits for.
fn watch(full: bool) -> Watch {
    if full { Watch::Room } else { Watch::Level }
}

/// A session that a loop does not take in.
pub(super) enum Refused {
    /// The loop has no thread; another one may take it.
    Parked(Box<Connection>),
    /// It is to end rather than to wait, or can't be watched.
    ToEnd(Box<Connection>),
}

/// An event loop.
#[derive(Debug)]
pub(super) struct EventLoop {
    poller: Poller,
    wake_up: WakeUp,
    pub(super) turn: Turn,
    state: Mutex<State>,
    sessions: AtomicUsize,
    /// Whether a thread owns the loop.
    seat: Seat,
    /// The owner has found that its poller is lost, and looks at the phase every now and then.
    polls: AtomicBool,
    /// The owner's state, where it can be seen.
    owner: Mutex<Option<StateView>>,
}

impl EventLoop {
    pub(super) fn new(limits: Limits) -> std::io::Result<EventLoop> {
        let state = State { slots: Slots::new(limits), accept_after: None, waits_until: None };
        let event_loop = EventLoop {
            poller: Poller::new()?,
            wake_up: WakeUp::new()?,
            turn: Turn::default(),
            state: Mutex::new(state),
            sessions: AtomicUsize::new(0),
            seat: Seat::default(),
            polls: AtomicBool::new(false),
            owner: Mutex::new(None),
        };
        event_loop.wake_up.watch(&event_loop.poller)?;
        Ok(event_loop)
    }

    /// Wakes the owner; `false` if it can't be: the filter has closed our descriptors, or the system refuses.
    pub(super) fn wake(&self) -> bool {
        self.wake_up.wake(&self.poller)
    }

    /// For the owner, that it is awake.
    pub(super) fn woken(&self) {
        self.wake_up.clear();
    }

    /// Whether its descriptors still are, and have been all the time.
    pub(super) fn is_intact(&self) -> bool {
        self.wake_up.is_intact() && self.poller.is_intact()
    }

    /// Takes out a session that is to end, for when the owner can't be woken to end it.
    pub(super) fn reclaim(&self, phase: Phase) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        state.slots.note(phase);
        let (slot, _) = state.slots.due(Time::now())?;
        let connection = state.slots.reclaim(slot);
        self.vacate(&mut state, slot);
        connection
    }

    /// Sessions in this loop.
    pub(super) fn sessions(&self) -> usize {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Sessions whose MTA has to read what it was sent.
    pub(super) fn full(&self) -> usize {
        self.state.lock().slots.full()
    }

    /// For the thread that becomes the owner.
    pub(super) fn own(&self) {
        *self.owner.lock() = StateView::own();
        self.seat.set(Tenure::Owned);
    }

    /// For the owner, that it leaves the loop to another thread.
    pub(super) fn give_up(&self) {
        self.seat.set(Tenure::Vacant);
    }

    /// For the supervisor, that a thread will own the loop.
    pub(super) fn promise(&self) {
        self.state.lock().slots.open();
        self.seat.set(Tenure::Promised);
    }

    /// For the supervisor, that a loop without a thread is to have no sessions until it has one; they
    /// are to be taken out.
    pub(super) fn park(&self) {
        self.state.lock().slots.close();
        self.seat.set(Tenure::Parked);
    }

    /// Takes a session out of a parked loop.
    pub(super) fn evict(&self) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        let slot = state.slots.pop_waiting()?;
        let connection = state.slots.reclaim(slot);
        self.vacate(&mut state, slot);
        connection
    }

    /// Whether it has a thread.
    pub(super) fn tenure(&self) -> Tenure {
        self.seat.get()
    }

    /// Whether the owner could run if the system let it, rather than waits for something.
    pub(super) fn owner_could_run(&self) -> bool {
        self.owner.lock().as_ref().is_some_and(StateView::could_run)
    }

    /// For the owner: waits for events.
    ///
    /// # Errors
    /// The poller is lost. From now on the owner is to look at the phase every now and then.
    pub(super) fn wait(&self, events: &mut Events, timeout: &Timeout) -> std::io::Result<()> {
        let waited = self.poller.wait(events, timeout);
        if waited.is_err() {
            self.polls.store(true, Ordering::Relaxed);
        }
        waited
    }

    /// Whether it has an owner that waits and can't be woken any more.
    pub(super) fn is_unreachable(&self) -> bool {
        self.is_owned() && !self.polls.load(Ordering::Relaxed) && !self.wake()
    }

    /// Whether a thread owns the loop, rather than none could be had for it.
    pub(super) fn is_owned(&self) -> bool {
        self.seat.get() == Tenure::Owned
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
        let key = FIRST_SLOT_KEY + u64::from(ticket.slot);
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

    /// Takes a session out for its turn.
    #[inline]
    pub(super) fn take(&self, slot: u32) -> Option<Box<Connection>> {
        self.state.lock().slots.take(slot)
    }

    /// Puts a session back after its turn.
    #[inline]
    pub(super) fn put_back(&self, slot: u32, connection: Box<Connection>) {
        if self.state.lock().slots.put_back(slot, connection).is_some() {
            self.wake();
        }
    }

    /// Watches the socket of a session that has its turn for what it will wait for; `false` if it can't,
    /// which is logged.
    #[cold]
    pub(super) fn watch(&self, slot: u32, connection: &Connection) -> bool {
        let full = connection.output.is_full();
        let changes = self.state.lock().slots.watch(slot, full);
        let key = FIRST_SLOT_KEY + u64::from(slot);
        if !changes {
            return true;
        }
        let changed = self.poller.change(&*connection.output, key, watch(full));
        if let Err(error) = &changed {
            connection.output.unwatched(error);
        }
        changed.is_ok()
    }

    /// Forgets the slot of a session that has its turn; its descriptor is watched no more.
    ///
    /// It does no harm if the session was let go of already, even if the slot has a new one.
    pub(super) fn remove(&self, slot: u32, output: &Arc<SocketOutput>) {
        let mut state = self.state.lock();
        if state.slots.holds(slot, output) {
            self.vacate(&mut state, slot);
        }
    }

    fn vacate(&self, state: &mut State, slot: u32) -> Option<Slot> {
        let gone = state.slots.vacate(slot)?;
        if let Some(after) = &mut state.accept_after {
            // There is room for a connection again.
            *after = Time::now();
            self.wake();
        }
        if !self.poller.delete(&*gone.output)
            && (self.poller.is_intact() || !is_connection(&*gone.output))
        {
            // The filter has closed it, and not only the poller.
            gone.output.lost();
        }
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
        self.give_up();
        let mut state = self.state.lock();
        let slot = state.slots.running()?;
        let gone = self.vacate(&mut state, slot)?;
        detach(&gone.output);
        Some(gone.output)
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
