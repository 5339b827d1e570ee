//! When descriptors or threads run out, sessions wait and nothing is lost.

use crate::runtime_fork::processor_time;
use crate::runtime_support::blocking::Pipe;
use crate::runtime_support::{BOUND, Filter, Session, eventually, let_a_timeout_pass};
use c_tests::Linkage;
use c_tests::differences::assert_ours;
use milter_mta::Client;
use rustix::process::Signal;
use std::time::Instant;

#[test]
fn connections_wait_while_there_are_no_descriptors() {
    // What the library has of its own grows with the loops, of which there are sixteen at most.
    let loops = std::thread::available_parallelism().unwrap().get().min(16);
    let filter = Filter::start(&[&format!("nofile={}", 42 + 3 * loops)]);
    let mut served: Vec<Session> = Vec::new();
    // The first that is not answered is in the backlog, and so are all after it.
    let mut waiting: Vec<Client> = (0..60).map(|_| filter.connect()).collect();
    for client in &mut waiting {
        client.queue_optneg(6, 0x1ff, 0x1f_ffff);
        client.queue_strings(b'H', &["me"]);
        client.flush().unwrap();
    }
    eventually("the log tells", || !filter.log().is_empty());
    let start = Instant::now();
    let before = processor_time(filter.milter.pid());
    let_a_timeout_pass();
    let used = processor_time(filter.milter.pid()) - before;
    assert!(used < start.elapsed() / 2, "{used:?} of {:?} spent with waiting", start.elapsed());
    assert_ours("D31", filter.log().len(), 1);
    assert!(filter.log()[0].contains("Too many open files"), "{:?}", filter.log());
    // Whoever has been accepted is served; each end lets another one in.
    let mut answered = 0;
    for client in waiting {
        let mut session = Session { client };
        assert_eq!(session.reply(), 'O');
        assert_eq!(session.reply(), 'c');
        answered += 1;
        served.push(session);
        if served.len() == 10 {
            served.drain(..).for_each(Session::quit);
        }
    }
    assert_eq!(answered, 60);
    drop(served);
    filter.stop();
}

/// A user that has no other processes, so that a limit on processes counts only ours.
const USER: &str = "user=54321";

/// Options under which the limit on processes works: it does not bind root.
fn unprivileged<'a>(options: &[&'a str]) -> Vec<&'a str> {
    let mut all = options.to_vec();
    if rustix::process::geteuid().is_root() {
        all.push(USER);
    }
    all
}

const NO_THREAD: &str = "can't start one more thread";

fn says_no_thread(filter: &Filter) -> bool {
    filter.log().iter().any(|line| line.contains(NO_THREAD))
}

/// Blocks so many callbacks that no thread is left for anybody else.
fn block_all(filter: &Filter, count: usize) -> (Pipe, Vec<Session>) {
    let pipe = filter.pipe();
    let mut sessions: Vec<Session> = (0..count).map(|n| filter.session(&format!("b{n}"))).collect();
    filter.session("limits").task("helo", "nproc 0");
    for session in &mut sessions {
        session.send(b'H', &[&format!("helo {}", pipe.block())]);
    }
    eventually("the log tells", || says_no_thread(filter));
    (pipe, sessions)
}

#[test]
fn sessions_wait_while_there_are_no_threads() {
    let filter = Filter::start(&unprivileged(&[]));
    // Accepted and known to the filter before threads run out, or not yet.
    let mut early: Vec<Session> = (0..8).map(|n| filter.session(&format!("early{n}"))).collect();
    let (pipe, mut blocked) = block_all(&filter, 24);
    for session in &mut early {
        session.send(b'H', &["me"]);
    }
    let mut late: Vec<Client> = (0..8).map(|_| filter.connect()).collect();
    for client in &mut late {
        client.queue_optneg(6, 0x1ff, 0x1f_ffff);
        client.flush().unwrap();
    }
    pipe.release();
    for session in blocked.iter_mut().chain(&mut early) {
        assert_eq!(session.reply(), 'c');
        session.mail();
        session.rest();
    }
    for client in &mut late {
        assert_eq!(client.read_owned(BOUND).unwrap().letter, b'O');
    }
    let (_, log) = filter.stop();
    assert_eq!(log.iter().filter(|line| line.contains(NO_THREAD)).count(), 1, "{log:?}");
}

/// Threads can be had again, although no callback has returned.
#[test]
fn a_shortage_of_threads_that_passes_is_made_up_for() {
    let filter = Filter::start(&unprivileged(&[]));
    let mut early: Vec<Session> = (0..8).map(|n| filter.session(&format!("early{n}"))).collect();
    let (pipe, blocked) = block_all(&filter, 24);
    filter.signal(Signal::USR2);
    for session in &mut early {
        assert_eq!(session.ask(b'H', &["me"]), 'c');
    }
    for n in 0..4 {
        let session = filter.session(&format!("late{n}"));
        session.deliver();
    }
    filter.wait_until_blocked("b", 24);
    pipe.release_all(blocked);
    filter.stop();
}

#[test]
fn smfi_main_fails_if_it_gets_no_thread_at_all() {
    let filter = Filter::start(&unprivileged(&["nproc=1"]));
    let (result, after) = filter.returned(1);
    assert_eq!(result, "-1");
    assert_eq!((after.threads, after.stop_signals_blocked), (1, false));
    let left = after.added_to(&filter.start_state());
    assert!(left.len() <= 1, "the listener is closed, what wakes smfi_main may stay: {left:?}");
    let (_, log) = filter.end();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("signal thread"), "{log:?}");
}

/// A filter whose administrator allows so many threads for callbacks.
fn with_limit(threads: &str) -> Filter {
    let mut command = Linkage::OursDynamic.command(&crate::runtime_support::program()).unwrap();
    command.env("LIBMILTER_MAX_THREADS", threads);
    let filter = Filter::launch_command(command, "unix:{dir}/socket", &[]);
    filter.wait_for("ready ");
    filter
}

#[test]
fn the_limit_an_administrator_sets_makes_sessions_wait() {
    let filter = with_limit("20");
    let pipe = filter.pipe();
    let mut sessions: Vec<Session> = (0..40).map(|n| filter.session(&format!("s{n}"))).collect();
    for session in &mut sessions {
        session.send(b'H', &[&format!("helo {}", pipe.block())]);
    }
    // Main, signals, and the limit; that those are the last is seen at the end.
    eventually("all threads are in use", || filter.threads() == 22);
    pipe.release();
    for session in &mut sessions {
        assert_eq!(session.reply(), 'c');
    }
    assert_eq!(filter.threads(), 22);
    drop(sessions);
    filter.stop();
}

#[test]
fn a_limit_as_small_as_it_gets() {
    let filter = with_limit("1");
    for round in 0..3 {
        let pipe = filter.pipe();
        let name = |n: usize| format!("s{round}.{n}");
        let mut sessions: Vec<Session> = (0..20).map(|n| filter.session(&name(n))).collect();
        for session in &mut sessions {
            session.task("eom", &pipe.block());
            session.mail();
        }
        // From here on the only thread may be blocked.
        for session in &mut sessions {
            session.send(b'E', &[]);
        }
        filter.wait_until("a blocked callback", |lines| {
            lines.iter().any(|line| line.starts_with(&format!("s{round}.")))
        });
        pipe.release();
        for mut session in sessions {
            assert_eq!(session.reply(), 'c');
            session.quit();
        }
    }
    filter.stop();
}
