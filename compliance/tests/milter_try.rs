//! `milter-try` with milters and MTAs as they are, and with the real library.

use compliance::filter::{Filter, Socket, apply, compiled};
use compliance::milter_try::{LINKED, command, program};
use compliance::milters::{file, left_out, lose_resolver};
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Packages, Probe, root};
use std::process::{Command, Output};

/// Who is nobody on all systems.
const NOBODY: &str = "65534";

/// The report, and the status.
fn run(mut command: Command) -> (String, Option<i32>) {
    let Output { stdout, stderr, status } = command.output().unwrap();
    let report = String::from_utf8_lossy(&stdout).into_owned();
    (report + &String::from_utf8_lossy(&stderr), status.code())
}

#[test]
fn lines_of_the_library_stand_below_the_command() {
    let mut milter = compiled(Linkage::OursDynamic, "c-tests/milters/mistaken.c").unwrap();
    milter.arg("{socket}");
    let (report, status) = run(command(&[], &milter).unwrap());
    let helo = "  helo       client.example.org                         -> continue\n  log        info: \
                mistaken: session 1: smfi_addheader failed in xxfi_helo: a\n               message can be \
                changed in xxfi_eom only\n  macros ";
    assert_eq!(status, Some(0), "{report}");
    assert!(report.contains(helo), "{report}");
    assert!(
        report.contains("\n  log        info: mistaken: libmilter in Rust, version "),
        "{report}"
    );
    // Of several sessions each is told, as whoever tries a filter wants to know.
    let (report, _) = run(command(&["--sessions", "2", "--json"], &milter).unwrap());
    for session in ["session 1: smfi_addheader failed", "session 2: smfi_addheader failed"] {
        assert!(report.contains(session), "{report}");
    }
}

#[test]
fn a_filter_that_becomes_another_user_can_be_reached_and_logs() {
    let mut milter = compiled(Linkage::OursDynamic, "compliance/milters/other_user.c").unwrap();
    milter.args(["{socket}", NOBODY]);
    let (report, status) = run(root::command(command(&[], &milter).unwrap()));
    assert_eq!(status, Some(0), "{report}");
    for line in [
        "err: other_user: unknown socket type nothing ",
        "info: other_user: session 1: smfi_addheader failed in xxfi_helo",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
}

const PYTHON: &[&str] = &["python3-milter"];

/// An extension of Python loads its libmilter when it is imported.
#[test]
fn the_library_of_a_python_extension_is_found() {
    if left_out(PYTHON) {
        return;
    }
    let packages = Packages::unpack(PYTHON).unwrap();
    let mut milter = Command::new("/usr/bin/python3");
    apply(LINKED, &mut milter, &packages).unwrap();
    milter.env("PYTHONPATH", packages.root.join("usr/lib/python3/dist-packages"));
    milter.env("PYTHONDONTWRITEBYTECODE", "1");
    milter.arg(file("small.py")).arg("{socket}");
    let library = |options: &[&str]| {
        let (report, status) = run(command(options, &milter).unwrap());
        assert_eq!(status, Some(0), "{report}");
        assert!(report.contains("\n+X-Python: yes\n"), "{report}");
        let line = report.lines().find_map(|line| line.strip_prefix("Library ")).unwrap();
        line.trim().to_owned()
    };
    let linked = library(&["--linked"]);
    assert!(linked.ends_with("/libmilter.so.1.0.1"), "{linked}");
    let ours = library(&[]);
    assert!(ours.ends_with(" (0.1.0)"), "{ours}");
    assert_ne!(linked, ours);
}

/// A filter of an MTA's settings, as the MTA has them.
fn of_settings(kind: Kind, words: impl Fn(&Mta, &mut Command)) {
    let rules = ["helo=reply~550~5.7.1~not you", "helo=reject"];
    let probe = Probe::start(Linkage::OursDynamic, Socket::Inet, &rules).unwrap();
    let mta = Mta::of(kind).milter(probe.spec()).start().unwrap();
    let mut command = Command::new(compliance::milter_try::program().unwrap());
    words(&mta, &mut command);
    let (report, status) = run(command);
    assert_eq!(status, Some(10), "{report}");
    let at = format!("Milter     {}\n", probe.spec());
    assert!(report.starts_with(&at), "{report}");
    assert!(report.contains("Reply      550 5.7.1 not you\n"), "{report}");
}

#[test]
fn the_milter_of_postfix_is_taken_from_postconf() {
    of_settings(Kind::Postfix, |mta, command| {
        let packages = Packages::unpack(&["postfix"]).unwrap();
        let programs = packages.root.join("usr/sbin");
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", programs.display()));
        command.env("LD_LIBRARY_PATH", &packages.libraries);
        command.env("MAIL_CONFIG", mta.dir().join("settings"));
        command.arg("--postfix");
    });
}

#[test]
fn the_milter_of_sendmail_is_taken_from_its_configuration() {
    of_settings(Kind::Sendmail, |mta, command| {
        command.arg("--sendmail-cf").arg(mta.dir().join("sendmail.cf")).arg("filter1");
    });
}

#[test]
fn a_check_ends_although_the_resolver_does_not_answer() {
    let mut command = Command::new(compliance::milter_try::program().unwrap());
    command.args(["--check", "inet:8891@filter.example", "--timeout", "0.3"]);
    lose_resolver(&mut command).unwrap();
    let (line, status) = run(command);
    assert_eq!(status, Some(2), "{line}");
    let told = "CRITICAL inet:8891@filter.example no answer within 0.3 s | time=";
    assert!(line.starts_with(told), "{line}");
}

/// What a real filter has done, in a frame of 80 columns.
#[test]
fn a_filter_is_watched() {
    let filter = compiled(Linkage::OursDynamic, "examples-c/gatekeeper.c").unwrap();
    let mut statistics = std::path::PathBuf::new();
    let filter = Filter::start(Linkage::OursDynamic, filter, Socket::Unix, |command, dir, spec| {
        statistics = dir.join("statistics");
        command.arg(spec).env("LIBMILTER_STATS", &statistics);
    })
    .unwrap();
    let milter_try = |words: &[&str]| {
        let mut command = c_tests::start::command(program().unwrap());
        command.args(words);
        run(command)
    };
    let played = ["--connect", filter.spec(), "--sessions", "4", "--count", "5", "--quiet"];
    assert_eq!(milter_try(&played), (String::new(), Some(0)));
    let (frame, status) = milter_try(&["--watch", statistics.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{frame}");
    assert!(frame.starts_with("gatekeeper, libmilter "), "{frame}");
    for part in [
        "rates since the start\n",
        "\nSessions   0 open, 0 in a callback, 0 wait for their MTA, 0 a thread, 0 room\n",
        "/s, quit ",
        "/s, accepted ",
        "\neom ",
        "\nNo session is in a callback now\n",
    ] {
        assert!(frame.contains(part), "{part:?}: {frame}");
    }
    assert!(frame.lines().all(|line| line.len() <= 80), "{frame}");
}
