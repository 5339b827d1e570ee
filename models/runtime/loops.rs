//! A loop, its owner, and those who bring sessions, take the loop away or park it.

use super::connection::Connection;
use super::errand::{Due, Refused};
use super::event_loop::{EventLoop, FIRST_SLOT_KEY};
use super::lifecycle::Phase;
use super::options::Limits;
use crate::sys::clock::Time;
use crate::sys::poller::{Events, Timeout};
use crate::sys::sync::{AtomicU8, AtomicUsize, Ordering};
use loom::thread;
use std::sync::Arc;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("a session that is brought is watched", a_session_that_is_brought_is_watched),
    (
        "a session that waits for room is served again",
        a_session_that_waits_for_room_is_served_again,
    ),
    ("what one turn leaves the next receives", what_one_turn_leaves_the_next_receives),
    ("who takes a loop over serves what is left", who_takes_over_serves_what_is_left),
    ("a session whose loop was taken away is in one place", a_session_is_in_one_place),
    ("a stop reaches a session that is just brought", a_stop_reaches_all),
    ("no session is left in a loop that is parked", no_session_is_left_in_a_parked_loop),
];

struct House {
    event_loop: EventLoop,
    phase: AtomicU8,
    /// Turns in which something was received.
    served: AtomicUsize,
    ended: AtomicUsize,
}

fn house() -> Arc<House> {
    let event_loop = EventLoop::new(Limits::default()).unwrap();
    assert!(event_loop.sessions() == 0 && !event_loop.owner.is_present());
    Arc::new(House {
        event_loop,
        phase: AtomicU8::default(),
        served: AtomicUsize::default(),
        ended: AtomicUsize::default(),
    })
}

impl House {
    fn phase(&self) -> Phase {
        if self.phase.load(Ordering::SeqCst) == 0 { Phase::Serve } else { Phase::Abort }
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }

    /// As the owner of the loop, until `until` says so or the loop was taken away.
    fn drive(&self, until: impl Fn(&House, Phase) -> bool) {
        let this = &self.event_loop;
        let mut events = Events::default();
        this.owner.enter();
        loop {
            let phase = self.phase();
            while let Due::Session(slot, _) = this.due(phase, Time::now()) {
                let Some(connection) = this.take(slot) else { continue };
                this.remove(&connection.output);
                self.ended.fetch_add(1, Ordering::Relaxed);
            }
            if until(self, phase) {
                return;
            }
            let mut next = this.batch.next();
            if next.is_none() {
                this.wait(&mut events, &Timeout::NONE).unwrap();
                next = this.batch.fill(&events);
            }
            while let Some(ready) = next {
                match ready.key().checked_sub(FIRST_SLOT_KEY) {
                    None => this.owner.woken(),
                    Some(watched) if self.serve(watched) => {}
                    Some(_) => return,
                }
                next = this.batch.next();
            }
        }
    }

    /// A turn, and those of the sessions that are next; `false` if the loop was taken away meanwhile.
    fn serve(&self, watched: u64) -> bool {
        let this = &self.event_loop;
        let mut taken = this.take_ready(watched);
        while let Some(connection) = taken {
            let was_full = connection.output.is_full();
            let turn = this.turn.begin();
            if connection.turn() {
                self.served.fetch_add(1, Ordering::Relaxed);
            }
            if !this.turn.end(turn) {
                this.remove(&connection.output);
                self.bring(connection, false);
                return false;
            }
            let more = connection.output.socket.has_more();
            if was_full || more || connection.output.is_full() {
                assert!(this.watch(&connection, more));
                this.put_back(connection);
                return true;
            }
            let Some(next) = this.batch.next_from(FIRST_SLOT_KEY) else {
                this.put_back(connection);
                return true;
            };
            taken = this.exchange(connection, next.key() - FIRST_SLOT_KEY);
        }
        true
    }

    fn bring(&self, connection: Box<Connection>, own: bool) {
        if self.event_loop.insert(connection, own).is_err() {
            self.ended.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As the supervisor: takes the loop away from an owner that is in its turn.
    fn take_away(&self) -> bool {
        let (turn, in_turn) = self.event_loop.turn.look();
        let taken = in_turn && self.event_loop.turn.end(turn);
        if taken {
            self.event_loop.let_go(|_| {});
        }
        taken
    }
}

/// What has arrived before, or arrives meanwhile, is received; `loom` tells of an owner that waits for ever.
fn a_session_that_is_brought_is_watched() {
    let house = house();
    let brings = Arc::clone(&house);
    let brings = thread::spawn(move || {
        let connection = Connection::new(1);
        let output = Arc::clone(&connection.output);
        brings.bring(connection, false);
        output.socket.arrive();
    });
    house.drive(|house, _| house.served() == 1);
    brings.join().unwrap();
    assert_eq!(house.event_loop.sessions(), 1);
}

/// Its MTA sends no more before it has read the reply.
fn a_session_that_waits_for_room_is_served_again() {
    let house = house();
    let connection = Connection::new(1);
    let output = Arc::clone(&connection.output);
    output.socket.fill();
    output.socket.arrive();
    house.bring(connection, true);
    let reads = Arc::clone(&output);
    let reads = thread::spawn(move || reads.socket.make_room());
    house.drive(|house, _| house.served() == 1 && !output.is_full());
    reads.join().unwrap();
    let sends = Arc::clone(&output);
    let sends = thread::spawn(move || sends.socket.arrive());
    house.drive(|house, _| house.served() == 2);
    sends.join().unwrap();
    assert_eq!(house.event_loop.sessions(), 1);
}

/// One turn does not receive all of it, and nothing arrives after it.
fn what_one_turn_leaves_the_next_receives() {
    let house = house();
    let connection = Connection::new(1);
    let output = Arc::clone(&connection.output);
    output.socket.is_much();
    house.bring(connection, true);
    let sends = thread::spawn(move || output.socket.arrive());
    house.drive(|house, _| house.served() == 2);
    sends.join().unwrap();
    assert_eq!(house.event_loop.sessions(), 1);
}

fn who_takes_over_serves_what_is_left() {
    let house = house();
    for number in [1, 2] {
        let connection = Connection::new(number);
        connection.output.socket.arrive();
        house.bring(connection, true);
    }
    let all = |house: &House, _| house.served() == 2;
    let first = Arc::clone(&house);
    let first = thread::spawn(move || first.drive(all));
    if house.take_away() {
        // The first may be in the middle of its turn yet.
        house.drive(|house, _| house.served() > 0);
    }
    first.join().unwrap();
    if house.served() < 2 {
        house.drive(all);
    }
    assert_eq!(house.event_loop.sessions(), 2, "each session is in the loop again");
}

/// Who has taken a loop over finds the session there once the thread that had it has put it back, and what
/// arrives after that is received.
fn a_session_is_in_one_place() {
    let house = house();
    let connection = Connection::new(1);
    let output = Arc::clone(&connection.output);
    output.socket.arrive();
    house.bring(connection, true);
    let first = Arc::clone(&house);
    let first = thread::spawn(move || {
        first.drive(|house, _| house.served() == 1);
        output.socket.arrive();
    });
    let taken = house.take_away();
    // It may get the place of the first one.
    house.bring(Connection::new(2), taken);
    let again = || house.drive(|house, _| house.served() == 2);
    if taken {
        again();
        first.join().unwrap();
    } else {
        first.join().unwrap();
        again();
    }
    assert_eq!(house.event_loop.sessions(), 2);
}

fn a_stop_reaches_all() {
    let house = house();
    let brings = Arc::clone(&house);
    let brings = thread::spawn(move || brings.bring(Connection::new(1), false));
    let stops = Arc::clone(&house);
    let stops = thread::spawn(move || {
        stops.phase.store(1, Ordering::SeqCst);
        stops.event_loop.wake();
    });
    house.drive(|_, phase| phase > Phase::Serve);
    brings.join().unwrap();
    stops.join().unwrap();
    assert_eq!(house.ended.load(Ordering::Relaxed), 1);
    assert_eq!(house.event_loop.sessions(), 0);
}

fn no_session_is_left_in_a_parked_loop() {
    let house = house();
    house.event_loop.promise();
    let brings = Arc::clone(&house);
    let brings = thread::spawn(move || match brings.event_loop.insert(Connection::new(1), false) {
        Ok(()) => false,
        Err(Refused::Parked(_)) => true,
        Err(Refused::ToEnd(_)) => panic!("nothing ends it"),
    });
    house.event_loop.park();
    let evicted = std::iter::from_fn(|| house.event_loop.evict()).count();
    let refused = brings.join().unwrap();
    assert_eq!(evicted + usize::from(refused), 1, "it is to go to another loop");
    assert_eq!(house.event_loop.sessions(), 0);
}
