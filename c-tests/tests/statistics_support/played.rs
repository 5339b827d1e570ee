//! Sessions of which all is expected that is to be counted.

use super::Counted;
use crate::runtime_support::Session;
use milter_mta::client::{Direction, Tap};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often something is to have been counted, by its line.
pub(crate) type Expected = BTreeMap<String, u64>;

pub(crate) fn expect(expected: &mut Expected, line: impl Into<String>, more: u64) {
    *expected.entry(line.into()).or_default() += more;
}

/// Bytes of a connection, in both directions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytes([Arc<AtomicU64>; 2]);

impl Bytes {
    /// Those to the filter, and those from it.
    pub(crate) fn counts(&self) -> [u64; 2] {
        self.0.clone().map(|count| count.load(Ordering::Relaxed))
    }
}

impl Tap for Bytes {
    fn bytes(&mut self, direction: Direction, bytes: &[u8]) {
        let [sent, received] = &self.0;
        let count = if direction == Direction::Sent { sent } else { received };
        count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    fn closed(&mut self, _: Direction) {}
}

/// A session of which all is expected that it does.
struct Played<'a> {
    session: Session,
    expected: &'a mut Expected,
}

fn stage(letter: u8) -> &'static str {
    match letter {
        b'H' => "helo",
        b'M' => "mail",
        b'R' => "rcpt",
        b'T' => "data",
        b'L' => "header",
        b'N' => "eoh",
        b'B' => "body",
        b'E' => "eom",
        b'U' => "unknown",
        _ => unreachable!(),
    }
}

fn verdict(reply: char) -> &'static str {
    match reply {
        'c' => "continue",
        'a' => "accept",
        'r' => "reject",
        't' => "tempfail",
        'd' => "discard",
        _ => unreachable!(),
    }
}

impl Played<'_> {
    fn begin<'a>(counted: &Counted, bytes: &Bytes, expected: &'a mut Expected) -> Played<'a> {
        let mut session = Session { client: counted.filter.connect() };
        session.client.set_tap(Box::new(bytes.clone()));
        session.introduce("played");
        expect(expected, "libmilter_sessions_total", 1);
        let mut played = Played { session, expected };
        played.called("connect");
        played.replied("connect", 'c');
        played
    }

    fn called(&mut self, stage: &str) {
        let lines = [
            format!("count{{stage=\"{stage}\"}}"),
            format!("bucket{{stage=\"{stage}\",le=\"+Inf\"}}"),
        ];
        for rest in lines {
            expect(self.expected, format!("libmilter_callback_duration_seconds_{rest}"), 1);
        }
    }

    fn replied(&mut self, stage: &str, reply: char) {
        let verdict = verdict(reply);
        let line = format!("libmilter_verdicts_total{{stage=\"{stage}\",verdict=\"{verdict}\"}}");
        expect(self.expected, line, 1);
    }

    /// Sends a command, whose callback is called and which is replied so.
    fn ask(&mut self, letter: u8, strings: &[&str], reply: char) {
        assert_eq!(self.session.ask(letter, strings), reply, "{}", letter as char);
        self.called(stage(letter));
        self.replied(stage(letter), reply);
        if letter == b'M' {
            expect(self.expected, "libmilter_messages_total", 1);
        }
    }

    fn task(&mut self, task: &str) {
        self.ask(b'H', &[task], 'c');
    }

    fn message(&mut self, end: char) {
        self.ask(b'M', &["<a@example.org>"], 'c');
        self.ask(b'R', &["<b@example.net>"], 'c');
        self.rest(end);
    }

    fn rest(&mut self, end: char) {
        let parts = [(b'T', &[][..]), (b'L', &["Subject", "x"]), (b'L', &["To", "y"]), (b'N', &[])];
        parts.into_iter().for_each(|(letter, strings)| self.ask(letter, strings, 'c'));
        self.ask(b'B', &["x"], 'c');
        self.ask(b'E', &[], end);
        let fate = match end {
            'c' | 'a' => "accepted",
            'r' => "rejected",
            't' => "tempfailed",
            _ => "discarded",
        };
        self.ended(fate);
    }

    fn ended(&mut self, fate: &str) {
        expect(self.expected, format!("libmilter_messages_ended_total{{result=\"{fate}\"}}"), 1);
    }

    fn close(mut self, reason: &str) -> Session {
        self.called("close");
        let line = format!("libmilter_sessions_ended_total{{reason=\"{reason}\"}}");
        expect(self.expected, line, 1);
        self.session
    }
}

/// What can become of a message, each in a session of its own, and sessions that end in other ways.
pub(crate) fn play(counted: &Counted, bytes: &Bytes, expected: &mut Expected) {
    let mut plain = Played::begin(counted, bytes, expected);
    for _ in 0..2 {
        plain.message('c');
    }
    plain.ask(b'U', &["NOOP"], 'c');
    plain.close("quit").quit();
    for (task, end) in
        [("eom return 1", 'r'), ("eom return 4", 't'), ("eom return 2", 'd'), ("eom return 3", 'a')]
    {
        let mut session = Played::begin(counted, bytes, expected);
        session.task(task);
        session.message(end);
        session.close("quit").quit();
    }
    // One recipient is refused, the message goes on.
    let mut session = Played::begin(counted, bytes, expected);
    session.task("envrcpt return 1");
    session.ask(b'M', &["<a@example.org>"], 'c');
    session.ask(b'R', &["<b@example.net>"], 'r');
    session.rest('c');
    session.close("quit").quit();
    // A verdict before the end, and an MTA that goes on: it is counted once.
    let mut session = Played::begin(counted, bytes, expected);
    session.task("data return 4");
    session.ask(b'M', &["<a@example.org>"], 'c');
    session.ask(b'R', &["<b@example.net>"], 'c');
    session.ask(b'T', &[], 't');
    session.ended("tempfailed");
    for (letter, strings) in [(b'L', &["Subject", "x"][..]), (b'N', &[]), (b'E', &[])] {
        assert_eq!(session.session.ask(letter, strings), 't');
    }
    session.task("data return 0");
    session.message('c');
    session.close("quit").quit();
    // Given up by the MTA.
    let mut session = Played::begin(counted, bytes, expected);
    session.ask(b'M', &["<a@example.org>"], 'c');
    session.session.send(b'A', &[]);
    session.called("abort");
    session.ended("aborted");
    session.message('c');
    session.close("quit").quit();
    // Lost in a message, and between two.
    let mut session = Played::begin(counted, bytes, expected);
    session.ask(b'M', &["<a@example.org>"], 'c');
    session.called("abort");
    session.ended("aborted");
    drop(session.close("lost_in_message"));
    drop(Played::begin(counted, bytes, expected).close("hung_up"));
    // Out of order.
    let mut session = Played::begin(counted, bytes, expected);
    session.session.send(b'Z', &[]);
    session.session.closed();
    session.close("bad_command");
}
