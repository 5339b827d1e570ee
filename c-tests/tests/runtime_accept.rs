//! Errors of accept(2), which `programs/inject_accept.c` makes the kernel report.

use super::runtime_support::{Filter, eventually, program};
use c_tests::differences::{assert_differs, assert_ours};
use c_tests::{Compile, Linkage, start};
use rustix::io::Errno;
use std::process::Command;
use std::time::Duration;

/// More than the errors in a row after which a run is given up.
const MANY: u32 = 20;

/// What accept(2) reports about a connection rather than about the listening socket.
const PASSING: [Errno; 14] = [
    Errno::INTR,
    Errno::AGAIN,
    Errno::CONNABORTED,
    Errno::CONNRESET,
    Errno::NETDOWN,
    Errno::PROTO,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::NONET,
    Errno::HOSTUNREACH,
    Errno::OPNOTSUPP,
    Errno::NETUNREACH,
    Errno::PERM,
    Errno::TIMEDOUT,
];

/// A filter whose first `calls` of accept fail.
fn filter_with(linkage: Linkage, error: Errno, calls: impl ToString) -> Filter {
    let injector = Compile::c("programs/inject_accept.c").build().unwrap().dynamic().unwrap();
    let filter = linkage.command(&program()).unwrap();
    let mut command = Command::new(injector);
    command.args([error.raw_os_error().to_string(), calls.to_string()]);
    command.arg(filter.get_program());
    start::copy_variables(&filter, &mut command);
    let filter = Filter::launch_command(command, "unix:{dir}/socket", &[]);
    filter.wait_for("ready ");
    filter
}

#[test]
fn errors_of_connections_are_passed_over() {
    for error in PASSING {
        let filter = filter_with(Linkage::OursDynamic, error, MANY);
        let session = filter.session("s");
        session.deliver();
        let (_, log) = filter.stop();
        assert_eq!(log, [""; 0], "{error:?}");
    }
}

/// More than are passed over without a pause; what comes after them is served.
#[test]
fn after_very_many_errors_accepting_pauses_and_goes_on() {
    let filter = filter_with(Linkage::OursDynamic, Errno::PERM, 1000);
    let session = filter.session("s");
    session.deliver();
    let (_, log) = filter.stop();
    assert_ours("D62", log.len(), 1);
    let text = "accept() failed (Operation not permitted) 256 times in a row";
    assert!(log[0].contains(text), "{log:?}");
}

/// In how many of a hundred looks a thread of a process could run. The time it gets would say less, as others
/// want the processors too.
fn busy_looks(pid: u32) -> usize {
    let runs = |stat: &str| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('R'));
    let look = |_: &u32| {
        std::thread::sleep(Duration::from_millis(10));
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let mut stats =
            tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")));
        stats.any(|stat| stat.is_ok_and(|stat| runs(&stat)))
    };
    (0..100).filter(look).count()
}

/// As a seccomp filter makes it: no connection ever comes in, and none of them is worth a processor.
#[test]
fn an_error_that_lasts_costs_little() {
    for (error, lines) in [(Errno::PERM, 1), (Errno::NETDOWN, 1), (Errno::AGAIN, 0)] {
        let filter = filter_with(Linkage::OursDynamic, error, "all");
        let _waits = filter.connect();
        if lines > 0 {
            eventually("the log tells", || !filter.log().is_empty());
        }
        let busy = busy_looks(filter.milter.pid());
        assert!(busy < 50, "{error:?}: {busy} of 100");
        let (_, log) = filter.stop();
        assert_eq!(log.len(), lines, "{error:?}: {log:?}");
    }
}

#[test]
fn the_reference_logs_and_waits() {
    let log = |linkage| {
        let filter = filter_with(linkage, Errno::PROTO, 1);
        filter.session("s").quit();
        let lines = filter.log();
        filter.stop();
        lines.iter().filter(|line| line.contains("accept() returned invalid socket")).count()
    };
    let (reference, ours) = (log(Linkage::ReferenceDynamic), log(Linkage::OursDynamic));
    assert_differs("D62", (reference, 1), (ours, 0));
}

/// The error is about the listener then, and nothing will be accepted any more.
#[test]
fn a_listener_that_is_none_ends_the_run() {
    for error in [Errno::BADF, Errno::NOTSOCK, Errno::INVAL] {
        let filter = filter_with(Linkage::OursDynamic, error, 1);
        let _never_accepted = filter.connect();
        assert_eq!(filter.returned(1).0, "-1", "{error:?}");
        let (_, log) = filter.end();
        assert_eq!(log.len(), 1, "{error:?}: {log:?}");
        assert!(log[0].contains("the listening socket"), "{log:?}");
    }
}
