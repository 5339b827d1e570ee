//! Sessions leave their loop.

use std::sync::Arc;

use super::super::connection::Connection;
use super::super::lifecycle::Phase;
use super::super::output::SocketOutput;
use super::super::slots::Slot;
use super::{EventLoop, State};
use crate::sys::clock::Time;
use crate::sys::socket::is_connection;
use crate::sys::sync::Ordering;

impl EventLoop {
    /// Takes out a session that is to end, for when the owner can't be woken to end it.
    pub(in super::super) fn reclaim(&self, phase: Phase) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        state.slots.note(phase);
        let (slot, _) = state.slots.due(Time::now())?;
        self.take_out(&mut state, slot)
    }

    /// Takes a session out of a parked loop.
    pub(in super::super) fn evict(&self) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        let slot = state.slots.pop_waiting()?;
        self.take_out(&mut state, slot)
    }

    /// Forgets the slot of a session that has its turn; its descriptor is watched no more.
    ///
    /// It does no harm if the session was let go of already, even if another one has its turn.
    pub(in super::super) fn remove(&self, output: &Arc<SocketOutput>) {
        let mut state = self.state.lock();
        if let Some(slot) = state.slots.running_as(output) {
            self.vacate(&mut state, slot);
        }
    }

    fn take_out(&self, state: &mut State, slot: u32) -> Option<Box<Connection>> {
        let connection = state.slots.reclaim(slot);
        self.vacate(state, slot);
        connection
    }

    pub(super) fn vacate(&self, state: &mut State, slot: u32) -> Option<Slot> {
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
    pub(in super::super) fn let_go(
        &self,
        detach: impl FnOnce(&Arc<SocketOutput>),
    ) -> Option<Arc<SocketOutput>> {
        self.owner.leave();
        let mut state = self.state.lock();
        let slot = state.slots.running()?;
        let gone = self.vacate(&mut state, slot)?;
        detach(&gone.output);
        Some(gone.output)
    }
}
