//! The socket of LIBMILTER_STATS: who may connect, what strangers and the filter itself can do to it, and
//! what becomes of it when filters come and go.

use super::runtime_fork::processor_time;
use super::runtime_support::{BOUND, Filter, eventually, listening, program};
use super::statistics_support::{Counted, exchange, get, numbers, start_at};
use c_tests::{Linkage, public};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Who are served at a time.
const INQUIRERS: usize = 8;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn sessions(path: &Path) -> u64 {
    numbers(&get(path, "/metrics"))["libmilter_sessions_total"] as u64
}

/// Sockets of the filter now; its other descriptors come and go with its threads.
fn sockets(filter: &Filter) -> usize {
    let fds = std::fs::read_dir(format!("/proc/{}/fd", filter.milter.pid())).unwrap().flatten();
    let targets = fds.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// It has one descriptor, made in smfi_main, that no program inherits, and no thread.
#[test]
fn the_socket_is_one_descriptor_more_and_no_thread() {
    let plain = Filter::start(&[]);
    drop(plain.session("first"));
    plain.wait_for("first closed");
    let counted = Counted::start(&[], &[]);
    let filter = &counted.filter;
    assert_eq!(filter.ready().fds, plain.ready().fds, "nothing before smfi_main");
    eventually("one more", || sockets(filter) == sockets(&plain) + 1);
    assert_eq!(filter.threads(), plain.threads());
    assert_eq!(mode(&counted.path()), 0o600);
    let mut session = filter.session("starts");
    session.task("envfrom", "exec ls -l /proc/self/fd");
    session.mail();
    filter.wait_for("starts exec end");
    let shown = filter.events();
    assert!(shown.iter().any(|line| line.contains(" -> ")), "{shown:#?}");
    let passed = shown.iter().filter(|l| l.contains("exec") && l.contains("socket:")).count();
    assert_eq!(passed, 0, "{shown:#?}");
    session.quit();
    let path = counted.path();
    let (before, after) = (filter.start_state(), {
        filter.signal(Signal::TERM);
        filter.returned(1).1
    });
    assert_eq!(after.threads, before.threads);
    assert!(!path.exists(), "its file is removed");
    plain.stop();
}

/// With nothing on 0 to 2, what the filter prints does not get into the answers.
#[test]
fn a_filter_without_standard_streams() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("stats");
    let filter = start_at(&path, &[], &["closed=1"]);
    for n in 0..3 {
        filter.session(&format!("s{n}")).deliver();
        assert!(!get(&path, "/metrics").contains("noise"));
    }
    filter.signal(Signal::TERM);
    filter.returned(1);
}

#[test]
fn rights_of_the_socket() {
    // Others can only give it their own.
    let own = rustix::process::getegid().as_raw();
    let root = rustix::process::geteuid().is_root();
    let group = if root { 65_534 } else { own };
    let text = group.to_string();
    let variables = [("LIBMILTER_STATS_MODE", "660"), ("LIBMILTER_STATS_GROUP", text.as_str())];
    let counted = Counted::start(&variables, &[]);
    assert_eq!(mode(&counted.path()), 0o660);
    assert_eq!(std::fs::metadata(counted.path()).unwrap().gid(), group);
    counted.filter.stop();
    if !root {
        // They are told of another one, and there are no statistics.
        let dir = public::tempdir().unwrap();
        let filter = start_at(&dir.path().join("stats"), &[("LIBMILTER_STATS_GROUP", "0")], &[]);
        let (_, log) = filter.stop();
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains("Unable to set owner or mode of"), "{log:?}");
    }
}

/// The filter serves all the same, and one line says why there are none.
#[test]
fn what_can_not_be_opened_is_logged() {
    let dir = public::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    let missing = dir.path().join("missing/stats");
    for (value, more, why) in [
        (file.to_str().unwrap(), ("X", ""), "is not a UNIX domain socket; there are no statistics"),
        (missing.to_str().unwrap(), ("X", ""), "No such file or directory; there are no"),
        ("stats", ("X", ""), "is neither an absolute path nor abstract: and a name"),
        ("abstract:", ("X", ""), "is neither an absolute path nor abstract: and a name"),
        ("/x", ("LIBMILTER_STATS_MODE", "rw"), "is no octal number from 0 to 777; there are no"),
        ("/x", ("LIBMILTER_STATS_GROUP", "nobody here"), "is no group; there are no statistics"),
    ] {
        let filter = start_at(Path::new(value), &[more], &[]);
        filter.session("served").deliver();
        let (_, log) = filter.stop();
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains(why), "{log:?}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

/// A mistake that must not cost the filter its MTAs.
#[test]
fn the_socket_does_not_take_the_place_of_the_filters_own() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let mut command = Linkage::OursDynamic.command(&program()).unwrap();
    command.env("LIBMILTER_STATS", &path);
    let filter = Filter::launch_command(command, &format!("unix:{}", path.display()), &[]);
    filter.wait_for("ready ");
    filter.session("served").deliver();
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("socket is named twice; there are no statistics"), "{log:?}");
}

#[test]
fn a_socket_without_a_file() {
    let name = format!("libmilter-stats-{}", std::process::id());
    let filter = start_at(Path::new(&format!("abstract:{name}")), &[], &[]);
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let mut socket = UnixStream::connect_addr(&address).unwrap();
    socket.write_all(b"GET /metrics\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    assert_eq!(numbers(&text)["libmilter_sessions_total"], 1.0);
    filter.stop();
}

/// Of a file that nobody serves, of one that another filter serves, and of one that is to be left alone.
#[test]
fn the_path_is_taken_over_as_that_of_the_filter_is() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("stats");
    drop(UnixListener::bind(&path).unwrap());
    let first = start_at(&path, &[], &[]);
    first.session("one more").deliver();
    assert_eq!(sessions(&path), 2);
    let second = start_at(&path, &[], &[]);
    assert_eq!(sessions(&path), 1, "the second one's");
    let taken = format!("stats was served by process {}, whose place", first.milter.pid());
    assert!(second.log().iter().any(|line| line.contains(&taken)), "{:?}", second.log());
    let refuse = [("LIBMILTER_SOCKET_TAKEOVER", "refuse")];
    let third = start_at(&path, &refuse, &[]);
    third.session("served").deliver();
    let (_, log) = third.stop();
    assert_eq!(log.len(), 1, "{log:?}");
    let why = format!("is served by process {}, which is left alone", second.milter.pid());
    assert!(log[0].contains(&why) && log[0].contains("no statistics"), "{log:?}");
    // The first one's end is not the end of the second one's.
    first.stop();
    assert_eq!(sessions(&path), 1);
    second.stop();
    assert!(!path.exists());
    // Anew, with the same path, from the beginning.
    let again = start_at(&path, &[], &["runs=2"]);
    assert_eq!(sessions(&path), 1);
    again.signal(Signal::TERM);
    again.returned(1);
    again.wait_for_nth("ready ", 2);
    drop(again.session("second run"));
    again.wait_for("second run closed");
    assert_eq!(sessions(&path), 1, "a run counts its own");
    again.signal(Signal::TERM);
    again.returned(2);
    assert!(!path.exists());
    again.end();
}

/// The process that serves has it.
#[test]
fn a_filter_that_becomes_a_daemon() {
    let counted = Counted::start(&[], &["fork=1"]);
    counted.filter.session("whole").deliver();
    assert_eq!(sessions(&counted.path()), 2);
    counted.filter.signal(Signal::TERM);
    counted.filter.returned(1);
    assert!(!counted.path().exists());
}

/// It answers as long as sessions are there, and tells why they end.
#[test]
fn statistics_are_given_until_the_end_of_a_stop() {
    let counted = Counted::start(&[], &[]);
    let pipe = counted.filter.pipe();
    let mut session = counted.filter.session("last");
    session.task("envfrom", &pipe.block());
    session.send(b'M', &["<a@example.org>"]);
    counted.filter.wait_until_blocked("last", 1);
    let idle = counted.filter.session("idle");
    counted.filter.signal(Signal::TERM);
    let stopped = "libmilter_sessions_ended_total{reason=\"stop\"}";
    eventually("one has ended for the stop", || counted.number(stopped) == 1);
    pipe.release();
    assert_eq!(session.reply(), 'c');
    drop((session, idle));
    counted.filter.returned(1);
    counted.filter.end();
}

/// Strangers that say nothing, do not read, or come and go as fast as they can cost the filter eight
/// descriptors and no thread, and who waits behind them gets an answer.
#[test]
fn strangers_at_the_socket_cost_the_filter_nothing() {
    let counted = Counted::start(&[], &[]);
    let filter = &counted.filter;
    let (before, threads) = (sockets(filter), filter.threads());
    let connect = || UnixStream::connect(counted.path()).unwrap();
    for round in 0..2 {
        let mut strangers = Vec::new();
        for n in 0..3 * INQUIRERS {
            let mut stranger = connect();
            let said: &[u8] = match (round, n % 3) {
                (0, 0) => b"",
                (0, 1) => b"GET /metrics HTTP/1.1\r\n",
                _ => b"GET /metrics HTTP/1.1\r\n\r\n",
            };
            stranger.write_all(said).unwrap();
            strangers.push(stranger);
        }
        for n in 0..10 {
            filter.session(&format!("honest{round}.{n}")).deliver();
            assert!(sockets(filter) <= before + INQUIRERS + 2, "eight, and a session");
        }
        assert_eq!(filter.threads(), threads);
        // Behind all of them.
        let page = get(&counted.path(), "/metrics");
        assert!(numbers(&page)["libmilter_sessions_total"] >= 10.0);
        drop(strangers);
    }
    // One that sends for ever.
    let mut endless = connect();
    endless.set_write_timeout(Some(BOUND)).unwrap();
    while endless.write_all(&[b'x'; 4096]).is_ok() {}
    eventually("all are gone", || sockets(filter) <= before);
    counted.filter.stop();
}

/// As many answers a second as are given: the rest waits, and the thread that gives them mostly sleeps.
#[test]
fn a_flood_is_answered_in_bounds() {
    const SECONDS: u64 = 3;
    let counted = Counted::start(&[], &[]);
    let pid = counted.filter.milter.pid();
    let (start, busy) = (Instant::now(), processor_time(pid));
    let answered: usize = std::thread::scope(|scope| {
        let flood = || {
            let mut answers = 0;
            while start.elapsed() < Duration::from_secs(SECONDS) {
                answers += usize::from(!exchange(&counted.path(), b"GET /\n", true).is_empty());
            }
            answers
        };
        let floods: Vec<_> = (0..4).map(|_| scope.spawn(flood)).collect();
        floods.into_iter().map(|flood| flood.join().unwrap()).sum()
    });
    let seconds = start.elapsed().as_secs() as usize + 2;
    assert!(answered > 0 && answered <= 64 * seconds, "{answered} in {seconds} s");
    let busy = processor_time(pid) - busy;
    println!("{answered} answers, {busy:?} of a processor");
    counted.filter.session("served").deliver();
    counted.filter.stop();
}

/// A filter that closes what is not its own: sessions do not notice, and a line says what is missing.
#[test]
fn the_filter_closes_the_socket() {
    let counted = Counted::start(&[], &[]);
    let filter = &counted.filter;
    let inode = |fd: &std::fs::DirEntry| std::fs::read_link(fd.path()).unwrap();
    let path = counted.path();
    let lines = listening();
    let line = lines.iter().find(|line| line.ends_with(path.to_str().unwrap())).unwrap();
    let socket = format!("socket:[{}]", line.split_whitespace().nth(6).unwrap());
    let fds = std::fs::read_dir(format!("/proc/{}/fd", filter.milter.pid())).unwrap();
    let fd = fds.flatten().find(|fd| inode(fd).to_str() == Some(&socket)).unwrap();
    let number = fd.file_name().into_string().unwrap();
    let file = counted.dir.path().join("file");
    let mut session = filter.session("closer");
    session.task("envfrom", &format!("close {number} {}", file.display()));
    session.mail();
    session.rest();
    let closed = "the socket of LIBMILTER_STATS was closed by the filter";
    eventually("it is told", || filter.log().iter().any(|line| line.contains(closed)));
    filter.session("whole").deliver();
    session.quit();
    assert!(UnixStream::connect(&path).is_err());
    let (_, log) = counted.filter.stop();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(std::fs::read(file).unwrap(), b"");
}
