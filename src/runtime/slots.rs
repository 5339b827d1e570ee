//! The sessions of one loop: their slots, their deadlines, and whose turn it is.

use std::sync::Arc;

use super::connection::{Connection, Job};
use super::deadlines::Deadlines;
use super::options::Options;
use super::output::SocketOutput;
use super::shared::Phase;
use crate::sys::clock::Time;

/// One session of a loop.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) output: Arc<SocketOutput>,
    /// Tells it from others that have, or had, the same slot.
    entry: u32,
    /// It has arrived: its socket is being watched. Until then it is not ended by the loop, so that
    /// nothing is watched any more once a session has left its slot.
    arrived: bool,
    /// The entry in `deadlines`.
    deadline: Option<Time>,
    /// `None` while the session has its turn.
    connection: Option<Box<Connection>>,
}

/// The slot that a session was given, until it has arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    pub(super) slot: u32,
    entry: u32,
}

/// The sessions of a loop.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    entries: u32,
    deadlines: Deadlines,
    /// The slot that has its turn.
    running: Option<u32>,
    /// Slots to look at since the phase has changed.
    sweep: Vec<u32>,
    /// The phase the loop has taken note of.
    phase: Phase,
}

impl Slots {
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
                self.slots.push(None);
                self.slots.len() as u32 - 1
            }
        };
        self.entries = self.entries.wrapping_add(1);
        let entry = self.entries;
        if let Some(place) = self.slots.get_mut(slot as usize) {
            let output = Arc::clone(&connection.output);
            let connection = Some(connection);
            *place = Some(Slot { output, entry, arrived: false, deadline: None, connection });
        }
        Ok(Ticket { slot, entry })
    }

    /// Takes note that a session is being `watched`, or can't be; its deadline, if it has one that
    /// the owner does not know of.
    ///
    /// Gives the session back if it is to end, for the phase or for not being watched. Its slot is
    /// then to be vacated.
    pub(super) fn arrive(
        &mut self,
        ticket: Ticket,
        watched: bool,
        options: &Options,
    ) -> Result<Option<Time>, Box<Connection>> {
        let phase = self.phase;
        // It may have had its turn, and even have been let go of, already.
        let place = self.get_mut(ticket.slot).filter(|place| place.entry == ticket.entry);
        let Some(place) = place else { return Ok(None) };
        place.arrived = true;
        if let Some(connection) =
            place.connection.take_if(|connection| !watched || connection.must_end(phase))
        {
            return Err(connection);
        }
        Ok(self.time(ticket.slot, options))
    }

    /// Sets the deadline of a session that waits and has none yet, if there is to be one; when.
    fn time(&mut self, slot: u32, options: &Options) -> Option<Time> {
        let place = self.get_mut(slot)?;
        if place.deadline.is_some() {
            return None;
        }
        place.deadline = place.connection.as_ref()?.deadline(options);
        let at = place.deadline?;
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

    /// Takes a session out that is to have no turn in its loop any more.
    pub(super) fn reclaim(&mut self, slot: u32) -> Option<Box<Connection>> {
        self.get_mut(slot)?.connection.take()
    }

    /// Puts a session back after its turn; its deadline, if it did not have one before: without a
    /// limit between packets, one begins with the first byte of a packet.
    #[inline]
    pub(super) fn put_back(
        &mut self,
        slot: u32,
        connection: Box<Connection>,
        options: &Options,
    ) -> Option<Time> {
        self.running = None;
        let place = self.get_mut(slot)?;
        place.connection = Some(connection);
        self.time(slot, options)
    }

    /// Whether a slot is this session's.
    pub(super) fn holds(&self, slot: u32, output: &Arc<SocketOutput>) -> bool {
        let place = self.slots.get(slot as usize).and_then(Option::as_ref);
        place.is_some_and(|place| Arc::ptr_eq(&place.output, output))
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
        if let Some(at) = gone.deadline {
            self.deadlines.remove(at, slot);
        }
        Some(gone)
    }

    /// Takes note of a phase; whether it is a new one.
    pub(super) fn note(&mut self, phase: Phase) -> bool {
        let new = std::mem::replace(&mut self.phase, phase) != phase;
        if new {
            self.sweep = (0..self.slots.len() as u32).collect();
        }
        new
    }

    /// A session that has to end now, for the phase or for its deadline.
    pub(super) fn due(&mut self, now: Time, options: &Options) -> Option<(u32, Job)> {
        while let Some(slot) = self.sweep.pop() {
            let phase = self.phase;
            let waiting = self.get_mut(slot).filter(|place| place.arrived);
            let waiting = waiting.and_then(|place| place.connection.as_ref());
            if waiting.is_some_and(|connection| connection.is_to_end(phase, now)) {
                return Some((slot, Job::End));
            }
        }
        while let Some(slot) = self.deadlines.due(now) {
            if self.expires(slot, now, options) {
                return Some((slot, Job::Expired));
            }
        }
        None
    }

    /// Looks at a session whose deadline was thought to have come.
    fn expires(&mut self, slot: u32, now: Time, options: &Options) -> bool {
        let Some(place) = self.get_mut(slot) else { return false };
        place.deadline = place.connection.as_ref().and_then(|c| c.deadline(options));
        let Some(at) = place.deadline else { return false };
        if at <= now {
            place.deadline = None;
            return true;
        }
        self.deadlines.insert(at, slot);
        false
    }

    /// The earliest deadline.
    pub(super) fn first_deadline(&self) -> Option<Time> {
        self.deadlines.first()
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::Log;
    use super::super::options::Threads;
    use super::super::output::OutputSettings;
    use super::*;
    use crate::proto::negotiate::FilterTraits;
    use crate::session::Session;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    fn options() -> Options {
        Options {
            timeout: 10,
            debug: 0,
            max_data_size: Arc::new(AtomicUsize::new(65535)),
            max_threads: 1,
            threads: Threads::Pool,
            stop_limit: super::super::options::STOP_LIMIT,
        }
    }

    fn connection(number: u64, now: Time) -> Box<Connection> {
        let (socket, _peer) = UnixStream::pair().unwrap();
        let log = Arc::new(Log::new(b"test"));
        let settings = Arc::new(OutputSettings { log, debug: 0, limit: None });
        let output = Arc::new(SocketOutput::new(socket.into(), number, settings));
        let max = options().max_data_size;
        let session =
            Session::new(FilterTraits::default(), Arc::<SocketOutput>::clone(&output), max);
        Box::new(Connection::new(session, output, now))
    }

    /// Ten seconds after a time, when the sessions of these tests expire.
    fn limit(now: Time) -> Time {
        now.after(Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn a_session_that_was_let_go_of_before_it_has_arrived_keeps_its_new_slot() {
        let (mut slots, now) = (Slots::default(), Time::now());
        let first = slots.enter(connection(1, now)).unwrap();
        // It can be read already, is taken for its turn, and let go of; another one gets its slot.
        let one = slots.take(first.slot).unwrap();
        slots.vacate(first.slot).unwrap();
        let other = slots.enter(connection(2, now)).unwrap();
        assert_eq!(other.slot, first.slot);
        let again = slots.enter(one).unwrap();
        assert_eq!(slots.arrive(first, true, &options()).unwrap(), None);
        // Neither is taken for arrived by this: a stop does not end them yet.
        assert!(slots.note(Phase::Abort) && slots.due(now, &options()).is_none());
        for (ticket, number) in [(again, 1), (other, 2)] {
            let back = slots.arrive(ticket, true, &options()).unwrap_err();
            assert_eq!(back.output.session, number);
        }
    }

    #[test]
    fn a_stop_ends_those_that_have_arrived_and_gives_back_those_that_arrive() {
        let (mut slots, now) = (Slots::default(), Time::now());
        let here = slots.enter(connection(1, now)).unwrap();
        assert_eq!(slots.arrive(here, true, &options()).unwrap(), Some(limit(now)));
        let coming = slots.enter(connection(2, now)).unwrap();
        assert!(slots.note(Phase::Drain) && !slots.note(Phase::Drain));
        assert_eq!(slots.due(now, &options()), Some((here.slot, Job::End)));
        assert_eq!(slots.due(now, &options()), None);
        assert_eq!(slots.arrive(coming, true, &options()).unwrap_err().output.session, 2);
    }

    #[test]
    fn what_cannot_be_watched_is_given_back() {
        let (mut slots, now) = (Slots::default(), Time::now());
        let ticket = slots.enter(connection(1, now)).unwrap();
        assert_eq!(slots.arrive(ticket, false, &options()).unwrap_err().output.session, 1);
        slots.vacate(ticket.slot).unwrap();
        assert_eq!(slots.first_deadline(), None);
    }

    #[test]
    fn a_deadline_is_set_once_and_found_when_it_comes() {
        let (mut slots, now) = (Slots::default(), Time::now());
        let ticket = slots.enter(connection(1, now)).unwrap();
        let connection = slots.take(ticket.slot).unwrap();
        assert_eq!(slots.running(), Some(ticket.slot));
        // It had its turn before it has arrived: whoever comes second finds the deadline set.
        assert_eq!(slots.put_back(ticket.slot, connection, &options()), Some(limit(now)));
        assert_eq!(slots.arrive(ticket, true, &options()).unwrap(), None);
        assert_eq!(slots.due(now, &options()), None);
        assert_eq!(slots.due(limit(now), &options()), Some((ticket.slot, Job::Expired)));
    }

    #[test]
    fn a_slot_that_is_vacated_leaves_the_turn_of_another_alone() {
        let (mut slots, now) = (Slots::default(), Time::now());
        let [one, two] = [1, 2].map(|n| slots.enter(connection(n, now)).unwrap());
        let running = slots.take(one.slot).unwrap();
        assert!(slots.holds(one.slot, &running.output) && !slots.holds(two.slot, &running.output));
        slots.vacate(two.slot).unwrap();
        assert_eq!(slots.running(), Some(one.slot));
        slots.vacate(one.slot).unwrap();
        assert_eq!(slots.running(), None);
    }
}
