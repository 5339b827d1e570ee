//! Who owns a loop, and who wakes the supervisor.

use super::turn::{Parked, Turn};
use crate::sys::waker::Waker;
use loom::thread;
use std::sync::Arc;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("a turn is ended once, by its owner or by the supervisor", a_turn_is_ended_once),
    ("the supervisor sleeps through no turn", the_supervisor_sleeps_through_no_turn),
];

fn a_turn_is_ended_once() {
    let turn = Arc::new(Turn::default());
    let of_owner = Arc::clone(&turn);
    let owner = thread::spawn(move || {
        let mut kept = Vec::new();
        for _ in 0..2 {
            let turn = of_owner.begin();
            let mine = of_owner.end(turn);
            kept.push((turn, mine));
            if !mine {
                break;
            }
        }
        kept
    });
    let (seen, in_turn) = turn.look();
    let taken = (in_turn && turn.end(seen)).then_some(seen);
    for (number, mine) in owner.join().unwrap() {
        assert_eq!(mine, taken != Some(number), "a loop has one owner");
    }
    assert!(!turn.look().1);
}

fn the_supervisor_sleeps_through_no_turn() {
    let shared = Arc::new((Turn::default(), Parked::default(), Waker::new().unwrap()));
    let of_owner = Arc::clone(&shared);
    let owner = thread::spawn(move || {
        let (turn, parked, waker) = &*of_owner;
        turn.begin();
        if parked.is_parked() && parked.take() {
            waker.wake();
        }
    });
    let (turn, parked, waker) = &*shared;
    parked.park();
    if !turn.look().1 {
        // `loom` tells of a thread that waits for ever.
        waker.wait();
    }
    parked.unpark();
    assert!(turn.look().1);
    owner.join().unwrap();
}
