use super::*;
use crate::proto::negotiate::FilterTraits;
use crate::runtime::log::Log;
use crate::runtime::output::OutputSettings;
use crate::session::Session;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

fn slots() -> Slots {
    let limit = Some(Duration::from_secs(10));
    Slots::new(Limits { idle: limit, packet: limit, first: None })
}

fn connection(number: u64, now: Time) -> Box<Connection> {
    let (socket, _peer) = UnixStream::pair().unwrap();
    let log = Arc::new(Log::new(b"test"));
    let settings = Arc::new(OutputSettings { log, debug: 0, limit: None });
    let output = Arc::new(SocketOutput::new(socket.into(), number, settings));
    let max = Arc::new(AtomicUsize::new(65535));
    let session =
        Session::new(FilterTraits::default(), Arc::<SocketOutput>::clone(&output), max, false);
    Box::new(Connection::new(session, output, now))
}

/// Ten seconds after a time, when the sessions of these tests expire.
fn limit(now: Time) -> Time {
    now.after(Duration::from_secs(10)).unwrap()
}

#[test]
fn a_session_that_was_let_go_of_before_it_has_arrived_keeps_its_new_slot() {
    let (mut slots, now) = (slots(), Time::now());
    let first = slots.enter(connection(1, now)).unwrap();
    // It can be read already, is taken for its turn, and let go of; another one gets its slot.
    let one = slots.take(first.slot).unwrap();
    slots.vacate(first.slot).unwrap();
    let other = slots.enter(connection(2, now)).unwrap();
    assert_eq!(other.slot, first.slot);
    let again = slots.enter(one).unwrap();
    assert_eq!(slots.arrive(first, true).unwrap(), None);
    // Neither is taken for arrived by this: a stop does not end them yet.
    assert!(slots.note(Phase::Abort) && slots.due(now).is_none());
    for (ticket, number) in [(again, 1), (other, 2)] {
        let back = slots.arrive(ticket, true).unwrap_err();
        assert_eq!(back.output.session, number);
    }
}

#[test]
fn a_stop_ends_those_that_have_arrived_and_gives_back_those_that_arrive() {
    let (mut slots, now) = (slots(), Time::now());
    let here = slots.enter(connection(1, now)).unwrap();
    assert_eq!(slots.arrive(here, true).unwrap(), Some(limit(now)));
    let coming = slots.enter(connection(2, now)).unwrap();
    assert!(slots.note(Phase::Drain) && !slots.note(Phase::Drain));
    assert_eq!(slots.due(now), Some((here.slot, Job::End)));
    assert_eq!(slots.due(now), None);
    assert_eq!(slots.arrive(coming, true).unwrap_err().output.session, 2);
}

#[test]
fn what_cannot_be_watched_is_given_back() {
    let (mut slots, now) = (slots(), Time::now());
    let ticket = slots.enter(connection(1, now)).unwrap();
    assert_eq!(slots.arrive(ticket, false).unwrap_err().output.session, 1);
    slots.vacate(ticket.slot).unwrap();
    assert_eq!(slots.first_deadline(), None);
}

#[test]
fn a_deadline_is_set_once_and_found_when_it_comes() {
    let (mut slots, now) = (slots(), Time::now());
    let ticket = slots.enter(connection(1, now)).unwrap();
    let connection = slots.take(ticket.slot).unwrap();
    assert_eq!(slots.running(), Some(ticket.slot));
    // It had its turn before it has arrived: whoever comes second finds the deadline set.
    assert_eq!(slots.put_back(connection), Some(ticket.slot));
    assert_eq!(slots.time(ticket.slot), Some(limit(now)));
    assert_eq!(slots.arrive(ticket, true).unwrap(), None);
    assert_eq!(slots.due(now), None);
    assert_eq!(slots.due(limit(now)), Some((ticket.slot, Job::Expired)));
}

#[test]
fn a_slot_that_is_vacated_leaves_the_turn_of_another_alone() {
    let (mut slots, now) = (slots(), Time::now());
    let [one, two] = [1, 2].map(|n| slots.enter(connection(n, now)).unwrap());
    let running = slots.take(one.slot).unwrap();
    assert_eq!(slots.running_as(&running.output), Some(one.slot));
    slots.vacate(two.slot).unwrap();
    assert_eq!(slots.running(), Some(one.slot));
    slots.vacate(one.slot).unwrap();
    assert_eq!(slots.running(), None);
    assert_eq!(slots.running_as(&running.output), None);
    // Nor is a session put back into the slot of another.
    let three = slots.enter(connection(3, now)).unwrap();
    let other = slots.take(three.slot).unwrap();
    assert_eq!(slots.running_as(&running.output), None);
    assert_eq!(slots.put_back(other), Some(three.slot));
}

/// Each session that waits has one, and places of those that are gone are kept.
#[cfg(target_pointer_width = "64")]
#[test]
fn a_slot_is_small() {
    assert_eq!(size_of::<Option<Slot>>(), 24);
}

#[test]
fn what_is_told_of_the_one_before_is_not_told_to_the_next_in_its_slot() {
    let (mut slots, now) = (slots(), Time::now());
    let one = slots.enter(connection(1, now)).unwrap();
    slots.vacate(one.slot).unwrap();
    let two = slots.enter(connection(2, now)).unwrap();
    assert_eq!(one.slot, two.slot);
    assert!(slots.take_ready(one.watched_as()).is_none());
    assert_eq!(slots.running(), None);
    let session = slots.take_ready(two.watched_as()).unwrap().output.session;
    assert_eq!((session, slots.running_as_watched()), (2, Some(two.watched_as())));
}
