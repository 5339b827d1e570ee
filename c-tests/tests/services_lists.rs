//! Filters with several sockets: all are served alike, under the rules of one.

use super::runtime_allowance::{port, ports};
use super::runtime_support::{BOUND, Filter, Session, eventually, program};
use super::services::{activated, open, session};
use c_tests::{Linkage, public};
use milter_mta::{Client, ConnSpec};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A filter with the sockets `a` and `b` in its directory, and others before them.
fn filter_with(variables: &[(&str, &str)], others: &str, options: &[&str]) -> Filter {
    let spec = format!("{others}unix:{{dir}}/a,unix:{{dir}}/b");
    let mut command = Linkage::OursDynamic.command(&program()).unwrap();
    command.envs(variables.iter().copied());
    let served = |place: &str| {
        let (_, path) = place.rsplit_once(",unix:").unwrap();
        ConnSpec::Unix(path.into())
    };
    let filter = Filter::launch_served(command, &spec, served, options);
    filter.wait_for("ready ");
    filter
}

fn paths(filter: &Filter) -> [PathBuf; 2] {
    let ConnSpec::Unix(b) = &filter.spec else { unreachable!() };
    [b.with_file_name("a"), b.clone()]
}

fn client(path: &Path) -> Session {
    Session { client: Client::connect(&ConnSpec::Unix(path.into()), BOUND).unwrap() }
}

/// One that asks to be served.
fn asking(path: &Path) -> Session {
    let mut session = client(path);
    session.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
    session.client.flush().unwrap();
    session
}

/// Waits until each is answered; whoever is ends, and lets another one in.
fn serve(mut waiting: Vec<Session>) {
    while !waiting.is_empty() {
        let bound = Timespec::try_from(BOUND).unwrap();
        let mut polled: Vec<_> =
            waiting.iter().map(|session| PollFd::new(&session.client, PollFlags::IN)).collect();
        assert!(poll(&mut polled, Some(&bound)).unwrap() > 0, "{} wait", waiting.len());
        let ready = polled.iter().position(|one| !one.revents().is_empty()).unwrap();
        drop(polled);
        let mut session = waiting.swap_remove(ready);
        assert_eq!(session.reply(), 'O');
        session.quit();
    }
}

#[test]
fn each_socket_is_served_until_the_stop() {
    for mode in ["pool", "session"] {
        let name = format!("libmilter-list-{}-{mode}", std::process::id());
        let others = format!("inet:0@127.0.0.1,abstract:{name},");
        let filter = filter_with(&[("LIBMILTER_THREADS", mode)], &others, &["trace=1"]);
        let port = port(&filter);
        let [a, b] = paths(&filter);
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let sockets: [OwnedFd; 4] = [
            TcpStream::connect(("127.0.0.1", port)).unwrap().into(),
            UnixStream::connect_addr(&address).unwrap().into(),
            UnixStream::connect(&a).unwrap().into(),
            UnixStream::connect(&b).unwrap().into(),
        ];
        let mut sessions: Vec<_> = (sockets.into_iter().zip(0..))
            .map(|(socket, n)| {
                let mut session = Session { client: Client::from_fd(socket) };
                session.introduce(&format!("s{n}"));
                session
            })
            .collect();
        for session in &mut sessions {
            session.mail();
            session.rest();
        }
        // What waits to be accepted when the stop begins is answered, at whichever socket.
        filter.signal(Signal::TERM);
        filter.returned(1);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        UnixStream::connect_addr(&address).unwrap_err();
        for path in [&a, &b] {
            UnixStream::connect(path).unwrap_err();
            // Root leaves the file, as with one socket.
            assert_eq!(path.exists(), rustix::process::geteuid().is_root(), "{path:?}");
        }
        let (events, log) = filter.end();
        assert_eq!(events.iter().filter(|event| event.ends_with(" eom")).count(), 4, "{events:#?}");
        assert_eq!(log, [""; 0]);
    }
}

#[test]
fn sessions_are_counted_over_all_sockets() {
    let variables = [("LIBMILTER_MAX_SESSIONS", "1"), ("LIBMILTER_SURPLUS", "tempfail")];
    let filter = filter_with(&variables, "", &[]);
    let [a, b] = paths(&filter);
    let mut first = asking(&a);
    assert_eq!(first.reply(), 'O');
    let mut second = client(&b);
    assert_eq!(second.reply(), 't');
    second.closed();
    first.quit();
    // It may be refused as well until the first one has ended.
    eventually("there is room", || asking(&b).reply() == 'O');
    filter.stop();
    // With a wait in place of an answer, at the other one too.
    let filter = filter_with(&variables[..1], "", &[]);
    let [a, b] = paths(&filter);
    let mut first = asking(&a);
    assert_eq!(first.reply(), 'O');
    let (at_a, at_b) = (asking(&a), asking(&b));
    eventually("the log tells", || !filter.log().is_empty());
    first.quit();
    serve(vec![at_a, at_b]);
    filter.stop();
}

#[test]
fn peers_are_counted_over_all_sockets() {
    let variables = [("LIBMILTER_MAX_SESSIONS_PER_PEER", "1")];
    let filter = filter_with(&variables, "inet:0@127.0.0.1,inet:0@127.0.0.1,", &[]);
    let [first, second] = ports(&filter)[..] else { panic!("{:?}", ports(&filter)) };
    let connect = |port: u16| Session {
        client: Client::from_fd(TcpStream::connect(("127.0.0.1", port)).unwrap().into()),
    };
    let mut first = connect(first);
    first.introduce("first");
    let mut second = connect(second);
    assert_eq!(second.reply(), 't');
    second.closed();
    first.quit();
    filter.stop();
}

/// Each connection is answered in the end, whichever socket it has come to.
#[test]
fn connections_wait_at_all_sockets_while_there_are_no_descriptors() {
    let loops = std::thread::available_parallelism().unwrap().get().min(16);
    let filter = filter_with(&[], "", &[&format!("nofile={}", 43 + 3 * loops)]);
    let [a, b] = paths(&filter);
    let waiting: Vec<_> = (0..60).map(|n| asking(if n % 2 == 0 { &a } else { &b })).collect();
    eventually("the log tells", || !filter.log().is_empty());
    serve(waiting);
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 1, "{log:?}");
}

#[test]
fn rights_and_takeover_are_for_each() {
    let dir = public::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    let spec = format!("unix:{},unix:{}", a.display(), b.display());
    let mode = [("LIBMILTER_SOCKET_MODE", "640")];
    assert_eq!(open(Linkage::OursDynamic, &spec, &mode), ["opensocket 1 = 0"]);
    for path in [&a, &b] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o640);
    }
    std::fs::remove_file(&b).unwrap();
    let _served = UnixListener::bind(&b).unwrap();
    let inode = || std::fs::metadata(&b).unwrap().ino();
    let before = inode();
    let lines = open(Linkage::OursDynamic, &spec, &[("LIBMILTER_SOCKET_TAKEOVER", "refuse")]);
    assert!(lines.contains(&"opensocket 1 = -1".to_owned()), "{lines:#?}");
    let which = format!("Unable to create listening socket on conn unix:{};", b.display());
    assert_eq!(lines.iter().filter(|line| line.contains(&which)).count(), 1, "{lines:#?}");
    assert!(!a.exists() && inode() == before);
    // By default both are taken.
    let lines = open(Linkage::OursDynamic, &spec, &[]);
    assert!(lines.contains(&"opensocket 1 = 0".to_owned()), "{lines:#?}");
    assert!(a.exists() && inode() != before);
}

/// Those of one unit have the same name.
#[test]
fn several_sockets_of_the_service_manager() {
    for (fdnames, spec) in [("a:b", "systemd:a,systemd:b"), ("a:a", "systemd:a")] {
        let dir = public::tempdir().unwrap();
        let mut filter = activated(dir.path(), &["a", "b"], fdnames, spec);
        let sockets = ["a", "b"].map(|name| dir.path().join(name));
        for path in &sockets {
            filter.milter.wait_for(&format!("unix:{}", path.display())).unwrap();
        }
        for path in &sockets {
            let mut whole = session(UnixStream::connect(path).unwrap(), "whole");
            whole.mail();
            whole.rest();
            whole.quit();
        }
        filter.wait_for("ready ");
        filter.stop();
        assert!(sockets.iter().all(|path| path.exists()), "they are not the filter's");
    }
}
