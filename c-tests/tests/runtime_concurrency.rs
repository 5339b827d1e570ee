//! Callbacks of many sessions at once: none waits for another, none overlaps with its own.

use super::runtime_support::{Filter, Session, eventually};
use c_tests::Linkage;
use std::collections::BTreeMap;

/// As many as a busy MTA has processes.
const MANY: usize = 64;

#[test]
fn many_callbacks_run_at_the_same_time() {
    let filter = Filter::start(&[]);
    for (round, callback) in ["helo", "eom", "close"].into_iter().enumerate() {
        // Every callback waits until all of them are inside, so fewer at a time would never end.
        let name = |n: usize| format!("{callback}{n}");
        let mut sessions: Vec<Session> = (0..MANY).map(|n| filter.session(&name(n))).collect();
        let barrier = format!("barrier {}", MANY * (round + 1));
        for session in &mut sessions {
            session.send(b'H', &[&format!("{callback} {barrier}")]);
        }
        for session in &mut sessions {
            assert_eq!(session.reply(), 'c');
        }
        for session in &mut sessions {
            session.mail();
            session.send(b'E', &[]);
        }
        for session in &mut sessions {
            assert_eq!(session.reply(), 'c');
        }
        assert!(filter.threads() > MANY / 2, "{} threads", filter.threads());
        drop(sessions);
        for n in 0..MANY {
            filter.wait_for(&format!("{} closed", name(n)));
        }
    }
    eventually("spare threads leave", || filter.threads() <= 8);
    filter.stop();
}

#[test]
fn callbacks_that_never_return_hold_up_nobody_else() {
    let filter = Filter::start(&[]);
    let pipe = filter.pipe();
    let mut blocked: Vec<Session> = Vec::new();
    for (n, callback) in ["helo", "envfrom", "header", "body", "eom"].into_iter().enumerate() {
        for copy in 0..3 {
            let mut session = filter.session(&format!("blocked{n}.{copy}"));
            if callback == "helo" {
                session.send(b'H', &[&format!("helo {}", pipe.block())]);
            } else {
                session.task(callback, &pipe.block());
                match callback {
                    "envfrom" => session.send(b'M', &["<a>"]),
                    _ => {
                        session.mail();
                        let letter = match callback {
                            "header" => b'L',
                            "body" => b'B',
                            _ => b'E',
                        };
                        session.send(letter, &["X", "y"]);
                    }
                }
            }
            blocked.push(session);
            // Whoever comes now, and whoever was there before, is served.
            let other = filter.session(&format!("other{n}.{copy}"));
            other.deliver();
        }
    }
    filter.wait_until_blocked("blocked", 15);
    // All of them wait in opening the pipe, so one opening releases all.
    pipe.release_all(blocked);
    filter.stop();
}

/// A callback known to be slow starts on a thread of its own; fast ones go on beside it, in order.
#[test]
fn slow_and_fast_callbacks_side_by_side() {
    let filter = Filter::start(&[]);
    for round in 0..5 {
        let pipe = filter.pipe();
        let mut slow: Vec<Session> = (0..8)
            .map(|n| {
                let mut session = filter.session(&format!("slow{round}.{n}"));
                session.task("eom", &pipe.block());
                session.mail();
                session.send(b'E', &[]);
                session
            })
            .collect();
        let mut fast: Vec<Session> =
            (0..8).map(|n| filter.session(&format!("fast{round}.{n}"))).collect();
        for session in &mut fast {
            session.mail();
            session.rest();
        }
        for session in &mut fast {
            session.mail();
            session.rest();
        }
        filter.wait_until_blocked(&format!("slow{round}."), 8);
        pipe.release();
        for mut session in slow.drain(..) {
            assert_eq!(session.reply(), 'c');
            session.quit();
        }
    }
    filter.stop();
}

/// Each session counts its callbacks without lock or atomic, and notices if two overlap.
fn counted(linkage: Linkage, sessions: usize, messages: usize) -> BTreeMap<String, usize> {
    let filter = Filter::start_with(linkage, &[]);
    let names: Vec<String> = (0..sessions).map(|n| format!("s{n}")).collect();
    let mut open: Vec<Session> = names.iter().map(|name| filter.session(name)).collect();
    for session in &mut open {
        assert_eq!(session.ask(b'H', &["me"]), 'c');
    }
    for _ in 0..messages {
        for session in &mut open {
            // A whole message in one write: its callbacks may run on any threads, in order.
            let client = &mut session.client;
            client.queue_strings(b'M', &["<a>"]);
            for _ in 0..5 {
                client.queue_strings(b'R', &["<b>"]);
            }
            client.queue(b'T', b"");
            for _ in 0..10 {
                client.queue_strings(b'L', &["Name", "value"]);
            }
            client.queue(b'N', b"");
            client.queue(b'B', b"body");
            client.queue(b'E', b"");
            client.flush().unwrap();
        }
        for session in &mut open {
            for _ in 0..20 {
                assert_eq!(session.reply(), 'c');
            }
        }
    }
    for session in open {
        session.quit();
    }
    let counts = names.iter().map(|name| {
        let event = filter.wait_for(&format!("{name} closed after "));
        (name.clone(), event.rsplit(' ').next().unwrap().parse().unwrap())
    });
    let counts = counts.collect();
    filter.stop();
    counts
}

#[test]
fn callbacks_of_one_session_run_one_after_the_other() {
    for linkage in [Linkage::OursDynamic, Linkage::ReferenceDynamic] {
        for (name, count) in counted(linkage, 24, 20) {
            // Connect, HELO, 20 for each message, close.
            assert_eq!(count, 2 + 20 * 20 + 1, "{linkage:?} {name}");
        }
    }
}

#[test]
fn changes_and_progress_of_several_threads_stay_whole() {
    let filter = Filter::start(&[]);
    let mut session = filter.session("s");
    session.task("eom", "changes");
    session.mail();
    session.send(b'E', &[]);
    let mut headers: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    let mut progress = 0;
    let mut body: BTreeMap<u8, usize> = BTreeMap::new();
    loop {
        let packet = session.packet();
        match packet.letter {
            b'h' => {
                let text = String::from_utf8(packet.payload).unwrap();
                let (name, value) = text.trim_end_matches('\0').split_once('\0').unwrap();
                headers.entry(name.as_bytes()[2]).or_default().push(value.to_owned());
            }
            b'p' => progress += 1,
            b'b' => {
                let first = packet.payload[0];
                assert!(packet.payload.iter().all(|b| *b == first), "mixed up body");
                *body.entry(first).or_default() += packet.payload.len();
            }
            b'c' => break,
            other => panic!("unexpected {}", other as char),
        }
    }
    let numbers: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    assert_eq!(headers.keys().collect::<Vec<_>>(), [b"a", b"b", b"c", b"d"].map(|k| &k[0]));
    assert!(headers.values().all(|values| *values == numbers), "each thread's in order");
    assert_eq!(progress, 400);
    assert_eq!(body.values().copied().collect::<Vec<_>>(), [350_000; 4]);
    session.quit();
    filter.stop();
}

#[test]
fn progress_from_a_helper_thread_arrives_while_the_callback_blocks() {
    let filter = Filter::start(&[]);
    let mut session = filter.session("s");
    // The helper sends, then the callback returns; before that it holds nothing back.
    session.task("eom", "progress 50");
    session.mail();
    session.send(b'E', &[]);
    for _ in 0..50 {
        assert_eq!(session.reply(), 'p');
    }
    assert_eq!(session.reply(), 'c');
    session.quit();
    filter.stop();
}

#[test]
fn a_callback_may_use_as_much_stack_as_c_programs_expect() {
    let filter = Filter::start(&[]);
    // On a loop's own thread first; then, known to be slow, on one of the pool.
    for round in 0..3 {
        let mut session = filter.session(&format!("s{round}"));
        session.task("eom", "stack");
        session.mail();
        assert_eq!(session.ask(b'E', &[]), 'c');
        filter.wait_for(&format!("s{round} stack 1"));
        session.quit();
    }
    filter.stop();
}
