//! Stopping: by signal, by smfi_stop from anywhere, with sessions in every condition.

use super::runtime_support::{BOUND, Filter, eventually, let_a_timeout_pass};
use c_tests::Linkage;
use c_tests::differences::assert_ours;
use rustix::process::Signal;
use std::time::Duration;

const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::HUP, Signal::INT];

#[test]
fn an_idle_filter_stops_and_leaves_nothing_behind() {
    for signal in SIGNALS {
        let filter = Filter::start(&[]);
        let before = filter.ready();
        assert_eq!(before.threads, 1);
        let mut idle = filter.session("idle");
        let mut done = filter.session("done");
        done.mail();
        done.rest();
        filter.signal(signal);
        let (result, after) = filter.returned(1);
        assert_eq!(result, "0", "{signal:?}");
        idle.closed();
        done.closed();
        let (events, log) = filter.end();
        for name in ["idle", "done"] {
            let closed: Vec<_> = events.iter().filter(|e| e.starts_with(name)).collect();
            assert_eq!(closed.len(), 1, "{signal:?}: {events:?}");
            assert!(closed[0].starts_with(&format!("{name} closed after ")), "{closed:?}");
        }
        assert_eq!(log, [""; 0]);
        assert_ours("D39", after.threads, 1);
        assert_ours("D41", after.stop_signals_blocked, false);
        // The listener is closed; what wakes smfi_main may stay, for signal handlers.
        assert!(after.fds.len() <= before.fds.len(), "{before:?} {after:?}");
    }
}

#[test]
fn a_message_in_hand_is_finished_before_the_end() {
    for signal in [Signal::TERM, Signal::HUP] {
        let filter = Filter::start(&[]);
        let mut busy = filter.session("busy");
        busy.mail();
        let mut idle = filter.session("idle");
        filter.signal(signal);
        // Idle sessions are closed at once; so the stop has begun.
        filter.wait_for("idle closed");
        idle.closed();
        busy.rest();
        busy.closed();
        assert_eq!(filter.returned(1).0, "0");
        let (events, _) = filter.end();
        let seen: Vec<_> = events.iter().filter(|e| e.starts_with("busy")).collect();
        assert_ours("D38", seen.len(), 1);
        assert!(seen[0].starts_with("busy closed"), "no abort: {seen:?}");
    }
}

#[test]
fn no_connection_is_accepted_while_messages_are_finished() {
    let filter = Filter::start(&[]);
    let mut busy = filter.session("busy");
    let mut idle = filter.session("idle");
    busy.mail();
    filter.signal(Signal::TERM);
    idle.closed();
    eventually("the socket is closed", || {
        milter_mta::Client::connect(&filter.spec, BOUND).is_err()
    });
    busy.rest();
    busy.closed();
    filter.returned(1);
    filter.end();
}

/// The session "busy" has had its abort and its close callback, and no other.
fn was_broken_off(events: &[String]) {
    let seen: Vec<_> = events.iter().filter(|e| e.starts_with("busy")).collect();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(seen[0], "busy abort");
    assert!(seen[1].starts_with("busy closed"), "{seen:?}");
}

#[test]
fn a_message_that_is_not_finished_in_time_is_aborted() {
    let filter = Filter::start(&[]);
    let mut busy = filter.session("busy");
    busy.mail();
    filter.signal(Signal::TERM);
    // The peer does nothing any more; the grace period ends by itself.
    busy.closed();
    assert_eq!(filter.returned(1).0, "0");
    let (events, log) = filter.end();
    was_broken_off(&events);
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("1 sessions are still open"), "{log:?}");
}

/// Callbacks have their time even if there is none left of what a stop may take.
#[test]
fn a_message_is_aborted_though_the_process_was_stopped_meanwhile() {
    let filter = Filter::start_env(&[("LIBMILTER_STOP_SECONDS", "8")], &[]);
    let mut busy = filter.session("busy");
    let mut idle = filter.session("idle");
    busy.mail();
    filter.signal(Signal::TERM);
    // The stop has begun.
    idle.closed();
    filter.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(10));
    filter.signal(Signal::CONT);
    busy.closed();
    assert_eq!(filter.returned(1).0, "0");
    was_broken_off(&filter.end().0);
}

#[test]
fn int_breaks_messages_off_at_once_also_after_term() {
    for signals in [&[Signal::INT][..], &[Signal::TERM, Signal::INT]] {
        let filter = Filter::start(&[]);
        let mut busy = filter.session("busy");
        busy.mail();
        let mut idle = filter.session("idle");
        for signal in signals {
            filter.signal(*signal);
            if *signal == Signal::TERM {
                filter.wait_for("idle closed");
            }
        }
        busy.closed();
        idle.closed();
        assert_eq!(filter.returned(1).0, "0");
        let (events, _) = filter.end();
        let seen: Vec<_> = events.iter().filter(|e| e.starts_with("busy")).collect();
        assert_ours("D40", (seen[0].as_str(), seen.len()), ("busy abort", 2));
    }
}

#[test]
fn smfi_stop_from_a_callback_a_thread_and_a_signal_handler() {
    for how in ["stop", "stop-thread", "signal"] {
        let filter = Filter::start(&[]);
        let mut session = filter.session("s");
        session.mail();
        if how == "signal" {
            filter.signal(Signal::USR1);
        } else {
            // The callback's own session is in the middle of a message, which goes on.
            session.send(b'U', &["X"]);
            assert_eq!(session.reply(), 'c');
            let mut other = filter.session("other");
            other.send(b'H', &[&format!("helo {how}")]);
            // smfi_stop does not hold the callback up until the filter has stopped.
            assert_ours("D37", other.reply(), 'c');
            other.closed();
        }
        session.rest();
        session.closed();
        assert_eq!(filter.returned(1).0, "0", "{how}");
        filter.end();
    }
}

#[test]
fn smfi_stop_before_smfi_main() {
    for linkage in [Linkage::OursDynamic, Linkage::ReferenceDynamic] {
        let filter = Filter::start_with(linkage, &["early=1", "unopened=1"]);
        assert_eq!(filter.returned(1).0, "0", "{linkage:?}");
        filter.end();
    }
    // The reference calls its own closed listener corrupted if it was opened before.
    let filter = Filter::start(&["early=1"]);
    assert_eq!(filter.returned(1).0, "0");
    filter.end();
}

#[test]
fn smfi_main_serves_again() {
    let filter = Filter::start(&["runs=3"]);
    let mut fds = Vec::new();
    for run in 1..=3 {
        filter.wait_for_nth("ready ", run);
        let name = format!("run{run}");
        let mut session = filter.session(&name);
        session.mail();
        session.rest();
        filter.signal(Signal::TERM);
        session.closed();
        let (result, after) = filter.returned(run);
        assert_ours("D50", result.as_str(), "0");
        assert_eq!(after.threads, 1);
        fds.push(after.fds);
    }
    assert_eq!(fds[0], fds[1]);
    assert_eq!(fds[1], fds[2]);
    let (events, _) = filter.end();
    for run in 1..=3 {
        let closed = format!("run{run} closed");
        assert_eq!(events.iter().filter(|e| e.starts_with(&closed)).count(), 1);
    }
}

#[test]
fn a_slow_close_of_many_sessions_is_waited_for() {
    let filter = Filter::start(&[]);
    let barrier = "close barrier 40";
    let mut sessions: Vec<_> = (0..40)
        .map(|n| {
            let mut session = filter.session(&format!("s{n}"));
            assert_eq!(session.ask(b'H', &[barrier]), 'c');
            session
        })
        .collect();
    filter.signal(Signal::TERM);
    // Each close callback waits for all others, so they must run at the same time.
    for session in &mut sessions {
        session.closed();
    }
    assert_eq!(filter.returned(1).0, "0");
    let (events, log) = filter.end();
    assert_eq!(events.iter().filter(|e| e.contains(" closed after ")).count(), 40);
    assert_eq!(log, [""; 0]);
}

/// A command that has arrived before a stop closes the session is answered, and a message that it
/// begins is finished.
#[test]
fn a_command_that_has_arrived_is_answered_after_a_stop() {
    let filter = Filter::start(&[]);
    let mut session = filter.session("s");
    session.task("envfrom", "stop-return 4");
    // The second comes with the first: it is there before anybody can close anything.
    for sender in ["<a>", "<b>"] {
        session.client.queue_strings(b'M', &[sender]);
    }
    session.client.flush().unwrap();
    assert_eq!(session.reply(), 't');
    assert_ours("D38", session.reply(), 't');
    session.closed();
    assert_eq!(filter.returned(1).0, "0");
    let (events, log) = filter.end();
    assert_eq!((events.iter().filter(|e| e.starts_with("s closed")).count(), log.len()), (1, 0));
}

/// Also if the filter was busy when it came, and for a session that has been idle.
#[test]
fn a_command_that_has_arrived_begins_a_message_that_is_finished() {
    if module_path!().contains("::runtime_own_threads::") {
        // With one thread the second session would wait for the first one's.
        return;
    }
    let filter = Filter::start_env(&[("LIBMILTER_MAX_THREADS", "1")], &[]);
    let pipe = filter.pipe();
    let mut blocker = filter.session("blocker");
    let mut session = filter.session("s");
    blocker.task("envfrom", &pipe.block());
    blocker.send(b'M', &["<a>"]);
    filter.wait_for("blocker blocked");
    filter.signal(Signal::TERM);
    eventually("the socket is closed", || {
        milter_mta::Client::connect(&filter.spec, BOUND).is_err()
    });
    // By now it would be closed as one that has nothing to say.
    let_a_timeout_pass();
    session.send(b'M', &["<b>"]);
    pipe.release();
    assert_eq!(session.reply(), 'c');
    assert_eq!(session.ask(b'R', &["<c>"]), 'c');
    session.rest();
    session.closed();
    assert_eq!(blocker.reply(), 'c');
    drop(blocker);
    assert_eq!(filter.returned(1).0, "0");
    filter.end();
}

/// From then on nobody reads what comes.
#[test]
fn a_command_that_comes_during_the_close_callback_is_not_answered() {
    let filter = Filter::start(&["trace=1"]);
    let pipe = filter.pipe();
    let mut session = filter.session("s");
    session.task("close", &pipe.block());
    filter.signal(Signal::TERM);
    filter.wait_for("s blocked");
    session.send(b'M', &["<a>"]);
    pipe.release();
    session.closed();
    assert_eq!(filter.returned(1).0, "0");
    let (events, log) = filter.end();
    let count = |event| events.iter().filter(|e| *e == event).count();
    assert_ours("D38", (count("s envfrom"), log.len()), (0, 0));
    assert_eq!(count("s released"), 1, "{events:?}");
}
