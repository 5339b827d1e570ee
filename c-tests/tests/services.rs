//! The host of a filter: its service manager, the rights of its socket, others at its path, its signals, and
//! who only looks whether it is there.

use super::runtime_support::{BOUND, Filter, Session, eventually, listening, program};
use c_tests::differences::assert_differs;
use c_tests::output::output_within;
use c_tests::{Compile, Linkage, Packages, public};
use milter_mta::{Client, ConnSpec};
use rustix::process::Signal;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

/// What happens when a socket is opened: result and log lines.
pub(crate) fn open(linkage: Linkage, spec: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let calls = Compile::c("programs/calls.c").flag("-D_GNU_SOURCE").build().unwrap();
    let mut command = linkage.command(&calls).unwrap();
    command.envs(variables.iter().copied()).env("LIBMILTER_LOG", "stderr");
    command.args(["register=0x01000001,f", &format!("setconn={spec}"), "opensocket=1"]);
    let done = output_within(&mut command, BOUND).unwrap();
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    let prepares = |line: &&str| line.starts_with("register ") || line.starts_with("setconn ");
    text.lines().filter(|line| !prepares(line)).map(str::to_owned).collect()
}

/// The same with ours, of which a line has to say something.
pub(crate) fn refused(spec: &str, variables: &[(&str, &str)], why: &str) {
    let lines = open(Linkage::OursDynamic, spec, variables);
    assert!(lines.contains(&"opensocket 1 = -1".to_owned()), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains(why)), "{why}: {lines:#?}");
}

pub(crate) fn session(socket: UnixStream, name: &str) -> Session {
    let mut session = Session { client: Client::from_fd(socket.into()) };
    session.introduce(name);
    session
}

/// A filter by the real program, which listens at paths in a directory and starts it with the sockets, under
/// their names, when somebody connects.
pub(crate) fn activated(dir: &Path, paths: &[&str], names: &str, spec: &str) -> Filter {
    let systemd = Packages::unpack(&["systemd"]).unwrap();
    let filter = Linkage::OursDynamic.command(&program()).unwrap();
    let mut command = c_tests::start::command(systemd.root.join("usr/bin/systemd-socket-activate"));
    c_tests::start::copy_variables(&filter, &mut command);
    let ours = filter.get_envs().find(|(name, _)| *name == "LD_LIBRARY_PATH").and_then(|(_, v)| v);
    let ours = ours.unwrap_or_default().to_str().unwrap();
    command.env("LD_LIBRARY_PATH", format!("{ours}:{}", systemd.libraries));
    // A program that begins afresh closes what it is handed.
    command.env_remove("SYSLOG_SHIM_START").args(["-E", "LD_LIBRARY_PATH", "-E", "LD_PRELOAD"]);
    for path in paths {
        command.arg("-l").arg(dir.join(path));
    }
    command.arg(format!("--fdname={names}")).arg(filter.get_program());
    Filter::launch_served(command, spec, |_| ConnSpec::Unix(dir.join(paths[0])), &[])
}

/// The socket outlives the filter, so that who connects meanwhile waits for the next one.
#[test]
fn sockets_of_the_service_manager() {
    for (names, spec) in [(&["only"][..], "systemd:"), (&["b", "a"], "systemd:a")] {
        let dir = public::tempdir().unwrap();
        let mut filter = activated(dir.path(), names, &names.join(":"), spec);
        let socket = dir.path().join(names[names.len() - 1]);
        filter.milter.wait_for(&format!("unix:{}", socket.display())).unwrap();
        let mut first = session(UnixStream::connect(&socket).unwrap(), "first");
        first.mail();
        first.rest();
        filter.wait_for("ready ");
        first.quit();
        filter.stop();
        assert!(socket.exists(), "it is not the filter's");
    }
}

#[test]
fn sockets_that_were_not_passed() {
    refused("systemd:", &[], "no sockets were passed by a service manager");
    let passed = [("LISTEN_PID", "1"), ("LISTEN_FDS", "1")];
    refused("systemd:", &passed, "sockets were passed to process 1, and this is process");
}

#[test]
fn specifications_that_the_reference_does_not_know() {
    let spec = format!("abstract:libmilter-tests-{}", std::process::id());
    let opened = |linkage| open(linkage, &spec, &[]).contains(&"opensocket 1 = 0".to_owned());
    let (reference, ours) = (opened(Linkage::ReferenceDynamic), opened(Linkage::OursDynamic));
    assert_differs("D89", (reference, false), (ours, true));
}

#[test]
fn a_socket_without_a_file() {
    let name = format!("libmilter-test-{}", std::process::id());
    let command = Linkage::OursDynamic.command(&program()).unwrap();
    let spec = format!("abstract:{name}");
    let filter = Filter::launch_served(command, &spec, |_| ConnSpec::Unix("none".into()), &[]);
    filter.wait_for("ready ");
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let mut whole = session(UnixStream::connect_addr(&address).unwrap(), "whole");
    whole.mail();
    whole.rest();
    whole.quit();
    refused(&spec, &[], "Address already in use");
    filter.stop();
}

#[test]
fn rights_of_the_socket() {
    // Others can only give it their own.
    let own = rustix::process::getegid().as_raw();
    let group = if rustix::process::geteuid().is_root() { 65_534 } else { own };
    let filter = Filter::start_env(
        &[("LIBMILTER_SOCKET_MODE", "640"), ("LIBMILTER_SOCKET_GROUP", &group.to_string())],
        &[],
    );
    let ConnSpec::Unix(path) = &filter.spec else { unreachable!() };
    let file = std::fs::metadata(path).unwrap();
    assert_eq!((file.permissions().mode() & 0o7777, file.gid()), (0o640, group));
    // Another one takes over, with other rights.
    let spec = format!("unix:{}", path.display());
    let variables = [("LIBMILTER_SOCKET_MODE", "0666")];
    let mut command = Linkage::OursDynamic.command(&program()).unwrap();
    command.envs(variables);
    let next = Filter::launch_command(command, &spec, &[]);
    next.wait_for("ready ");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o666);
    // What can't be done opens nothing, and leaves who is there alone.
    for (name, value, why) in [
        ("LIBMILTER_SOCKET_MODE", "rw", "is no octal number from 0 to 777"),
        ("LIBMILTER_SOCKET_MODE", "1777", "is no octal number from 0 to 777"),
        ("LIBMILTER_SOCKET_OWNER", "no such user", "is no user"),
        ("LIBMILTER_SOCKET_GROUP", "no such group", "is no group"),
    ] {
        let inode = std::fs::metadata(path).unwrap().ino();
        refused(&spec, &[(name, value)], why);
        assert_eq!(std::fs::metadata(path).unwrap().ino(), inode);
    }
    next.session("served").quit();
    next.stop();
    filter.stop();
}

/// Root may give a socket away; others can't, and are told.
#[test]
fn owner_of_the_socket() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let spec = format!("unix:{}", path.display());
    let variables = [("LIBMILTER_SOCKET_OWNER", "nobody")];
    if rustix::process::geteuid().is_root() {
        let lines = open(Linkage::OursDynamic, &spec, &variables);
        assert_eq!(lines, ["opensocket 1 = 0"]);
        assert_eq!(std::fs::metadata(&path).unwrap().uid(), 65_534);
    } else {
        refused(&spec, &variables, "Unable to set owner or mode of");
    }
}

/// Nobody else is told of, not even this process itself, which a scenario shows.
#[test]
fn whose_place_is_taken_is_told() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let spec = format!("unix:{}", path.display());
    let filter = Filter::launch(Linkage::OursDynamic, &spec, &["trace=1"]);
    filter.wait_for("ready ");
    let lines = open(Linkage::OursDynamic, &spec, &[]);
    let pid = filter.milter.pid();
    let told = format!("{} was served by process {pid}, whose place is taken now", path.display());
    assert_eq!(lines.iter().filter(|line| line.ends_with(&told)).count(), 1, "{lines:#?}");
    assert_eq!(lines.len(), 2, "{lines:#?}");
    // It has not heard of that.
    let (events, log) = filter.stop();
    assert!(
        log.is_empty() && !events.iter().any(|e| e.starts_with("nobody ")),
        "{events:?} {log:?}"
    );
    // Nobody serves it any more.
    assert_eq!(open(Linkage::OursDynamic, &spec, &[]), ["opensocket 1 = 0"]);
}

#[test]
fn a_socket_that_is_served_is_left_alone_if_asked() {
    let variables = [("LIBMILTER_SOCKET_TAKEOVER", "refuse")];
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let spec = format!("unix:{}", path.display());
    let served = UnixListener::bind(&path).unwrap();
    refused(&spec, &variables, &format!("is served by process {}", std::process::id()));
    // The first connection waits to be accepted, and there is no room for more.
    rustix::net::listen(&served, 0).unwrap();
    refused(&spec, &variables, "is served by ");
    drop(served);
    // A program that another test is just starting may have it for a moment.
    eventually("nobody listens there", || {
        !listening().iter().any(|line| line.ends_with(path.to_str().unwrap()))
    });
    assert_eq!(open(Linkage::OursDynamic, &spec, &variables), ["opensocket 1 = 0"]);
}

/// The filter hears of its signals, and has its own way to stop.
#[test]
fn signals_are_left_to_the_filter_if_asked() {
    let filter = Filter::start_env(&[("LIBMILTER_SIGNALS", "none")], &[]);
    let mut session = filter.session("whole");
    session.mail();
    session.rest();
    assert!(!filter.ready().stop_signals_blocked);
    // USR1 calls smfi_stop.
    filter.signal(Signal::USR1);
    assert_eq!(filter.returned(1).0, "0");
    filter.end();
    let mut filter = Filter::start_env(&[("LIBMILTER_SIGNALS", "none")], &[]);
    filter.session("first").quit();
    filter.wait_for("first closed");
    filter.signal(Signal::TERM);
    let status = filter.milter.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15), "not caught");
}

/// What connects and hangs up, or says nothing that the protocol knows, reaches no callback.
#[test]
fn probes_reach_no_callback_if_asked() {
    for (value, closes) in [("0", 2), ("1", 0)] {
        for mode in ["pool", "session"] {
            let variables = [("LIBMILTER_QUIET_PROBES", value), ("LIBMILTER_THREADS", mode)];
            let filter = Filter::start_env(&variables, &["trace=1"]);
            drop(filter.connect());
            filter.connect().send_raw(b"GET / HTTP/1.0\r\n\r\n").unwrap();
            let session = filter.session("whole");
            session.quit();
            filter.wait_for("whole closed");
            let (events, _) = filter.stop();
            let closed = events.iter().filter(|e| e.starts_with("nobody close")).count();
            assert_eq!(closed, closes, "{value} {mode}: {events:#?}");
        }
    }
}

/// A service manager hears when the filter serves, that it goes on, and when it stops.
#[test]
fn the_service_manager_is_told() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(BOUND)).unwrap();
    let receive = || {
        let mut message = [0; 64];
        let size = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..size]).into_owned()
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20000")];
    let filter = Filter::start_env(&variables, &[]);
    assert_eq!(receive(), "READY=1");
    // It serves when it says so.
    filter.session("first").quit();
    for _ in 0..3 {
        assert_eq!(receive(), "WATCHDOG=1");
    }
    filter.signal(Signal::TERM);
    while receive() != "STOPPING=1" {}
    assert_eq!(filter.returned(1).0, "0");
    filter.end();
    // A manager that is not there costs one line.
    let gone = dir.path().join("gone");
    let filter = Filter::start_env(&[("NOTIFY_SOCKET", gone.to_str().unwrap())], &[]);
    filter.session("first").quit();
    let (_, log) = filter.stop();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("can't tell the service manager READY=1"), "{log:?}");
    // Another process's watchdog is not ours.
    let other = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        // It would be due at once.
        ("WATCHDOG_USEC", "2"),
        ("WATCHDOG_PID", "1"),
    ];
    let filter = Filter::start_env(&other, &[]);
    while receive() != "READY=1" {}
    filter.session("first").quit();
    filter.signal(Signal::TERM);
    assert_eq!(receive(), "STOPPING=1");
    assert_eq!(filter.returned(1).0, "0");
    filter.end();
}
