//! A filter closes descriptors of the library, one at a time and all together: in a callback, or on a
//! thread of its own while nothing happens; with their numbers free afterwards, or those of a file.

use super::runtime_fork::processor_time;
use super::runtime_support::{Filter, Session, eventually, program};
use c_tests::Linkage;
use c_tests::differences::assert_ours;
use rustix::process::Signal;
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const AT_ONCE: usize = 12;

/// Where and how descriptors are closed.
#[derive(Debug, Clone, Copy)]
struct Way {
    threads: &'static str,
    in_callback: bool,
    /// A file takes the number.
    replaced: bool,
}

fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for threads in ["pool", "session"] {
        for in_callback in [true, false] {
            for replaced in [true, false] {
                ways.push(Way { threads, in_callback, replaced });
            }
        }
    }
    ways
}

/// Which of the library's descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    One(usize),
    All,
}

/// A filter with a session in the middle of a message, one that is idle, and one that closes descriptors.
struct Scene {
    filter: Filter,
    busy: Session,
    idle: Session,
    closer: Session,
    /// Numbers of the listener and of what threads wait with and are woken by.
    vital: Vec<u32>,
    /// Numbers of the sessions' sockets, in the order of the sessions.
    sockets: Vec<u32>,
}

impl Scene {
    fn new(threads: &str) -> Scene {
        Scene::with(&[("LIBMILTER_THREADS", threads)])
    }

    fn with(variables: &[(&str, &str)]) -> Scene {
        let mut command = Linkage::OursDynamic.command(&program()).unwrap();
        command.envs(variables.iter().copied());
        let filter = Filter::launch_command(command, "unix:{dir}/socket", &["hold=1"]);
        let before: Vec<u32> = filter.ready().fds.iter().filter_map(|fd| fd.parse().ok()).collect();
        let mut sockets = Vec::new();
        // Loops that are passed on open and close descriptors meanwhile, so that a later session may
        // have a lower number.
        let mut session = |name| {
            let session = filter.session(name);
            let new: Vec<u32> = descriptors(&filter)
                .into_iter()
                .filter(|(fd, what)| what.starts_with("socket:") && !before.contains(fd))
                .map(|(fd, _)| fd)
                .filter(|fd| !sockets.contains(fd))
                .collect();
            assert_eq!(new.len(), 1, "{:?}", descriptors(&filter));
            sockets.extend(new);
            session
        };
        let (mut busy, idle, closer) = (session("busy"), session("idle"), session("closer"));
        busy.mail();
        let start = filter.start_state();
        let ours = |fd: &u32| {
            !start.fds.contains(&format!("{fd}!")) && !start.fds.contains(&fd.to_string())
        };
        let vital = descriptors(&filter)
            .into_iter()
            .filter(|(fd, what)| {
                what.starts_with("anon_inode:")
                    || (what.starts_with("socket:") && before.contains(fd))
            })
            .map(|(fd, _)| fd)
            .filter(ours)
            .collect();
        Scene { filter, busy, idle, closer, vital, sockets }
    }

    fn numbers(&self, which: Which) -> Vec<u32> {
        match which {
            Which::One(n) => vec![self.vital[n]],
            Which::All => [&self.vital[..], &self.sockets].concat(),
        }
    }

    /// Has the filter close descriptors, and returns when it has.
    fn close(&mut self, fds: &[u32], way: Way) {
        let list: Vec<String> = fds.iter().map(u32::to_string).collect();
        let file = self.filter.milter.dir().join("file").display().to_string();
        let task = format!("{} {}", list.join(","), if way.replaced { &file } else { "-" });
        if way.in_callback {
            self.closer.send(b'H', &[&format!("helo close {task}")]);
        } else {
            let pipe = self.filter.pipe();
            let block = pipe.block().replace("block ", "");
            self.closer.task("helo", &format!("close-later {block} {task}"));
            pipe.release();
        }
        self.filter.wait_for("closed ");
    }
}

/// The descriptors of a filter, and what is behind them.
fn descriptors(filter: &Filter) -> Vec<(u32, String)> {
    let dir = format!("/proc/{}/fd", filter.milter.pid());
    let entries = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut found: Vec<(u32, String)> = entries
        .filter_map(|name| {
            let what = fs::read_link(format!("{dir}/{}", name.display())).ok()?;
            Some((name.to_str()?.parse().ok()?, what.display().to_string()))
        })
        .collect();
    found.sort();
    found
}

/// Runs a test for every case, several at a time: they wait for most of their time.
fn for_each<T: Copy + Send + std::fmt::Debug>(cases: Vec<T>, test: impl Fn(T) + Sync) {
    let queue = Mutex::new(cases);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().pop() else { break };
                    eprintln!("{case:?}");
                    test(case);
                }
            });
        }
    });
}

fn cases() -> Vec<(Way, Which)> {
    let number = |threads| Scene::new(threads).vital.len();
    let (pool, session) = (number("pool"), number("session"));
    let mut cases = Vec::new();
    for way in ways() {
        let number = if way.threads == "pool" { pool } else { session };
        cases.extend((0..number).map(|n| (way, Which::One(n))));
        cases.push((way, Which::All));
    }
    cases
}

/// The run ends as failed, says why in one line, and sessions end as far as they can be reached.
#[test]
fn the_run_ends_with_one_line_that_says_why() {
    for_each(cases(), |(way, which)| {
        let mut scene = Scene::new(way.threads);
        let fds = scene.numbers(which);
        scene.close(&fds, way);
        let (start, before) = (Instant::now(), processor_time(scene.filter.milter.pid()));
        let (result, after) = scene.filter.returned(1);
        let used = processor_time(scene.filter.milter.pid()) - before;
        assert_ours("D63", result.as_str(), "-1");
        assert!(used < start.elapsed() / 4 + Duration::from_millis(100), "{way:?}: {used:?}");
        // What has the numbers now is neither closed nor written to.
        if way.replaced {
            for number in fds.iter().map(u32::to_string) {
                assert!(after.fds.contains(&number), "{way:?} {which:?} {number}");
            }
            let file = scene.filter.milter.dir().join("file");
            assert_eq!(fs::metadata(file).unwrap().len(), 0, "{way:?} {which:?}");
        }
        let log = scene.filter.log();
        let lines = log.iter().filter(|line| line.contains("the filter has closed a descriptor"));
        assert_eq!(lines.count(), 1, "{way:?} {which:?} {log:?}");
        // Before what the stop says that comes of it.
        let place = |text| log.iter().position(|line| line.contains(text));
        let late = place("still open").is_some_and(|at| place("the filter has closed") > Some(at));
        assert!(!late, "{way:?} {which:?} {log:?}");
        if which != Which::All {
            scene.busy.closed();
            scene.idle.closed();
        }
        // Threads that wait with what was closed under them can't be reached.
        if which != Which::All || way.threads == "pool" {
            let events = scene.filter.events();
            let of = |name: &str| events.iter().filter(|e| e.starts_with(name)).count();
            assert_eq!(of("idle closed"), 1, "{way:?} {which:?} {events:?}");
            assert_eq!(of("busy closed"), 1, "{way:?} {which:?} {events:?}");
            assert_eq!(of("busy abort"), 1, "{way:?} {which:?} {events:?}");
        }
        scene.filter.end();
    });
}

/// TERM that comes before anybody has noticed is not lost.
#[test]
fn a_stop_works_whatever_was_closed() {
    for_each(cases(), |(way, which)| {
        let mut scene = Scene::new(way.threads);
        let fds = scene.numbers(which);
        scene.close(&fds, way);
        scene.filter.signal(Signal::TERM);
        scene.filter.returned(1);
        scene.filter.end();
    });
}

/// Closed before smfi_main, so that the next descriptor of the library has its number.
#[test]
fn a_listener_closed_before_smfi_main_is_noticed() {
    let filter = Filter::launch(Linkage::OursDynamic, "unix:{dir}/socket", &["close=3"]);
    assert_eq!(filter.returned(1).0, "-1");
    let (_, log) = filter.end();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("the listening socket"), "{log:?}");
}

/// The next session gets the number of a socket that the filter has closed, and is not disturbed when the
/// session that had it ends.
#[test]
fn a_session_that_gets_the_number_of_another_has_it_for_itself() {
    let ways = ways().into_iter().filter(|way| !way.replaced).collect();
    for_each(ways, |way| {
        // A thread that takes over a loop may get the number in its place.
        let (mut scene, mut heir) = std::iter::repeat_with(|| {
            // All in one loop, or each with its own thread.
            let threads = if way.threads == "pool" { "1" } else { "100" };
            let variables =
                [("LIBMILTER_THREADS", way.threads), ("LIBMILTER_MAX_THREADS", threads)];
            let mut scene = Scene::with(&variables);
            let idle = scene.sockets[1];
            scene.close(&[idle], way);
            let heir = scene.filter.session("heir");
            let inherits = |(fd, what): &(u32, String)| *fd == idle && what.starts_with("socket:");
            descriptors(&scene.filter).iter().any(inherits).then_some((scene, heir))
        })
        .take(20)
        .flatten()
        .next()
        .unwrap();
        heir.mail();
        // What comes for one is not taken for the other's.
        let _gone = scene.idle.client.send_raw(b"\0\0\0\x01A");
        scene.filter.signal(Signal::TERM);
        scene.filter.wait_for("idle closed");
        heir.rest();
        scene.busy.rest();
        assert_eq!(scene.filter.returned(1).0, "0", "{way:?}");
        let (events, _) = scene.filter.end();
        assert!(!events.iter().any(|event| event == "heir abort"), "{way:?}: {events:?}");
    });
}

/// In its last callback, when all there was to be received has been.
#[test]
fn a_session_that_closes_its_own_socket_at_its_end_costs_no_other() {
    for threads in ["pool", "session"] {
        let mut scene = Scene::new(threads);
        let own = scene.sockets[2];
        scene.closer.task("close", &format!("close {own} -"));
        scene.closer.quit();
        scene.filter.wait_for("closed ");
        scene.filter.session("another").deliver();
        scene.busy.rest();
        scene.busy.quit();
        scene.idle.quit();
        scene.filter.signal(Signal::TERM);
        assert_eq!(scene.filter.returned(1).0, "0", "{threads}");
        let (_, log) = scene.filter.end();
        assert_eq!(log, [""; 0], "{threads}");
    }
}

/// The socket of a session is that session's affair.
#[test]
fn a_session_whose_socket_was_closed_costs_no_other() {
    for_each(ways(), |way| {
        let mut scene = Scene::new(way.threads);
        let idle = scene.sockets[1];
        scene.close(&[idle], way);
        if way.threads == "pool" {
            scene.idle.closed();
        }
        scene.busy.rest();
        scene.filter.session("another").quit();
        scene.filter.signal(Signal::TERM);
        // A thread that waits at a socket keeps it open until it has waited.
        if way.threads == "session" {
            scene.idle.closed();
        }
        let (result, after) = scene.filter.returned(1);
        assert_eq!(result, "0", "{way:?}");
        assert!(!way.replaced || after.fds.contains(&idle.to_string()), "{way:?}");
        eventually("the session's end", || {
            scene.filter.events().iter().any(|event| event.starts_with("idle closed"))
        });
        scene.filter.end();
    });
}
