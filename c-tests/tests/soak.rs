//! All that can happen to sessions, for as long as asked: `SOAK=600 cargo test -p c-tests -- soak::` for ten
//! minutes. Memory, threads and descriptors of the filter stay as they are once it is warm.

use super::runtime_support::{BOUND, Filter, eventually, eventually_or};
use c_tests::ends::Ends;
use milter_mta::wire::command::Origin;
use milter_mta::{Client, ClientError};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Seconds, unless the variable asks for more.
const SECONDS: u64 = 4;
const VARIABLE: &str = "SOAK";
const CLIENTS: u64 = 6;
/// Sessions after which the filter is warm.
const WARM: usize = 300;
/// KiB that may be added after the warm-up, whatever the time: malloc's pieces settle slowly.
const SLACK: u64 = 4096;

const REPLIES: [(&str, char); 5] = [("0", 'c'), ("1", 'r'), ("2", 'd'), ("3", 'a'), ("4", 't')];

type Outcome = Result<(), ClientError>;

fn ask(client: &mut Client, letter: u8, strings: &[&str]) -> Result<char, ClientError> {
    client.queue_strings(letter, strings);
    client.flush()?;
    Ok(client.read_owned(BOUND)?.letter.into())
}

fn task(client: &mut Client, callback: &str, task: &str) -> Outcome {
    assert_eq!(ask(client, b'H', &[&format!("{callback} {task}")])?, 'c');
    Ok(())
}

/// A message up to the end of its body.
fn message(client: &mut Client, random: &mut fastrand::Rng) -> Outcome {
    client.queue(b'D', b"Mi\0queue-id\0{mail_addr}\0a@example.org\0");
    assert_eq!(ask(client, b'M', &["<a@example.org>"])?, 'c');
    for n in 0..random.usize(1..20) {
        assert_eq!(ask(client, b'R', &[&format!("<{n}@example.net>")])?, 'c');
    }
    assert_eq!(ask(client, b'T', &[])?, 'c');
    for _ in 0..random.usize(1..30) {
        assert_eq!(ask(client, b'L', &["Subject", &"x".repeat(random.usize(..500))])?, 'c');
    }
    assert_eq!(ask(client, b'N', &[])?, 'c');
    for _ in 0..random.usize(..4) {
        client.queue(b'B', &vec![b'x'; random.usize(1..65_535)]);
        client.flush()?;
        assert_eq!(client.read_owned(BOUND)?.letter, b'c');
    }
    Ok(())
}

/// One session of some kind; what kind.
fn session(filter: &Filter, random: &mut fastrand::Rng) -> Result<&'static str, ClientError> {
    let mut client = filter.connect();
    if random.u8(..20) == 0 {
        // Nothing, nonsense, or a length and no packet.
        let starts: [&[u8]; 4] = [b"", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], b"\0\0\x10\0M"];
        let _closed = client.send_raw(starts[random.usize(..starts.len())]);
        return Ok("strangers");
    }
    client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    client.queue_connect("soak", &Origin::Unknown);
    client.flush()?;
    assert_eq!(client.read_owned(BOUND)?.letter, b'O');
    assert_eq!(client.read_owned(BOUND)?.letter, b'c');
    for _ in 0..random.usize(1..3) {
        let (verdict, letter) = REPLIES[random.usize(..REPLIES.len())];
        task(&mut client, "eom", &format!("return {verdict}"))?;
        message(&mut client, random)?;
        assert_eq!(ask(&mut client, b'E', &[])?, letter);
    }
    let kind = match random.u8(..6) {
        0 => {
            message(&mut client, random)?;
            client.queue(b'A', b"");
            "aborted"
        }
        1 => {
            message(&mut client, random)?;
            let _gone = client.send_raw(b"\0\0\0\x20Lhalf of a header");
            return Ok("lost");
        }
        2 => {
            task(&mut client, "eom", "nap 30000")?;
            message(&mut client, random)?;
            assert_eq!(ask(&mut client, b'E', &[])?, 'c');
            "slow"
        }
        3 => {
            task(&mut client, "eom", "changes")?;
            message(&mut client, random)?;
            client.queue(b'E', b"");
            client.flush()?;
            while !b"crdat".contains(&client.read_owned(BOUND)?.letter) {}
            "changed"
        }
        4 => {
            client.queue(b'!', b"");
            client.flush()?;
            return Ok("out of order");
        }
        _ => "plain",
    };
    client.queue(b'Q', b"");
    client.flush()?;
    Ok(kind)
}

/// What the descriptors are of, but for one file of each loop's thread, which comes and goes with the thread:
/// a loop may get its first after the first session has ended, even.
fn descriptors(filter: &Filter) -> Vec<String> {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", filter.milter.pid())).unwrap();
    let target = |entry: std::io::Result<std::fs::DirEntry>| {
        // Closed meanwhile, otherwise.
        Some(std::fs::read_link(entry.ok()?.path()).ok()?.display().to_string())
    };
    let mut all: Vec<String> = entries.filter_map(target).collect();
    all.retain(|target| !(target.starts_with("/proc/") && target.ends_with("/stat")));
    all
}

/// Memory in KiB.
fn memory(filter: &Filter) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", filter.milter.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Filters that come and go beside the one that stays.
fn stops(stop: &AtomicBool, random: &mut fastrand::Rng) {
    while !stop.load(Ordering::Relaxed) {
        let filter = Filter::start(&[]);
        for _ in 0..5 {
            session(&filter, random).unwrap();
        }
        filter.stop();
    }
}

#[test]
fn resources_stay_flat() {
    let seconds = std::env::var(VARIABLE).map_or(SECONDS, |text| text.parse().unwrap());
    let (length, begun) = (Duration::from_secs(seconds), Instant::now());
    let warm = (length / 5).min(Duration::from_secs(60));
    let filter = Filter::start(&[]);
    // Once it serves, it has all of its own.
    filter.session("first").quit();
    filter.wait_for("first closed");
    let before = descriptors(&filter);
    let (stop, sessions) = (AtomicBool::new(false), AtomicUsize::new(0));
    let kinds = Mutex::new(BTreeMap::<&str, usize>::new());
    let mut samples = Vec::new();
    std::thread::scope(|scope| {
        let (filter, stop, sessions, kinds) = (&filter, &stop, &sessions, &kinds);
        let _ends = Ends(stop);
        for seed in 0..CLIENTS {
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                while !stop.load(Ordering::Relaxed) {
                    let kind = session(filter, &mut random);
                    let kind = kind.unwrap_or_else(|e| panic!("{e}: {:#?}", filter.log()));
                    sessions.fetch_add(1, Ordering::Relaxed);
                    *kinds.lock().unwrap().entry(kind).or_default() += 1;
                }
            });
        }
        scope.spawn(move || stops(stop, &mut fastrand::Rng::with_seed(CLIENTS)));
        while begun.elapsed() < length {
            std::thread::sleep(Duration::from_millis(200));
            // On a busy machine, little has happened by then.
            let is_warm = begun.elapsed() > warm && sessions.load(Ordering::Relaxed) > WARM;
            samples.push((is_warm, memory(filter), filter.threads()));
        }
    });
    let peak = |when: bool| {
        let those = samples.iter().filter(|(is_warm, ..)| *is_warm == when);
        those
            .fold((0, 0), |(memory, threads), sample| (memory.max(sample.1), threads.max(sample.2)))
    };
    let (warmed, later) = (peak(false), peak(true));
    let (sessions, kinds) = (sessions.into_inner(), kinds.into_inner().unwrap());
    println!(
        "{seconds} s, {sessions} sessions: {kinds:?}; after {} s {} KiB and {} threads at most, then {} KiB and \
         {} threads",
        warm.as_secs(),
        warmed.0,
        warmed.1,
        later.0,
        later.1
    );
    for kind in ["aborted", "changed", "lost", "out of order", "plain", "slow", "strangers"] {
        assert!(kinds.contains_key(kind), "{kind}: {kinds:?}");
    }
    assert!(later.0 <= warmed.0 + SLACK, "memory grows: {samples:?}");
    eventually_or(
        || format!("descriptors are given back: {before:?}, then {:?}", descriptors(&filter)),
        || descriptors(&filter).len() <= before.len(),
    );
    eventually("threads leave", || filter.threads() <= 8);
    let (events, _) = filter.stop();
    let closed = events.iter().filter(|line| line.starts_with("soak closed")).count();
    let strangers = kinds["strangers"];
    assert_eq!(closed, sessions - strangers, "each session has its close callback, once");
}
