//! Requests to stop, and sessions that end while a run does.

use super::lifecycle::{Lifecycle, Phase};
use super::log::Log;
use super::stop::{Control, Level};
use crate::sys::sync::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;

pub(super) const MODELS: &[(&str, fn())] = &[
    ("a stop is seen, with what was written before it", a_stop_is_seen),
    ("a request is never lowered", a_request_is_never_lowered),
    ("a process has one run at a time", a_process_has_one_run),
    ("the end of the last session is seen", the_end_of_the_last_session_is_seen),
    ("the first session starts the clock", the_first_session_starts_the_clock),
];

/// Signal handlers have it for ever, so it is never freed.
fn control() -> &'static Control {
    let control: &'static Control = Box::leak(Box::new(Control::new()));
    let mut running = control.claim().unwrap();
    running.prepare().unwrap();
    std::mem::forget(running);
    // Asks for nothing.
    control.request(Level::Run);
    control.waker().unwrap().clear();
    control
}

fn lifecycle(clocked: bool) -> Arc<Lifecycle> {
    let lifecycle = Lifecycle::new(
        control(),
        Arc::new(Log),
        clocked.then_some(std::time::Duration::from_secs(1)),
    );
    lifecycle.begin_session();
    lifecycle.end_session(false);
    assert_eq!(lifecycle.phase(), Phase::Serve);
    lifecycle.control.waker().unwrap().clear();
    Arc::new(lifecycle)
}

fn a_stop_is_seen() {
    let control = control();
    let written = Arc::new(AtomicBool::default());
    let before = Arc::clone(&written);
    let asking = thread::spawn(move || {
        before.store(true, Ordering::Relaxed);
        control.request(Level::Stop);
    });
    while control.level() == Level::Run {
        control.waker().unwrap().wait();
    }
    assert!(written.load(Ordering::Relaxed));
    asking.join().unwrap();
}

fn a_request_is_never_lowered() {
    let control = control();
    let abort = thread::spawn(|| control.request(Level::Abort));
    let stop = thread::spawn(|| control.request(Level::Stop));
    while control.level() < Level::Abort {
        control.waker().unwrap().wait();
    }
    stop.join().unwrap();
    abort.join().unwrap();
    assert_eq!(control.level(), Level::Abort);
}

fn a_process_has_one_run() {
    let control: &'static Control = Box::leak(Box::new(Control::new()));
    drop(control.claim());
    let inside = Arc::new(AtomicBool::default());
    let run = move |inside: Arc<AtomicBool>| {
        if let Some(running) = control.claim() {
            assert!(!inside.swap(true, Ordering::Relaxed), "two runs at once");
            assert!(inside.swap(false, Ordering::Relaxed));
            drop(running);
        }
    };
    let of_other = Arc::clone(&inside);
    let other = thread::spawn(move || run(of_other));
    run(inside);
    other.join().unwrap();
    assert!(control.claim().is_some());
}

fn the_end_of_the_last_session_is_seen() {
    let lifecycle = lifecycle(false);
    lifecycle.begin_session();
    let session = Arc::clone(&lifecycle);
    let session = thread::spawn(move || session.end_session(false));
    lifecycle.enter(Phase::Linger);
    while lifecycle.sessions() > 0 {
        lifecycle.control.waker().unwrap().wait();
    }
    session.join().unwrap();
}

fn the_first_session_starts_the_clock() {
    let lifecycle = lifecycle(true);
    let others = [0, 1].map(|_| {
        let lifecycle = Arc::clone(&lifecycle);
        thread::spawn(move || lifecycle.begin_session())
    });
    // Before it keeps the clock going, the supervisor waits without one.
    while lifecycle.sessions() == 0 {
        lifecycle.control.waker().unwrap().wait();
    }
    let numbers = others.map(|other| other.join().unwrap());
    assert_ne!(numbers[0], numbers[1]);
}
