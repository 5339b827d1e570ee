//! A filter with a socket of statistics, and what is read there.

pub(crate) mod played;

use super::runtime_support::{BOUND, Filter, eventually, program};
use c_tests::{Linkage, public};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A filter that gives statistics.
pub(crate) struct Counted {
    pub(crate) filter: Filter,
    pub(crate) dir: TempDir,
}

/// Lines of numbers, by all that stands before them.
pub(crate) type Numbers = BTreeMap<String, f64>;

impl Counted {
    pub(crate) fn start(variables: &[(&str, &str)], options: &[&str]) -> Counted {
        let dir = public::tempdir().unwrap();
        let filter = start_at(&dir.path().join("stats"), variables, options);
        let counted = Counted { filter, dir };
        // The end of the first session is counted after its last callback.
        eventually("the first session has ended", || {
            counted.number("libmilter_sessions_open") == 0
        });
        counted
    }

    /// Where the statistics are.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("stats")
    }

    /// The page of numbers.
    pub(crate) fn text(&self) -> String {
        get(&self.path(), "/metrics")
    }

    pub(crate) fn numbers(&self) -> Numbers {
        numbers(&self.text())
    }

    /// One of the numbers.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let numbers = self.numbers();
        *numbers.get(name).unwrap_or_else(|| panic!("no {name} in {numbers:#?}")) as u64
    }
}

/// Starts a filter that gives statistics at a path.
pub(crate) fn start_at(path: &Path, variables: &[(&str, &str)], options: &[&str]) -> Filter {
    let mut command = Linkage::OursDynamic.command(&program()).unwrap();
    command.envs(variables.iter().copied()).env("LIBMILTER_STATS", path);
    let filter = Filter::launch_command(command, "unix:{dir}/socket", options);
    filter.wait_for("ready ");
    // The socket of statistics is opened after that, before anybody is served.
    drop(filter.session("first"));
    filter.wait_for("first closed");
    filter
}

/// What comes in return for some bytes, after which no more come if `over`.
pub(crate) fn exchange(path: &Path, bytes: &[u8], over: bool) -> String {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    socket.write_all(bytes).unwrap();
    if over {
        socket.shutdown(Shutdown::Write).unwrap();
    }
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

/// A page, without the head of HTTP.
pub(crate) fn get(path: &Path, page: &str) -> String {
    let request = format!("GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = exchange(path, request.as_bytes(), false);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    body.to_owned()
}

pub(crate) fn numbers(text: &str) -> Numbers {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut numbers = Numbers::new();
    for line in lines {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let before = numbers.insert(name.to_owned(), value.parse().unwrap());
        assert_eq!(before, None, "{line}");
    }
    numbers
}
