//! Callbacks of a few microseconds beside callbacks that take for ever, a thousand sessions in bursts.

use crate::runtime_support::{Filter, Session, eventually};

/// Sessions whose end of message blocks until all others are done.
const LONG: usize = 200;
const BURSTS: usize = 4;
/// Sessions of a burst, all open at once.
const SHORT: usize = 200;

/// A line of /proc/PID/status, in KiB.
fn status(filter: &Filter, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", filter.milter.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Two messages in each of many sessions, command by command in turn; the callbacks are short, and
/// the same that are long in other sessions.
fn burst(filter: &Filter, number: usize) {
    let name = |n: usize| format!("short{number}.{n}");
    let mut sessions: Vec<Session> = (0..SHORT).map(|n| filter.session(&name(n))).collect();
    for _ in 0..2 {
        let commands: [(u8, &[&str]); 7] = [
            (b'M', &["<a@example.org>"]),
            (b'R', &["<b@example.net>"]),
            (b'T', &[]),
            (b'L', &["Subject", "x"]),
            (b'N', &[]),
            (b'B', &["x"]),
            (b'E', &[]),
        ];
        for (letter, strings) in commands {
            for session in &mut sessions {
                session.send(letter, strings);
            }
            for session in &mut sessions {
                assert_eq!(session.reply(), 'c', "{}", letter as char);
            }
        }
    }
    for session in sessions {
        session.quit();
    }
}

/// Were a short session to wait for a long one, the test would wait for ever.
#[test]
fn no_short_session_waits_behind_a_long_one() {
    let filter = Filter::start(&[]);
    let virtual_at_start = status(&filter, "VmSize");
    let pipe = filter.pipe();
    burst(&filter, 0);
    let mut long: Vec<Session> = (0..LONG).map(|n| filter.session(&format!("long{n}"))).collect();
    for session in &mut long {
        session.task("eom", &pipe.block());
        session.mail();
        session.send(b'E', &[]);
    }
    for number in 1..=BURSTS {
        // From the second on, the end of message is known to be slow.
        burst(&filter, number);
    }
    filter.wait_until_blocked("long", LONG);
    assert!(filter.threads() > LONG, "each of the long ones has a thread");
    pipe.release();
    for mut session in long {
        assert_eq!(session.reply(), 'c');
        session.quit();
    }
    eventually("spare threads leave", || filter.threads() <= 8);
    // Stacks are given back. What glibc reserves for malloc stays: 64 MiB for each of at most eight
    // arenas a core, mapped but not used.
    let cores = std::thread::available_parallelism().unwrap().get() as u64;
    let arenas = (8 * cores + 2) * (64 << 10);
    let bound = virtual_at_start + arenas + (256 << 10);
    eventually("stacks are given back", || status(&filter, "VmSize") < bound);
    filter.stop();
}
