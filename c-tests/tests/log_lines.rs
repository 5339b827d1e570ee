//! Text from outside in log lines: no control characters, and an end.

use c_tests::differences::assert_differs;
use c_tests::output::output_within;
use c_tests::{Compile, Linkage};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a line, without the priority that the shim puts in front.
const LINE_MAX: usize = 900;

/// Arguments of `programs/calls.c` with {x} for what is hostile, and the line that it has to lead to,
/// with {y} for how it is shown.
const CASES: [(&str, &str); 13] = [
    ("register=5,{x}", "{y}: smfi_register: version mismatch application: 5 != milter: 16777217"),
    ("register=0x01000001,{x} main", "{y}: missing connection information"),
    (
        "setconn={x}:x opensocket=0",
        "calls: unknown socket type {y} (expected unix, local, inet, inet6, fd, systemd or abstract before the first ':')",
    ),
    ("setconn={x}:x opensocket=0", "calls: Unable to create listening socket on conn {y}:x"),
    (
        "setconn=unix:/missing{x}/s opensocket=0",
        "calls: Unable to bind to port unix:/missing{y}/s: No such file or directory",
    ),
    (
        "setconn=/dev/null/{x} opensocket=1",
        "calls: Unable to stat() /dev/null/{y}: Not a directory",
    ),
    (
        "setconn=inet:{x} opensocket=0",
        "calls: unknown port name {y} (expected 0 to 65535 or the name of a TCP service)",
    ),
    ("setconn=inet:0@[{x}] opensocket=0", "calls: Invalid numeric domain spec \"[{y}]\""),
    ("setconn=inet:0@{x} opensocket=0", "calls: Unknown host name {y}"),
    ("setconn=fd:{x} opensocket=0", "calls: expected positive integer as fd, got {y}"),
    ("setdbg=1 setconn=fd:{x} opensocket=0", "calls: Opening listen socket on conn fd:{y}"),
    (
        "setconn=inet:0@127.0.0.1 stop main",
        "calls: LIBMILTER_MAX_THREADS={y} is not a positive number; no limit is set",
    ),
    (
        "setconn=inet:0@127.0.0.1 stop main",
        "calls: LIBMILTER_THREADS={y} is neither pool nor session; pool is used",
    ),
];

/// All that a terminal or a log would obey, then a line that looks like another of ours.
const HOSTILE: &[u8] = b"a\x1b[2J\r\t\x7f\xc2\x9b\xff\xe2\x80\xaeb\ncalls, x";
const SHOWN: &str = "a\\x1b[2J\\x0d\\x09\\x7f\\u{9b}\u{fffd}\\u{202e}b\\x0acalls, x";

fn logged(linkage: Linkage, arguments: &str, hostile: &[u8]) -> Vec<u8> {
    let program = Compile::c("programs/calls.c").flag("-D_GNU_SOURCE").build().unwrap();
    let mut command = linkage.command(&program).unwrap();
    if !arguments.contains("register") {
        command.arg("register=0x01000001");
    }
    for argument in arguments.split(' ') {
        let (before, after) = argument.split_once("{x}").unwrap_or((argument, ""));
        let mut bytes = before.as_bytes().to_vec();
        if argument.contains("{x}") {
            bytes.extend_from_slice(hostile);
        }
        bytes.extend_from_slice(after.as_bytes());
        command.arg(OsString::from_vec(bytes));
    }
    let hostile = std::ffi::OsStr::from_bytes(hostile);
    command.env("LIBMILTER_MAX_THREADS", hostile).env("LIBMILTER_THREADS", hostile);
    let log = tempfile::NamedTempFile::new().unwrap();
    command.env(c_tests::syslog::FILE_VARIABLE, log.path());
    let done = output_within(&mut command, PATIENCE).unwrap();
    assert!(done.status.success(), "{arguments}: {}", done.status);
    std::fs::read(log.path()).unwrap()
}

#[test]
fn control_characters_are_escaped() {
    for (arguments, line) in CASES {
        let log = String::from_utf8(logged(Linkage::OursDynamic, arguments, HOSTILE)).unwrap();
        let wanted = line.replace("{y}", SHOWN);
        let lines: Vec<&str> = log.lines().collect();
        let found = lines.iter().any(|line| line.split_once(' ').is_some_and(|(_, l)| l == wanted));
        assert!(found, "{arguments}: not {wanted:?} but {lines:#?}");
        let clean = |c: char| c == '\n' || !c.is_control();
        assert!(log.chars().all(clean), "{arguments}: {log:?}");
    }
}

#[test]
fn the_reference_writes_them_as_they_are() {
    let raw = |linkage| {
        let log = logged(linkage, "register=0x01000001,{x} main", HOSTILE);
        (log.contains(&b'\x1b'), log.split(|&b| b == b'\n').count() - 1)
    };
    let (reference, ours) = (raw(Linkage::ReferenceDynamic), raw(Linkage::OursDynamic));
    assert_differs("D71", (reference, (true, 2)), (ours, (false, 1)));
}

#[test]
fn lines_are_bounded_and_keep_their_ends() {
    let too_long = "calls: UNIX socket name /{y} too long (longest: 106 bytes)";
    // The program itself cuts the names of filters, and paths have a length of their own.
    let cases =
        CASES.into_iter().filter(|(_, line)| !line.contains('/') && line.starts_with("calls"));
    for (arguments, line) in cases.chain([("setconn=unix:/{x} opensocket=0", too_long)]) {
        let log =
            String::from_utf8(logged(Linkage::OursDynamic, arguments, &[b'x'; 20_000])).unwrap();
        let (begin, end) = line.split_once("{y}").unwrap();
        let mut lines = log.lines().map(|line| line.split_once(' ').unwrap().1);
        let found = |line: &str| {
            line.starts_with(begin)
                && line.contains("xxx...")
                && (end.starts_with([':', ']']) || line.ends_with(end))
        };
        assert!(lines.clone().any(found), "{arguments}: {log}");
        assert!(lines.all(|line| line.len() <= LINE_MAX), "{log}");
    }
}

/// A filter that calls something wrongly again and again, and then serves for a moment.
#[test]
fn a_flood_of_lines_is_cut_and_counted() {
    const CALLS: usize = 300;
    let arguments = ["setconn=nothing:x"].into_iter().chain(["opensocket=0"; CALLS]).chain([
        "setconn=inet:0@127.0.0.1",
        "stop",
        "main",
    ]);
    let log = logged(Linkage::OursDynamic, &arguments.collect::<Vec<_>>().join(" "), b"1");
    let log = String::from_utf8(log).unwrap();
    let about = |line: &&str| line.contains("unknown socket type") || line.contains("Unable to");
    let written = log.lines().filter(about).count();
    let left_out: Vec<usize> = log
        .lines()
        .filter_map(|line| {
            line.strip_suffix(" more messages were suppressed")?.split(' ').next_back()
        })
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(!left_out.is_empty(), "{log}");
    // Two lines for each call, and others of which some may be among those left out.
    let all = written + left_out.iter().sum::<usize>();
    assert!((2 * CALLS..2 * CALLS + 4).contains(&all), "{written} and {left_out:?}");
    // 200 in each ten seconds.
    assert!(written <= 200 * left_out.len(), "{written} lines, {left_out:?}");
}
