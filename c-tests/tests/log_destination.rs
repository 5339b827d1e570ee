//! `LIBMILTER_LOG`: where log lines go besides the system log.

use c_tests::output::output_within;
use c_tests::{Compile, Linkage, Program, syslog};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// What leads to the line below.
const CALLS: [&str; 3] = ["register=0x01000001,f", "setconn=fd:x", "opensocket=0"];
const LINE: &str = "f: expected positive integer as fd, got x";

fn program() -> Program {
    Compile::c("programs/calls.c").flag("-D_GNU_SOURCE").build().unwrap()
}

/// What a program has left behind.
struct Left {
    dir: TempDir,
    /// Of the program itself.
    stderr: String,
}

impl Left {
    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }

    /// Lines of the system log.
    fn syslog(&self) -> String {
        self.file("syslog")
    }
}

/// Runs a shell's command line with the program as `"$@"` and the variable set.
fn run(linkage: Linkage, setting: &str, script: &str, calls: &[&str]) -> Left {
    let dir = tempfile::tempdir().unwrap();
    prepared(dir, linkage, setting, script, calls)
}

fn prepared(dir: TempDir, linkage: Linkage, setting: &str, script: &str, calls: &[&str]) -> Left {
    let filter = linkage.command(&program()).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(filter.get_program()).args(calls);
    shell.arg("main").current_dir(dir.path());
    c_tests::start::copy_variables(&filter, &mut shell);
    // The shell must not begin afresh, nor the program behind it, which would close what it is handed.
    shell.env_remove("SYSLOG_SHIM_START");
    shell.env("LIBMILTER_LOG", setting.replace("{dir}", dir.path().to_str().unwrap()));
    syslog::Log::attach(&mut shell, dir.path().join("syslog"));
    let done = output_within(&mut shell, PATIENCE).unwrap();
    assert!(done.status.success(), "{done:?}");
    Left { dir, stderr: String::from_utf8(done.stderr).unwrap() }
}

/// The line with its time and process; nothing where it has another form.
fn stamped(line: &str) -> Option<&str> {
    let (time, rest) = line.split_once(" [")?;
    let (process, text) = rest.split_once("] ")?;
    let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    (form == "0000-00-00T00:00:00.000Z" && process.parse::<u32>().is_ok()).then_some(text)
}

fn texts(lines: &str) -> Vec<&str> {
    lines.lines().map(|line| stamped(line).unwrap_or(line)).collect()
}

fn wanted() -> String {
    format!("err: {LINE}")
}

#[test]
fn standard_error() {
    for linkage in [Linkage::OursDynamic, Linkage::OursStatic, Linkage::OursPreload] {
        let left = run(linkage, "stderr", "exec \"$@\"", &CALLS);
        assert!(texts(&left.stderr).contains(&wanted().as_str()), "{}", left.stderr);
        assert_eq!(left.syslog(), "");
    }
}

#[test]
fn the_reference_knows_the_system_log_only() {
    let left = run(Linkage::ReferenceDynamic, "stderr", "exec \"$@\"", &CALLS);
    assert!(left.syslog().contains(LINE), "{}", left.syslog());
}

#[test]
fn another_descriptor() {
    // The program closes all from 3 on when it begins.
    let left = run(Linkage::OursDynamic, "fd:1", "exec \"$@\" >one", &CALLS);
    let one = left.file("one");
    assert!(texts(&one).contains(&wanted().as_str()), "{one}");
    assert_eq!(left.syslog(), "");
}

#[test]
fn what_a_daemon_has_closed_gets_nothing() {
    let mut calls = CALLS.to_vec();
    calls.insert(1, "close=2");
    let left = run(Linkage::OursDynamic, "stderr", "exec \"$@\"", &calls);
    assert!(!left.stderr.contains(LINE), "{}", left.stderr);
    assert!(left.syslog().contains(LINE), "{}", left.syslog());
}

#[test]
fn a_file_is_made_for_its_owner_and_added_to() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("old"), "before\n").unwrap();
    let setting = format!("{}/old", dir.path().display());
    let left = prepared(dir, Linkage::OursDynamic, &setting, "exec \"$@\"", &CALLS);
    let old = left.file("old");
    assert!(old.starts_with("before\n"), "{old}");
    assert!(texts(&old).contains(&wanted().as_str()), "{old}");
    let left = run(Linkage::OursDynamic, "{dir}/new", "umask 0; exec \"$@\"", &CALLS);
    assert!(left.file("new").contains(LINE));
    let mode = std::fs::metadata(left.dir.path().join("new")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(left.syslog(), "");
}

#[test]
fn what_cannot_be_written_goes_to_the_system_log() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("target"), "").unwrap();
    symlink("target", dir.path().join("link")).unwrap();
    let setting = format!("{}/link", dir.path().display());
    let left = prepared(dir, Linkage::OursDynamic, &setting, "exec \"$@\"", &CALLS);
    assert_eq!(left.file("target"), "");
    assert!(left.syslog().contains(LINE));
    let left = run(Linkage::OursDynamic, "/missing/log", "exec \"$@\"", &CALLS);
    assert!(left.syslog().contains(LINE));
    let left = run(Linkage::OursDynamic, "syslog", "exec \"$@\"", &CALLS);
    assert!(left.syslog().contains(LINE));
    assert_eq!(left.stderr, "");
}

#[test]
fn settings_that_mean_nothing_are_told() {
    for setting in ["", "console", "logs/filter", "fd:", "fd:900"] {
        let left = run(Linkage::OursDynamic, setting, "exec \"$@\"", &CALLS);
        let told = format!(
            "warning f: LIBMILTER_LOG={setting} is none of syslog, stderr, auto, fd: and the number of \
             an open descriptor, an absolute path; the system log is used"
        );
        assert!(left.syslog().lines().any(|line| line == told), "{}", left.syslog());
        assert!(left.syslog().contains(LINE));
    }
}

/// systemd gives a service a socket for its standard error, and names it.
#[test]
fn the_journal_gets_priorities() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal");
    std::fs::write(&file, "").unwrap();
    let named = std::fs::metadata(&file).unwrap();
    let script = format!("JOURNAL_STREAM={}:{} exec \"$@\" 2>>journal", named.dev(), named.ino());
    let left = prepared(dir, Linkage::OursDynamic, "stderr", &script, &CALLS);
    let journal = left.file("journal");
    assert!(journal.lines().any(|line| line == format!("<3>{LINE}")), "{journal}");
}

/// Where there is a system log it is used, as by default; in a container there is none.
#[test]
fn whichever_there_is() {
    let there =
        UnixDatagram::unbound().is_ok_and(|socket| socket.connect(Path::new("/dev/log")).is_ok());
    let left = run(Linkage::OursDynamic, "auto", "exec \"$@\"", &CALLS);
    assert_eq!(left.syslog().contains(LINE), there, "{}", left.syslog());
    assert_eq!(left.stderr.contains(LINE), !there, "{}", left.stderr);
}

#[test]
fn the_start_of_a_run_is_told_where_lines_were_asked_for() {
    let calls = ["register=0x01000001,f", "setconn=inet:0@127.0.0.1", "stop"];
    let told = |setting, more: &[&str]| {
        let left = run(Linkage::OursDynamic, setting, "exec \"$@\"", &[&calls[..], more].concat());
        let lines = format!("{}{}", left.stderr, left.syslog());
        lines.lines().find(|line| line.contains(" serves ")).map(str::to_owned)
    };
    let line = told("stderr", &[]).unwrap();
    let text = stamped(&line).unwrap();
    let (library, rest) = text.split_once(" (").unwrap();
    let (file, how) = rest.split_once(')').unwrap();
    assert!(library.starts_with("info: f: libmilter in Rust, version "), "{line}");
    assert!(Path::new(file).ends_with("libmilter.so.1.0.1"), "{line}");
    assert_eq!(
        how,
        " serves inet:0@127.0.0.1: a pool of threads, timeout 7210 s, stops within 8 s"
    );
    assert!(told("syslog", &[]).unwrap().starts_with("info f: libmilter in Rust"));
    // Nothing is asked for here, but for debug output.
    assert!(told("none", &["setdbg=1"]).unwrap().starts_with("debug f: libmilter in Rust"));
    assert_eq!(told("none", &[]), None);
}
