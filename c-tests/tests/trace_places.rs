//! `LIBMILTER_TRACE`: where lines go, and what becomes of them where that does not work.

use super::runtime_support::{Filter, eventually, program};
use super::trace::Traced;
use c_tests::Linkage;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a shell's command line with the filter as `"$@"`.
fn through_shell(script: &str, dir: &Path, setting: &str) -> Filter {
    let filter = Linkage::OursDynamic.command(&program()).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(filter.get_program());
    c_tests::start::copy_variables(&filter, &mut shell);
    shell.env_remove("SYSLOG_SHIM_START");
    shell.env("LIBMILTER_TRACE", setting).env("DIR", dir);
    let filter = Filter::launch_command(shell, "unix:{dir}/socket", &[]);
    filter.wait_for("ready ");
    filter
}

/// Descriptors of the filter that are open on a file.
fn open_on(filter: &Filter, path: &Path) -> Vec<u32> {
    let dir = PathBuf::from(format!("/proc/{}/fd", filter.milter.pid()));
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let numbers = fs::read_dir(&dir).unwrap().flatten();
    let numbers = numbers.filter(|entry| identity(&entry.path()) == identity(path));
    numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[test]
fn standard_error() {
    let dir = tempfile::tempdir().unwrap();
    let filter = through_shell("exec \"$@\" 2>\"$DIR/errors\"", dir.path(), "stderr");
    filter.session("s").quit();
    filter.stop();
    let text = fs::read_to_string(dir.path().join("errors")).unwrap();
    assert!(text.contains("> connect \"s\"") && text.contains("< close"), "{text}");
}

#[test]
fn a_file_is_made_for_its_owner_alone_and_stays_with_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace");
    let filter = through_shell("umask 0; exec \"$@\"", dir.path(), path.to_str().unwrap());
    filter.session("s").quit();
    let fds = open_on(&filter, &path);
    assert!(fds.len() == 1 && fds[0] >= 3, "{fds:?}");
    let info = fs::read_to_string(format!("/proc/{}/fdinfo/{}", filter.milter.pid(), fds[0]));
    let flags = info
        .unwrap()
        .lines()
        .find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    assert!(OFlags::from_bits_retain(flags.unwrap()).contains(OFlags::CLOEXEC | OFlags::APPEND));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    filter.signal(rustix::process::Signal::TERM);
    filter.returned(1);
    assert_eq!(open_on(&filter, &path), [0; 0]);
    filter.end();
}

#[test]
fn a_link_is_not_followed_and_sessions_do_without() {
    let dir = tempfile::tempdir().unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    fs::write(&target, "").unwrap();
    symlink(&target, &link).unwrap();
    let filter = through_shell("exec \"$@\"", dir.path(), link.to_str().unwrap());
    let mut session = filter.session("s");
    session.mail();
    session.rest();
    session.quit();
    let (_, log) = filter.stop();
    assert_eq!(fs::read(&target).unwrap(), b"");
    let told = |part: &str| log.iter().filter(|line| line.contains(part)).count();
    assert_eq!(told("lines of the trace can't be written and are left out: "), 1, "{log:?}");
    assert_eq!(told("lines of the trace could not be written"), 1, "{log:?}");
}

#[test]
fn files_are_rotated_by_size() {
    let traced = Traced::start(&[("LIBMILTER_TRACE_FILE_BYTES", "3000")], &[]);
    for n in 0..40 {
        let mut session = traced.filter.session(&format!("s{n}"));
        session.mail();
        session.rest();
        session.quit();
    }
    let old = traced.dir.path().join("trace.old");
    let (text, before) = (traced.read(), fs::read_to_string(&old).unwrap());
    assert!(before.len() >= 3000 && before.len() < 3400 && text.len() < 3400);
    assert!(before.ends_with('\n') && text.ends_with('\n') && !text.is_empty());
    assert_eq!(fs::read_dir(traced.dir.path()).unwrap().count(), 2);
    assert_eq!(fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o600);
    // No line is lost in between.
    let ended = |n: usize| format!("{before}{text}").contains(&format!("{n} "));
    assert!((39..=40).all(ended));
    // Somebody else may rotate it, too.
    fs::rename(&traced.path, traced.dir.path().join("moved")).unwrap();
    traced.filter.session("later").quit();
    assert!(traced.read().starts_with("41 "), "{}", traced.read());
    traced.filter.stop();
}

#[test]
fn a_pipe_that_nobody_reads_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let script = "mkfifo \"$DIR/pipe\"; exec 9<>\"$DIR/pipe\"; exec \"$@\"";
    let filter = through_shell(script, dir.path(), "fd:9");
    let message = |name: &str| {
        let mut session = filter.session(name);
        session.mail();
        session.rest();
        session.quit();
    };
    // More than a pipe takes, which is 64 kB as a rule.
    (0..60).for_each(|n| message(&format!("s{n}")));
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let fd = rustix::fs::open(dir.path().join("pipe"), flags, Mode::empty()).unwrap();
    let mut pipe = File::from(fd);
    let mut read = || {
        let mut bytes = Vec::new();
        let _would_block = pipe.read_to_end(&mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    let text = read();
    assert!(text.starts_with("1 ") && text.ends_with('\n') && !text.contains(" lost "), "{text}");
    message("later");
    let text = read();
    let (first, rest) = text.split_once('\n').unwrap();
    let lost = first.strip_prefix("- - - - lost ").unwrap();
    let lost: usize = lost.strip_suffix(" lines could not be written").unwrap().parse().unwrap();
    assert!(lost > 100 && rest.starts_with("61 "), "{text}");
    let (_, log) = filter.stop();
    assert!(log.iter().any(|line| line.contains(&format!("{lost} lines of the trace"))), "{log:?}");
}

/// By number, with the number free afterwards, or given to a file of the filter's own.
#[test]
fn a_filter_that_closes_the_trace_loses_nothing() {
    for threads in ["pool", "session"] {
        for replaced in [false, true] {
            let traced = Traced::start(&[("LIBMILTER_THREADS", threads)], &[]);
            let own = traced.dir.path().join("own");
            fs::write(&own, "").unwrap();
            let mut session = traced.filter.session("s");
            let fds = open_on(&traced.filter, &traced.path);
            assert_eq!(fds.len(), 1, "{fds:?}");
            let what = if replaced { own.to_str().unwrap() } else { "-" };
            session.task("envfrom", &format!("close {} {what}", fds[0]));
            session.mail();
            traced.filter.wait_for("closed ");
            session.rest();
            session.quit();
            let text = traced.read();
            assert!(text.contains("callback xxfi_envfrom") && text.contains("< close"), "{text}");
            assert_eq!(fs::read(&own).unwrap(), b"", "{text}");
            traced.filter.stop();
        }
    }
}

#[test]
fn lines_go_on_when_descriptors_run_out() {
    let traced = Traced::start(&[], &["nofile=64"]);
    let first = traced.filter.session("first");
    let mut others: Vec<_> = (0..80).map(|_| traced.filter.connect()).collect();
    eventually("descriptors run out", || {
        traced.filter.log().iter().any(|line| line.contains("connections wait until one ends"))
    });
    let before = traced.read().len();
    let mut first = first;
    first.mail();
    first.rest();
    assert!(traced.read()[before..].contains("callback xxfi_eom"), "{}", traced.read());
    others.clear();
    first.quit();
    traced.filter.stop();
}

#[test]
fn a_filter_that_forks_before_its_run_is_traced() {
    let traced = Traced::start(&[], &["fork=1"]);
    traced.filter.session("s").quit();
    let text = traced.read();
    assert!(text.contains("> connect \"s\"") && text.contains("< close"), "{text}");
    traced.filter.stop();
}

/// Debug output goes where it always has gone, and says what it always has said.
#[test]
fn debug_output_is_another_thing() {
    let lines = |linkage: Linkage, traced: bool| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace");
        let mut command = linkage.command(&program()).unwrap();
        if traced {
            command.env("LIBMILTER_TRACE", &path);
        }
        let filter = Filter::launch_command(command, "unix:{dir}/socket", &["debug=6"]);
        filter.wait_for("ready ");
        filter.session("s").quit();
        filter.wait_for("s closed");
        let (events, _) = filter.stop();
        assert_eq!(path.exists(), traced);
        events.into_iter().filter(|line| line.starts_with("[1] ")).collect::<Vec<_>>()
    };
    let plain = lines(Linkage::OursDynamic, false);
    assert!(plain.contains(&"[1] got cmd Connect len 3".to_owned()), "{plain:?}");
    assert_eq!(lines(Linkage::OursDynamic, true), plain);
}

#[test]
fn settings_that_mean_nothing_are_told() {
    for (variable, value, told) in [
        (
            "LIBMILTER_TRACE",
            "x/y",
            "is none of stderr, fd: and the number of an open descriptor, an absolute path; there is no trace",
        ),
        (
            "LIBMILTER_TRACE",
            "fd:900",
            "is none of stderr, fd: and the number of an open descriptor, an absolute path; there is no trace",
        ),
        ("LIBMILTER_TRACE_FORMAT", "xml", "is none of text, json, capture; text is used"),
        ("LIBMILTER_TRACE_TEXT_BYTES", "0", "is not a positive number; 64 is used"),
        ("LIBMILTER_TRACE_FILE_BYTES", "1M", "is not a positive number; 104857600 is used"),
        ("LIBMILTER_TRACE_EVERY", "-1", "is not a positive number; 1 is used"),
        (
            "LIBMILTER_TRACE_CLIENTS",
            "host",
            "is no list of IP addresses or networks, separated by commas; there is no trace",
        ),
    ] {
        let traced = Traced::start(&[(variable, value)], &[]);
        traced.filter.session("s").quit();
        let exists = traced.path.exists();
        let (_, log) = traced.filter.stop();
        let line = format!("{variable}={value} {told}");
        assert!(log.iter().any(|found| found.ends_with(&line)), "{line}: {log:?}");
        assert_eq!(exists, !told.ends_with("no trace"), "{line}");
    }
}
