//! LIBMILTER_STATS: the numbers are those of what was played.

use super::runtime_support::{BOUND, Session, eventually, eventually_or};
use super::statistics_support::played::{Bytes, Expected, expect, play};
use super::statistics_support::{Counted, exchange, get, numbers};
use c_tests::output::output_within;
use c_tests::{Packages, start};
use std::path::Path;
use std::process::Stdio;

const CLIENTS: usize = 6;
const ROUNDS: usize = 4;

#[test]
fn numbers_are_those_of_what_was_played() {
    for mode in ["pool", "session"] {
        let counted = Counted::start(&[("LIBMILTER_THREADS", mode)], &[]);
        // Of a session that has been there to see that the filter serves.
        let before = counted.numbers();
        assert_eq!(before["libmilter_sessions_ended_total{reason=\"hung_up\"}"], 1.0);
        let bytes = Bytes::default();
        let mut all = Expected::new();
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut expected = Expected::new();
                        (0..ROUNDS).for_each(|_| play(&counted, &bytes, &mut expected));
                        expected
                    })
                })
                .collect();
            // Whoever looks meanwhile sees numbers that only grow.
            let mut last = before.clone();
            while !clients.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                let now = counted.numbers();
                for (name, value) in &now {
                    let counts = name.contains("_total") || name.contains("_seconds_");
                    assert!(!counts || last[name] <= *value, "{name}");
                }
                last = now;
            }
            for client in clients {
                for (line, more) in client.join().unwrap() {
                    expect(&mut all, line, more);
                }
            }
        });
        eventually("all have ended", || counted.number("libmilter_sessions_open") == 0);
        let [sent, received] = bytes.counts();
        expect(&mut all, "libmilter_received_bytes_total", sent);
        expect(&mut all, "libmilter_sent_bytes_total", received);
        let after = counted.numbers();
        let counts = |name: &str| {
            let kinds = ["_total", "_count", "le=\"+Inf\""];
            kinds.iter().any(|kind| name.contains(kind)) && !name.contains("log_lines")
        };
        for name in after.keys().filter(|name| counts(name)) {
            let more = (after[name] - before[name]) as u64;
            assert_eq!(more, all.get(name).copied().unwrap_or(0), "{mode}: {name}");
        }
        for name in all.keys() {
            assert!(after.contains_key(name), "{mode}: {name}");
        }
        counted.filter.stop();
    }
}

/// Buckets are cumulative, and the longest callbacks are in the upper ones.
#[test]
fn callbacks_are_counted_by_how_long_they_took() {
    let counted = Counted::start(&[], &[]);
    let mut session = counted.filter.session("slow");
    session.task("envfrom", "nap 30000");
    session.mail();
    session.rest();
    let numbers = counted.numbers();
    let below = |stage: &str, bound: &str| {
        let name = format!(
            "libmilter_callback_duration_seconds_bucket{{stage=\"{stage}\",le=\"{bound}\"}}"
        );
        numbers[&name]
    };
    assert_eq!([below("mail", "0.025"), below("mail", "+Inf")], [0.0, 1.0]);
    assert!(numbers["libmilter_callback_duration_seconds_sum{stage=\"mail\"}"] >= 0.03);
    assert!(numbers.keys().all(|name| !name.contains("negotiate")), "it has no such callback");
    session.quit();
    counted.filter.stop();
}

/// Debian's own check of what Prometheus reads, of numbers of all kinds.
#[test]
fn prometheus_has_nothing_to_say_about_it() {
    // A package of its own from Debian 13 on.
    let prometheus = Packages::of_release(&["promtool"]).unwrap();
    let prometheus = prometheus.or_else(|_| Packages::unpack(&["prometheus"])).unwrap();
    let limits = [("LIBMILTER_MAX_SESSIONS", "50"), ("LIBMILTER_MAX_THREADS", "20")];
    let counted = Counted::start(&limits, &[]);
    play(&counted, &Bytes::default(), &mut Expected::new());
    for (text, fine) in [
        (counted.text(), true),
        (counted.text().replace("libmilter_messages_total", "libmilter_messages"), false),
    ] {
        let page = counted.dir.path().join("page");
        std::fs::write(&page, text).unwrap();
        let mut promtool = start::command(prometheus.root.join("usr/bin/promtool"));
        promtool.args(["check", "metrics"]);
        promtool.stdin(std::fs::File::open(&page).unwrap());
        promtool.stdout(Stdio::piped()).stderr(Stdio::piped());
        let done = promtool.spawn().unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!((done.status.success(), said.is_empty()), (fine, fine), "{said}");
    }
    counted.filter.stop();
}

fn curl(curl: &Packages, path: &Path, arguments: &[&str]) -> String {
    let mut command = start::command(curl.root.join("usr/bin/curl"));
    command.env("LD_LIBRARY_PATH", &curl.libraries);
    command.args(["-sS", "--unix-socket"]).arg(path).args(arguments);
    let done = output_within(&mut command, BOUND).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn curl_reads_it() {
    let packages = Packages::unpack(&["curl"]).unwrap();
    let counted = Counted::start(&[], &[]);
    let page = curl(&packages, &counted.path(), &["--fail", "http://localhost/metrics"]);
    assert_eq!(numbers(&page)["libmilter_sessions_total"], 1.0);
    let head = curl(&packages, &counted.path(), &["--head", "http://localhost/metrics"]);
    assert!(head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    for (arguments, status) in [
        (&["http://localhost/other"][..], "404"),
        (&["-X", "POST", "http://localhost/"], "405"),
        (&["http://localhost/"], "200"),
    ] {
        let write = ["-o", "/dev/null", "-w", "%{http_code}"];
        let got = curl(&packages, &counted.path(), &[arguments, &write].concat());
        assert_eq!(got, status, "{arguments:?}");
    }
    counted.filter.stop();
}

/// Without HTTP the page comes as it is.
#[test]
fn the_page_comes_without_http_to_who_speaks_none() {
    let counted = Counted::start(&[], &[]);
    // To one who says nothing, after a second.
    for (bytes, over) in [(&b""[..], true), (b"", false), (b"GET /metrics\r\n", false)] {
        let text = exchange(&counted.path(), bytes, over);
        assert!(text.starts_with("# HELP libmilter_build_info "), "{text}");
        assert_eq!(numbers(&text)["libmilter_sessions_total"], 1.0);
    }
    let text = exchange(&counted.path(), b"EHLO me\r\n", false);
    assert!(text.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{text}");
    counted.filter.stop();
}

#[test]
fn callbacks_under_way_are_shown() {
    for mode in ["pool", "session"] {
        let counted = Counted::start(&[("LIBMILTER_THREADS", mode)], &[]);
        let pipe = counted.filter.pipe();
        let mut session = counted.filter.session("slow");
        session.task("envrcpt", &pipe.block());
        session.send(b'D', &["Mi", "queue\u{1b}[1mid"]);
        assert_eq!(session.ask(b'M', &["<a@example.org>"]), 'c');
        session.send(b'R', &["<b@example.net>"]);
        counted.filter.wait_until_blocked("slow", 1);
        let numbers = counted.numbers();
        assert_eq!(numbers["libmilter_callbacks_under_way{stage=\"rcpt\"}"], 1.0);
        let longest = "libmilter_callbacks_under_way_longest_seconds{stage=\"rcpt\"}";
        assert!(numbers[longest] > 0.0);
        let page = get(&counted.path(), "/callbacks");
        let lines: Vec<&str> = page.lines().collect();
        assert!(lines[0].starts_with('#') && lines[0].ends_with("; 1 in all"), "{page}");
        let fields: Vec<&str> = lines[1].split('\t').collect();
        assert_eq!(fields[..3], ["2", "xxfi_envrcpt", "rcpt"], "{page}");
        let threads = format!("/proc/{}/task/{}", counted.filter.milter.pid(), fields[4]);
        assert!(Path::new(&threads).exists(), "{page}");
        // Nothing in it moves a cursor.
        assert_eq!((fields[5], lines.len()), ("queue\\x1b[1mid", 2), "{page}");
        pipe.release();
        assert_eq!(session.reply(), 'c');
        eventually("none is under way", || {
            counted.number("libmilter_callbacks_under_way{stage=\"rcpt\"}") == 0
        });
        session.quit();
        counted.filter.stop();
    }
}

/// Threads and sessions that wait for one or the other.
#[test]
fn what_sessions_wait_for_is_shown() {
    let counted = Counted::start(&[("LIBMILTER_MAX_THREADS", "2")], &[]);
    let line = |name: &str| counted.number(name);
    let idle = counted.filter.session("idle");
    assert_eq!(line("libmilter_sessions_waiting{for=\"mta\"}"), 1);
    let pipe = counted.filter.pipe();
    let mut blocked: Vec<Session> = (0..4)
        .map(|n| {
            let mut session = counted.filter.session(&format!("b{n}"));
            session.task("envfrom", &pipe.block());
            session
        })
        .collect();
    blocked.iter_mut().for_each(|session| session.send(b'M', &["<a@example.org>"]));
    counted.filter.wait_until_blocked("b", 2);
    let busy = || {
        let threads: Vec<u64> = ["loop", "working", "idle"]
            .iter()
            .map(|state| line(&format!("libmilter_threads{{state=\"{state}\"}}")))
            .collect();
        let under_way = line("libmilter_callbacks_under_way{stage=\"mail\"}");
        (threads.iter().sum::<u64>(), under_way, line("libmilter_threads_limit"))
    };
    eventually_or(|| format!("{:?}", busy()), || busy() == (2, 2, 2));
    pipe.release_all(blocked);
    idle.quit();
    // One that does not read.
    let mut session = counted.filter.session("full");
    (0..4000).for_each(|_| session.client.queue_strings(b'H', &["me"]));
    session.client.flush().unwrap();
    eventually("it waits for room", || line("libmilter_sessions_waiting{for=\"room\"}") == 1);
    drop(session);
    eventually("it has ended", || line("libmilter_sessions_waiting{for=\"room\"}") == 0);
    counted.filter.stop();
}
