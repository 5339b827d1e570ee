//! Descriptors and processes: what there is before smfi_main, what children inherit, forking.

use crate::runtime_support::{Description, Filter, Session};
use c_tests::Linkage;
use c_tests::differences::assert_ours;
use std::fs;

/// Close-on-exec in the flags of /proc/PID/fdinfo, which are octal.
const CLOEXEC: u32 = 0o2_000_000;

/// Descriptors of a process: number, what it is, whether programs it starts inherit it.
fn descriptors(pid: u32) -> Vec<(u32, String, bool)> {
    let dir = format!("/proc/{pid}/fd");
    let numbers = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().parse::<u32>().unwrap());
    let describe = |fd: u32| {
        // A descriptor may be closed between the two looks.
        let what = fs::read_link(format!("{dir}/{fd}")).ok()?.display().to_string();
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?.trim();
        Some((fd, what, u32::from_str_radix(flags, 8).unwrap() & CLOEXEC == 0))
    };
    numbers.filter_map(describe).collect()
}

#[test]
fn before_smfi_main_there_is_the_listener_and_nothing_else() {
    let filter = Filter::start(&[]);
    let before = filter.ready();
    assert_eq!(before.threads, 1);
    assert!(!before.stop_signals_blocked);
    let listener = before.added_to(&filter.start_state());
    assert_eq!(listener, ["3"], "the listener, close-on-exec");
    filter.session("s").quit();
    filter.stop();
    let unopened =
        Filter::launch(Linkage::OursDynamic, "unix:{dir}/socket", &["unopened=1", "early=1"]);
    let before = unopened.ready();
    assert_eq!((before.threads, &before.fds), (1, &unopened.start_state().fds));
    assert_eq!(unopened.returned(1).0, "0");
    unopened.end();
}

fn all_descriptors_are_high_and_not_inherited(filter: &Filter, closed: bool) {
    let name = |n: usize| format!("s{n}");
    let pipe = filter.pipe();
    let mut sessions: Vec<Session> = (0..12).map(|n| filter.session(&name(n))).collect();
    for session in &mut sessions[..6] {
        session.send(b'H', &[&format!("helo {}", pipe.block())]);
    }
    for n in 0..6 {
        filter.wait_for(&format!("{} blocked", name(n)));
    }
    // What the test itself handed down is not the library's affair, unless it was closed.
    let start = filter.start_state();
    let handed_down = |fd: u32| (!closed || fd > 2) && start.fds.contains(&format!("{fd}!"));
    let mut open = descriptors(filter.milter.pid());
    open.retain(|(fd, ..)| !handed_down(*fd));
    let sockets = open.iter().filter(|(_, what, _)| what.starts_with("socket:")).count();
    assert_eq!(sockets, 13, "a listener and 12 sessions: {open:?}");
    open.retain(|(_, what, _)| what.starts_with("socket:") || what.starts_with("anon_inode:"));
    for (fd, what, inherited) in &open {
        assert!(*fd >= 3, "{fd} {what}");
        assert!(!inherited, "{fd} {what} is inherited");
    }
    pipe.release();
    for session in &mut sessions[..6] {
        assert_eq!(session.reply(), 'c');
    }
    for session in sessions {
        session.deliver();
    }
}

#[test]
fn descriptors_are_close_on_exec_and_leave_0_to_2_alone() {
    let filter = Filter::start(&[]);
    all_descriptors_are_high_and_not_inherited(&filter, false);
    filter.stop();
}

/// A daemon without stdio: what it prints in callbacks goes nowhere, least of all to an MTA.
#[test]
fn a_filter_without_stdio_may_print() {
    let filter = Filter::start(&["closed=1"]);
    assert_eq!(filter.ready().added_to(&filter.start_state()), ["3"]);
    all_descriptors_are_high_and_not_inherited(&filter, true);
    filter.stop();
}

#[test]
fn forking_between_the_socket_and_smfi_main() {
    for options in [&["fork=1"][..], &["fork=1", "closed=1"]] {
        let filter = Filter::start(options);
        let child = filter.wait_for("child ");
        assert_ne!(child, format!("child {}", filter.milter.pid()));
        for n in 0..3 {
            let session = filter.session(&format!("s{n}"));
            session.deliver();
        }
        filter.stop();
    }
}

/// What a program started by a callback sees: lines of its output.
fn started_program(linkage: Linkage, command: &str) -> (Vec<String>, Description) {
    let filter = Filter::start_with(linkage, &[]);
    let mut session = filter.session("s");
    let mut other = filter.session("other");
    session.task("eom", &format!("exec {command}"));
    session.mail();
    assert_eq!(session.ask(b'E', &[]), 'c');
    other.mail();
    other.rest();
    let end = filter.wait_until("end of the program", |l| l.contains(&"s exec end".to_owned()));
    session.quit();
    other.quit();
    let start = filter.start_state();
    filter.stop();
    let lines = end.iter().filter_map(|line| line.strip_prefix("s exec "));
    (lines.filter(|line| *line != "end").map(str::to_owned).collect(), start)
}

#[test]
fn programs_started_by_a_callback_inherit_no_descriptor() {
    let (seen, start) = started_program(Linkage::OursDynamic, "ls -l /proc/self/fd");
    // The directory is open while it is listed; what the test handed down is not the library's.
    let not_ours = |line: &&String| {
        let (left, target) = line.split_once(" -> ").unwrap();
        let fd = left.rsplit(' ').next().unwrap();
        target.starts_with("/proc/") || start.fds.contains(&format!("{fd}!"))
    };
    let open: Vec<&String> = seen.iter().filter(|line| line.contains(" -> ")).collect();
    assert!(open.len() > 3, "{seen:?}");
    let ours: Vec<&String> = open.into_iter().filter(|line| !not_ours(line)).collect();
    assert_ours("D49", ours, vec![]);
}

#[test]
fn programs_started_by_a_callback_inherit_signals_as_with_the_reference() {
    let command = "grep -E SigBlk|SigIgn /proc/self/status";
    let (ours, _) = started_program(Linkage::OursDynamic, command);
    assert_eq!(ours.len(), 2, "{ours:?}");
    // HUP, INT and TERM are blocked.
    assert_eq!(ours[0], "SigBlk:\t0000000000004003");
    assert_eq!(ours, started_program(Linkage::ReferenceDynamic, command).0);
}
