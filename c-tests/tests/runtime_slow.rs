//! Callbacks that take long: what is logged of them, what MTAs hear meanwhile, and when it is enough.

use super::runtime_support::{Filter, Session, eventually};
use c_tests::differences::assert_ours;
use rustix::process::Signal;

const WARN: (&str, &str) = ("LIBMILTER_CALLBACK_WARN", "1");
const PROGRESS: (&str, &str) = ("LIBMILTER_PROGRESS", "1");
const LIMIT: (&str, &str) = ("LIBMILTER_CALLBACK_LIMIT", "1");
/// Between the results of calls that fail, that of smfi_setpriv.
const REFUSED: &str = "late -1 -1 -1 -1 -1 0";

/// Lines of the log that have all of these.
fn lines(filter: &Filter, parts: &[&str]) -> Vec<String> {
    let all = filter.log();
    all.into_iter().filter(|line| parts.iter().all(|part| line.contains(part))).collect()
}

/// Packets up to and with a reply that is no progress, in one word.
fn until_reply(session: &mut Session) -> String {
    let mut letters = String::new();
    loop {
        let letter = session.reply();
        letters.push(letter);
        if "actrdy".contains(letter) {
            return letters;
        }
    }
}

/// In a loop at first, then on a thread for slow ones.
#[test]
fn a_slow_callback_is_logged_while_it_runs() {
    let filter = Filter::start_env(&[WARN], &[]);
    let mut session = filter.session("slow");
    for n in 1..3 {
        let pipe = filter.pipe();
        session.task("envfrom", &pipe.block());
        let queue_id = format!("Q{n}");
        session.client.queue_strings(b'D', &["Mi", &queue_id]);
        session.send(b'M', &["<a@example.org>"]);
        let goes_on = ["session 1: xxfi_envfrom has run for ", " s and goes on", &queue_id];
        // Again after twice the time.
        eventually("two lines", || lines(&filter, &goes_on).len() == 2);
        let line = lines(&filter, &goes_on).remove(0);
        let (_, thread) = line.rsplit_once(", thread ").unwrap();
        let task = format!("/proc/{}/task/{thread}", filter.milter.pid());
        assert!(std::path::Path::new(&task).exists(), "{line}");
        filter.session("other").deliver();
        let returned = ["xxfi_envfrom has returned SMFIS_CONTINUE after ", &queue_id, thread];
        assert_eq!(lines(&filter, &returned), [""; 0]);
        pipe.release();
        assert_eq!(session.reply(), 'c');
        assert_eq!(lines(&filter, &returned).len(), 1);
        session.task("envfrom", "return 0");
    }
    let (_, log) = filter.stop();
    assert!(log.iter().all(|line| line.contains("xxfi_envfrom")), "{log:#?}");
}

/// Whole packets, after what the callback had sent before, and before the reply.
#[test]
fn progress_goes_to_the_mta_at_the_end_of_a_message() {
    let filter = Filter::start_env(&[PROGRESS], &[]);
    let (header, eom) = (filter.pipe(), filter.pipe());
    let [mut early, mut late] = ["early", "late"].map(|name| filter.session(name));
    early.task("header", &header.block());
    late.task("eom", &format!("late {}", eom.path()));
    for session in [&mut early, &mut late] {
        session.mail();
    }
    early.send(b'L', &["Name", "value"]);
    late.send(b'E', &[]);
    assert_eq!([late.reply(), late.reply(), late.reply()], ['h', 'p', 'p']);
    eom.release();
    filter.wait_for("late late 0 0 0 0 0 0");
    let rest = until_reply(&mut late);
    assert_ours("D90", rest.trim_start_matches('p'), "hbipa");
    // Not in the middle of a message, where it would be no answer.
    header.release();
    assert_eq!(early.reply(), 'c');
    filter.stop();
}

/// Every command's callback; the session goes on when it has returned.
#[test]
fn the_mta_gets_a_temporary_failure_in_time() {
    let commands: [(&str, u8, &[&str]); 8] = [
        ("envfrom", b'M', &["<a@example.org>"]),
        ("envrcpt", b'R', &["<b@example.org>"]),
        ("data", b'T', &[]),
        ("header", b'L', &["Name", "value"]),
        ("eoh", b'N', &[]),
        ("body", b'B', &["x"]),
        ("eom", b'E', &[]),
        ("unknown", b'U', &["x"]),
    ];
    let filter = Filter::start_env(&[LIMIT], &["trace=1"]);
    let pipe = filter.pipe();
    let mut sessions: Vec<_> = commands
        .iter()
        .map(|(callback, letter, strings)| {
            let mut session = filter.session(callback);
            session.task(callback, &format!("late {}", pipe.path()));
            match *callback {
                "envfrom" => {}
                "envrcpt" => assert_eq!(session.ask(b'M', &["<a@example.org>"]), 'c'),
                _ => session.mail(),
            }
            session.send(*letter, strings);
            session
        })
        .collect();
    for (session, (callback, ..)) in sessions.iter_mut().zip(&commands) {
        let reply = until_reply(session);
        let expected = if *callback == "eom" { "ht" } else { "t" };
        assert_ours("D91", (*callback, reply.as_str()), (*callback, expected));
        let parts = [&format!("xxfi_{callback} has run for "), "a temporary failure"];
        eventually("it is logged", || lines(&filter, &parts).len() == 1);
    }
    for session in &mut sessions {
        // Not before the callback has returned.
        session.send(b'A', &[]);
        session.send(b'M', &["<c@example.org>"]);
    }
    assert!(!filter.events().iter().any(|event| event.contains(" late ")));
    pipe.release();
    for (session, (callback, ..)) in sessions.iter_mut().zip(&commands) {
        filter.wait_for(&format!("{callback} {REFUSED}"));
        // The one that always takes its time is quick now, as the pipe is gone.
        let expected = if *callback == "envfrom" { "pa" } else { "c" };
        assert_eq!(until_reply(session), expected, "{callback}");
        let parts = [&format!("xxfi_{callback} has returned"), ", which does not count"];
        assert_eq!(lines(&filter, &parts).len(), 1, "{callback}");
    }
    for mut session in sessions {
        session.send(b'A', &[]);
        session.quit();
    }
    let (events, _) = filter.stop();
    // A verdict ends a message; a recipient's and an unknown command's is none.
    for (callback, ..) in commands {
        let aborts = events.iter().filter(|e| **e == format!("{callback} abort")).count();
        let goes_on = usize::from(["envrcpt", "unknown"].contains(&callback));
        // The message after it is aborted, unless it was accepted.
        let after = usize::from(callback != "envfrom");
        assert_eq!(aborts, goes_on + after, "{callback}: {events:#?}");
    }
}

/// As when the filter itself sends something.
#[test]
fn an_mta_that_is_gone_is_told_of_once() {
    let filter = Filter::start_env(&[PROGRESS, WARN], &[]);
    let pipe = filter.pipe();
    let mut session = filter.session("gone");
    session.task("eom", &format!("late {}", pipe.path()));
    session.mail();
    session.send(b'E', &[]);
    filter.wait_for("gone blocked");
    drop(session);
    let broken = ["session 1: write to the MTA failed"];
    eventually("it is logged", || lines(&filter, &broken).len() == 1);
    eventually("it goes on", || lines(&filter, &["xxfi_eom has run for "]).len() == 2);
    pipe.release();
    filter.wait_for("gone late -1 -1 -1 -1 0 0");
    filter.wait_for("gone closed");
    let (_, log) = filter.stop();
    assert_eq!(log.iter().filter(|line| line.contains(broken[0])).count(), 1, "{log:#?}");
}

/// The supervisor, which answers in a callback's place, never waits itself.
#[test]
fn an_mta_that_does_not_read_holds_nobody_up() {
    let filter = Filter::start_env(&[WARN, PROGRESS, LIMIT], &[]);
    let mut deaf = filter.session("deaf");
    deaf.task("eom", "body");
    deaf.mail();
    deaf.send(b'E', &[]);
    let goes_on = ["xxfi_eom has run for ", " s and goes on"];
    eventually("it is logged", || !lines(&filter, &goes_on).is_empty());
    let pipe = filter.pipe();
    let mut other = filter.session("other");
    other.task("eom", &pipe.block());
    other.mail();
    other.send(b'E', &[]);
    assert_eq!(until_reply(&mut other), "t");
    pipe.release();
    let read = until_reply(&mut deaf);
    let body = read.trim_end_matches(['c', 't']).replace('p', "");
    assert!(!body.is_empty() && body.chars().all(|letter| letter == 'b'), "{body}");
    filter.stop();
}

#[test]
fn a_late_callback_that_ends_its_thread_ends_its_session() {
    let filter = Filter::start_env(&[LIMIT], &[]);
    let pipe = filter.pipe();
    let mut session = filter.session("s");
    session.task("eom", &pipe.block().replace("block", "block-exit"));
    session.mail();
    assert_eq!(session.ask(b'E', &[]), 't');
    pipe.release();
    session.closed();
    assert_eq!(lines(&filter, &["xxfi_eom has ended its thread after "]).len(), 1);
    filter.stop();
}

/// As with any callback that does not return.
#[test]
fn a_stop_leaves_a_late_callback_behind() {
    let filter = Filter::start_env(&[LIMIT, ("LIBMILTER_STOP_SECONDS", "2")], &[]);
    let pipe = filter.pipe();
    let mut session = filter.session("s");
    session.task("eom", &pipe.block());
    session.mail();
    assert_eq!(session.ask(b'E', &[]), 't');
    filter.signal(Signal::TERM);
    assert_eq!(filter.returned(1).0, "0");
    assert_eq!(lines(&filter, &["xxfi_eom has not returned and is left behind"]).len(), 1);
    pipe.release();
    filter.wait_for("s released");
    filter.end();
}

/// What can't be understood, and what is off.
#[test]
fn nothing_is_done_unless_it_is_asked_for() {
    let variables = [("LIBMILTER_CALLBACK_LIMIT", "soon"), ("LIBMILTER_PROGRESS", "0")];
    let filter = Filter::start_env(&variables, &[]);
    filter.session("s").deliver();
    let (_, log) = filter.stop();
    let refused = |name: &str, value: &str| {
        format!("{name}={value} is not a positive number; no limit is set")
    };
    for (name, value) in variables {
        assert!(log.iter().any(|line| line.contains(&refused(name, value))), "{log:#?}");
    }
    assert_eq!(log.len(), 2, "{log:#?}");
}
