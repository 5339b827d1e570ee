//! The sessions of one loop: their slots, their deadlines, and whose turn it is.

// Found from the models, too, whose files are elsewhere; as are the tests.
#[path = "slots/ticket.rs"]
mod ticket;

use std::sync::Arc;

use super::connection::{Connection, Job};
use super::deadlines::Deadlines;
use super::lifecycle::Phase;
use super::linger::LINGER;
use super::options::Limits;
use super::output::SocketOutput;
use crate::sys::clock::Time;
use ticket::{ENTRIES, watched_as};

pub(super) use ticket::Ticket;

/// One session of a loop.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) output: Arc<SocketOutput>,
    /// Tells it from others that have, or had, the same slot.
    entry: u32,
    /// It has arrived: its socket is being watched. Until then it is not ended by the loop, so that
    /// nothing is watched any more once a session has left its slot.
    arrived: bool,
    /// Its socket is being watched for room rather than for bytes.
    full: bool,
    /// It has an entry in `deadlines`.
    timed: bool,
    /// `None` while the session has its turn.
    connection: Option<Box<Connection>>,
}

/// The sessions of a loop.
#[derive(Debug, Default)]
pub(super) struct Slots {
    limits: Limits,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    entries: u32,
    deadlines: Deadlines,
    /// The slot that has its turn.
    running: Option<u32>,
    /// Slots below this are to be looked at since the phase has changed.
    sweep: u32,
    /// When to look at all of them again: some MTAs may yet read.
    again: Option<Time>,
    /// The phase the loop has taken note of.
    phase: Phase,
    /// Its sessions are to go elsewhere.
    closed: bool,
}

impl Slots {
    pub(super) fn new(limits: Limits) -> Slots {
        Slots { limits, ..Slots::default() }
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut Slot> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// Gives a session a slot; without one, gives it back.
    pub(super) fn enter(&mut self, connection: Box<Connection>) -> Result<Ticket, Box<Connection>> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                if self.slots.len() > Deadlines::SLOT_MAX as usize {
                    return Err(connection);
                }
                // Room to give it back, too: that can't fail.
                let more = self.slots.len() + 1 - self.free.len();
                if self.slots.try_reserve(1).is_err()
                    || self.free.try_reserve(more).is_err()
                    || self.deadlines.add_slot().is_err()
                {
                    return Err(connection);
                }
                self.slots.push(None);
                self.slots.len() as u32 - 1
            }
        };
        self.entries = (self.entries + 1) & ENTRIES;
        let (entry, full) = (self.entries, connection.output.is_full());
        if let Some(place) = self.slots.get_mut(slot as usize) {
            let output = Arc::clone(&connection.output);
            let connection = Some(connection);
            *place = Some(Slot { output, entry, arrived: false, full, timed: false, connection });
        }
        Ok(Ticket { slot, full, entry })
    }

    /// Takes note that a session is being `watched`, or can't be; its deadline, if it has one that
    /// the owner does not know of.
    ///
    /// Gives the session back if it is to end, for the phase or for not being watched, or to go
    /// elsewhere. Its slot is then to be vacated.
    pub(super) fn arrive(
        &mut self,
        ticket: Ticket,
        watched: bool,
    ) -> Result<Option<Time>, Box<Connection>> {
        let (phase, closed) = (self.phase, self.closed);
        // It may have had its turn, and even have been let go of, already.
        let place = self.get_mut(ticket.slot).filter(|place| place.entry == ticket.entry);
        let Some(place) = place else { return Ok(None) };
        place.arrived = true;
        if let Some(connection) =
            place.connection.take_if(|c| closed || !watched || c.must_end(phase))
        {
            return Err(connection);
        }
        Ok(self.time(ticket.slot))
    }

    /// Sets the deadline of a session that waits and has none yet, if there is to be one; when.
    #[cold]
    pub(super) fn time(&mut self, slot: u32) -> Option<Time> {
        let limits = self.limits;
        let place = self.get_mut(slot).filter(|place| !place.timed)?;
        let at = place.connection.as_ref()?.deadline(limits)?;
        place.timed = true;
        self.deadlines.insert(at, slot);
        Some(at)
    }

    /// Takes a session out for its turn.
    #[inline]
    pub(super) fn take(&mut self, slot: u32) -> Option<Box<Connection>> {
        let connection = self.get_mut(slot)?.connection.take()?;
        self.running = Some(slot);
        Some(connection)
    }

    /// The same for one that is ready, by what it is watched as; unless another one has the slot by now.
    #[inline]
    pub(super) fn take_ready(&mut self, watched: u64) -> Option<Box<Connection>> {
        let slot = watched as u32;
        let place = self.get_mut(slot)?;
        let is_it = ticket::is_entry(watched, place.entry);
        let connection = place.connection.take_if(|_| is_it)?;
        self.running = Some(slot);
        Some(connection)
    }

    /// What the session that has its turn is watched as.
    pub(super) fn running_as_watched(&self) -> Option<u64> {
        let slot = self.running?;
        let entry = self.slots.get(slot as usize)?.as_ref()?.entry;
        Some(watched_as(slot, entry))
    }

    /// Takes note that the session that has its turn is to wait for room, or for bytes; whether that is new.
    pub(super) fn watch(&mut self, full: bool) -> bool {
        let place = self.running.and_then(|slot| self.get_mut(slot));
        place.is_some_and(|place| std::mem::replace(&mut place.full, full) != full)
    }

    /// Takes a session out that is to have no turn in its loop any more.
    pub(super) fn reclaim(&mut self, slot: u32) -> Option<Box<Connection>> {
        self.get_mut(slot)?.connection.take()
    }

    /// Takes no sessions from now on; those that wait are to be popped.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.sweep = self.slots.len() as u32;
    }

    /// Sessions that wait for room, counted one by one.
    pub(super) fn full(&self) -> usize {
        self.slots.iter().flatten().filter(|place| place.full).count()
    }

    /// Takes sessions again.
    pub(super) fn open(&mut self) {
        self.closed = false;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The next slot with a session that waits and has to go elsewhere.
    pub(super) fn pop_waiting(&mut self) -> Option<u32> {
        while let Some(slot) = self.sweep.checked_sub(1) {
            self.sweep = slot;
            let waiting = self.get_mut(slot).filter(|place| place.arrived);
            if waiting.is_some_and(|place| place.connection.is_some()) {
                return Some(slot);
            }
        }
        None
    }

    /// Puts the session back that has its turn; its slot if it has no deadline. It may have none before, and
    /// one then: without a limit between packets, one begins with the first byte of a packet.
    #[inline]
    pub(super) fn put_back(&mut self, connection: Box<Connection>) -> Option<u32> {
        let slot = self.running.take()?;
        let place = self.get_mut(slot)?;
        // Nobody has put another one there.
        place.connection.get_or_insert(connection);
        (!place.timed).then_some(slot)
    }

    /// The slot that has its turn, if it is this session's.
    pub(super) fn running_as(&self, output: &Arc<SocketOutput>) -> Option<u32> {
        let slot = self.running?;
        let place = self.slots.get(slot as usize)?.as_ref()?;
        Arc::ptr_eq(&place.output, output).then_some(slot)
    }

    /// The slot that has its turn.
    pub(super) fn running(&self) -> Option<u32> {
        self.running
    }

    /// Frees a slot.
    pub(super) fn vacate(&mut self, slot: u32) -> Option<Slot> {
        self.running.take_if(|running| *running == slot);
        let gone = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        if gone.timed {
            self.deadlines.remove(slot);
        }
        Some(gone)
    }

    /// Takes note of a phase; whether it is a new one.
    pub(super) fn note(&mut self, phase: Phase) -> bool {
        let new = std::mem::replace(&mut self.phase, phase) != phase;
        if new {
            self.sweep = self.slots.len() as u32;
        }
        new
    }

    /// A session that has to end now, for the phase or for its deadline.
    pub(super) fn due(&mut self, now: Time) -> Option<(u32, Job)> {
        if self.again.take_if(|at| *at <= now).is_some() {
            self.sweep = self.slots.len() as u32;
        }
        while let Some(slot) = self.sweep.checked_sub(1) {
            self.sweep = slot;
            let phase = self.phase;
            let waiting = self.get_mut(slot).filter(|place| place.arrived);
            let Some(waiting) = waiting.and_then(|place| place.connection.as_ref()) else {
                continue;
            };
            if waiting.is_to_end(phase, now) {
                return Some((slot, Job::End));
            }
            if waiting.output.is_full() {
                self.again = self.again.or(now.after(LINGER));
            }
        }
        while let Some(slot) = self.deadlines.due(now) {
            if self.expires(slot, now) {
                return Some((slot, Job::Expired));
            }
        }
        None
    }

    /// Looks at a session whose deadline was thought to have come.
    fn expires(&mut self, slot: u32, now: Time) -> bool {
        let limits = self.limits;
        let Some(place) = self.get_mut(slot) else { return false };
        place.timed = false;
        let Some(at) = place.connection.as_ref().and_then(|c| c.deadline(limits)) else {
            return false;
        };
        if at <= now {
            return true;
        }
        place.timed = true;
        self.deadlines.insert(at, slot);
        false
    }

    /// The earliest time to look at sessions.
    pub(super) fn first_deadline(&self) -> Option<Time> {
        [self.deadlines.first(), self.again].into_iter().flatten().min()
    }
}

#[cfg(test)]
#[path = "slots/tests.rs"]
mod tests;
