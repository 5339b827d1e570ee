//! milter-try with milters that it starts, waits for and stops.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::runs::{milter_try, status, stderr, stdout};
use crate::support::BOUND;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, socket_with,
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const FAKE: &str = env!("CARGO_BIN_EXE_fake-milter");

/// Runs with the options, then `--`, then the fake milter with its words.
fn run(options: &[&str], milter: &[&str]) -> Output {
    let words = [&["--linked"], options, &["--", FAKE], milter].concat();
    milter_try(&words).output().unwrap()
}

/// A port that was free a moment ago.
///
/// Never listened on: a child that another test has just forked has a copy of every socket until it
/// runs its program, and with a listener what is meant for the milter would reach that.
fn free_port() -> u16 {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = socket.unwrap();
    set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    SocketAddrV4::try_from(getsockname(&socket).unwrap()).unwrap().port()
}

/// Waits for something that must come.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + BOUND;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_milter_is_started_played_to_and_stopped() {
    let output = run(&[], &["{socket}", "E=hX-New\\0v\\0;c"]);
    let report = stdout(&output);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    assert!(report.starts_with(&format!("Milter     {FAKE} unix:/")), "{report}");
    assert!(report.contains("\n+X-New: v\n"), "{report}");
    let end = "\nMilter     was killed by signal 15 (SIGTERM) on SIGTERM\n";
    assert!(report.ends_with(end), "{report}");
    let path = report.split_once("unix:").unwrap().1.split(' ').next().unwrap();
    let private = Path::new(path).parent().unwrap();
    assert!(!private.exists(), "{} is left", private.display());
}

#[test]
fn the_socket_is_recognised_among_the_arguments_or_given() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let spec = format!("unix:{}", path.display());
    assert_eq!(status(&run(&["-q"], &[&spec])), 0);
    std::fs::remove_file(&path).unwrap();
    let output = run(&["-q", "--socket", &spec], &[path.to_str().unwrap()]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let output = run(&[], &[path.to_str().unwrap()]);
    assert_eq!(status(&output), 64);
    assert!(
        stderr(&output).contains("give --socket SPEC")
            || stderr(&output).contains("with --socket SPEC")
    );
}

#[test]
fn a_milter_on_tcp_is_reached() {
    let port = free_port();
    let output = run(&["-q"], &[&format!("inet:{port}@localhost"), "M=t"]);
    assert_eq!(status(&output), 11, "{}", stderr(&output));
}

#[test]
fn a_milter_that_ends_at_once_is_told_with_its_words() {
    let output = run(&["--json", "--socket", "unix:/no/such/socket"], &["--fail", "3"]);
    assert_eq!(status(&output), 69);
    let error = stderr(&output);
    assert!(
        error.contains("ended with status 3 before its socket unix:/no/such/socket"),
        "{error}"
    );
    assert!(error.contains("    fake-milter: failing as told"), "{error}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["status"], 69);
    assert_eq!(document["milter"]["command"][1], "--fail");

    let output = milter_try(&["--linked", "--", "/no/such/milter", "{socket}"]).output().unwrap();
    assert_eq!(status(&output), 69);
    assert!(stderr(&output).contains("cannot start the milter /no/such/milter: No such file"));
}

#[test]
fn a_milter_without_a_socket_is_given_up_and_killed() {
    let output = run(&["--wait", "0.1"], &["--never", "{socket}"]);
    assert_eq!(status(&output), 69);
    let error = stderr(&output);
    assert!(error.contains("/milter.sock after 0.1 s"), "{error}");
    assert!(error.contains("The milter is running."), "{error}");
}

#[test]
fn a_milter_in_the_background_is_found_and_stopped() {
    let output = run(&[], &["--background", "{socket}", "E=r"]);
    let report = stdout(&output);
    assert_eq!(status(&output), 10, "{}", stderr(&output));
    let pid = report.split_once("in the background as ").unwrap().1.trim();
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    eventually("the end of the milter", || test_kill_process(pid).is_err());
    assert!(
        report.contains("\nMilter     was killed by signal 15 (SIGTERM) on SIGTERM\n"),
        "{report}"
    );
}

#[test]
fn the_milter_behind_a_wrapper_is_stopped_too() {
    let script = format!("{FAKE} {{socket}} T=d & echo $! ; wait");
    let output = milter_try(&["--linked", "--", "sh", "-c", &script]).output().unwrap();
    let report = stdout(&output);
    assert_eq!(status(&output), 12, "{}", stderr(&output));
    let pid = report.rsplit("Output ").next().unwrap().trim();
    let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
    eventually("the end of the milter", || test_kill_process(pid).is_err());
}

#[test]
fn a_crash_is_not_a_verdict() {
    for (item, words) in
        [("!abort", "was killed by signal 6 (SIGABRT)"), ("!exit 7", "ended with status 7")]
    {
        let output = run(&[], &["{socket}", &format!("B={item}")]);
        assert_eq!(status(&output), 70);
        let error = stderr(&output);
        assert!(error.contains("at body: the milter closed the connection"), "{error}");
        assert!(error.contains(&format!("The milter {words}.")), "{error}");
        let report = stdout(&output);
        assert!(report.contains(&format!("Milter     {words} before it was told")), "{report}");
    }
    // After the verdict, at QUIT.
    let output = run(&["-q"], &["{socket}", "Q=!abort"]);
    assert_eq!(status(&output), 70, "{}", stderr(&output));
    assert!(stderr(&output).contains("milter-try: the milter was killed by signal 6"));
}

#[test]
fn a_milter_that_ignores_sigterm_is_killed() {
    let output = run(&["--grace", "0.1"], &["--deaf", "{socket}"]);
    assert_eq!(status(&output), 70, "{}", stderr(&output));
    let error = "milter-try: the milter did not stop within 0.1 s of SIGTERM and was killed\n";
    assert!(stderr(&output).starts_with(error), "{}", stderr(&output));
    let end = "\nMilter     did not stop on SIGTERM in time and was killed\n";
    assert!(stdout(&output).ends_with(end), "{}", stdout(&output));
}

#[test]
fn an_occupied_socket_is_not_taken_for_the_milters() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let _listener = UnixListener::bind(&path).unwrap();
    let spec = format!("unix:{}", path.display());
    let output = run(&[], &[&spec]);
    assert_eq!(status(&output), 69);
    let error = stderr(&output);
    assert!(error.contains(&format!("talk to it with --connect {spec}")), "{error}");
}

#[test]
fn a_left_over_socket_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    bind(socket.unwrap(), &SocketAddrUnix::new(&path).unwrap()).unwrap();
    let output = run(&[], &[&format!("unix:{}", path.display())]);
    assert_eq!(status(&output), 69);
    let error = stderr(&output);
    assert!(error.contains(&format!("from an earlier run is at {}", path.display())), "{error}");
}

#[test]
fn the_library_is_handed_to_the_milter() {
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("libx.so");
    std::fs::write(&library, b"not a library").unwrap();
    let library = library.canonicalize().unwrap();
    let show = "echo \"preload=$LD_PRELOAD\"; ls -l ${LD_LIBRARY_PATH%%:*}; exit 9";
    let words = ["--socket", "unix:/no/such", "--library", library.to_str().unwrap(), "--"];
    let mut command = milter_try(&words);
    let output = command.args(["sh", "-c", show]).output().unwrap();
    let error = stderr(&output);
    assert_eq!(status(&output), 69);
    assert!(error.contains(&format!("preload={}", library.display())), "{error}");
    for name in ["libmilter.so.1.0.1", "libmilter.so.1.0", "libmilter.so.6"] {
        assert!(error.contains(&format!("{name} -> {}", library.display())), "{error}");
    }
    let output = milter_try(&["--library", "/no/such.so", "--", "m", "{socket}"]).output().unwrap();
    assert_eq!(status(&output), 64);
    assert!(stderr(&output).contains("--library: cannot use /no/such.so"));
}

#[test]
fn a_milter_that_has_not_loaded_the_library_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("libx.so");
    std::fs::write(&library, b"not a library").unwrap();
    let words = ["--library", library.to_str().unwrap(), "--", FAKE, "{socket}"];
    let output = milter_try(&words).output().unwrap();
    assert_eq!(status(&output), 0);
    let report = stdout(&output);
    assert!(report.contains("Library    the milter has not loaded "), "{report}");
}

#[test]
fn an_interrupted_run_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    // The milter never answers HELO, so that there is time to interrupt.
    let mut child = milter_try(&["--linked", "--", "sh", "-c"])
        .arg(format!("echo $$ >{}/pid; exec {FAKE} {{socket}} H=", directory.path().display()))
        .env("TMPDIR", directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut report = child.stdout.take().unwrap();
    let mut seen = String::new();
    while !seen.contains("  helo ") {
        let mut bytes = [0; 256];
        let count = report.read(&mut bytes).unwrap();
        assert!(count > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
    let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    eventually("the end of the milter", || test_kill_process(pid).is_err());
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn the_command_in_the_report_can_be_pasted() {
    let output = run(&[], &["{socket}", "M=y550 5.7.1 it's no\\0"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    let line = shown.lines().find(|line| line.starts_with("Milter")).expect("what was started");
    let echoed = Command::new("sh").args(["-c", &format!("printf '%s|' {}", &line[11..])]).output();
    let words = String::from_utf8(echoed.unwrap().stdout).unwrap();
    assert!(words.ends_with("|M=y550 5.7.1 it's no\\0|"), "{words}");
}
