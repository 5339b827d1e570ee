//! A whole session without a socket or a thread: packets in, callbacks and responses out.
//!
//! Packets and callback arguments are written with `|` in place of NUL, a packet's first character
//! being its letter. What a packet leads to is one line: callbacks in order, `>`, responses in
//! order, and `bye` if the connection is to be closed.

mod context;
mod ending;
mod mistakes;
mod negotiation;
mod order;
mod overrun;
mod random;
mod replies;
mod settled;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{Context, Filter, Flow, Output, Report, SendError, Session};
use crate::proto::address::Address;
use crate::proto::codes::{DEFAULT_MAX_DATA_SIZE, status};
use crate::proto::command::Command;
use crate::proto::negotiate::{FilterTraits, Offer, Request};
use crate::proto::response::{Payload, encode};

/// The offer of a current MTA: version 6, all actions, all protocol flags.
const OFFER: [u32; 3] = [6, 0x1ff, 0x1f_ffff];

/// What a callback does beside returning a result.
type Action = Box<dyn Fn(&Context, Command) + Send + Sync>;

/// A packet: letter and payload.
type Packet = (u8, Vec<u8>);

/// Scripts the callbacks and keeps what they were given.
struct Fake {
    traits: FilterTraits,
    /// Commands whose callback is missing.
    missing: Vec<Command>,
    /// Results to come, by command.
    results: Mutex<Vec<(Command, VecDeque<i32>)>>,
    /// Results of callbacks without any above; CONTINUE when there is none.
    others: Mutex<VecDeque<i32>>,
    /// Result of `xxfi_negotiate` and the protocol flags it asks for in place of the defaults.
    negotiate: (i32, Option<u32>),
    action: Action,
    calls: Mutex<Vec<Call>>,
}

/// A callback with its arguments and result.
struct Call {
    command: Command,
    text: String,
    result: i32,
}

impl Fake {
    fn called(&self, context: &Context, command: Command, text: String) -> i32 {
        (self.action)(context, command);
        let mut results = self.results.lock();
        let queue = results.iter_mut().find(|(c, _)| *c == command);
        let own = queue.and_then(|(_, queue)| queue.pop_front());
        let result = own.or_else(|| self.others.lock().pop_front()).unwrap_or(status::CONTINUE);
        self.calls.lock().push(Call { command, text, result });
        result
    }
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\x00", "|")
}

impl Filter for Fake {
    fn traits(&self) -> FilterTraits {
        self.traits
    }

    fn serves(&self, command: Command) -> bool {
        !self.missing.contains(&command)
    }

    fn negotiate(&self, context: &Context, offer: &Offer, request: &mut Request) -> i32 {
        let (result, protocol) = self.negotiate;
        request.protocol = protocol.unwrap_or(request.protocol);
        let text = format!("negotiate {:x} {:x}", offer.actions, offer.shown_protocol());
        let _scripted_above = self.called(context, Command::Negotiate, text);
        result
    }

    fn connect(&self, context: &Context, host: &mut [u8], address: &Address) -> i32 {
        self.called(context, Command::Connect, format!("connect {} {address:?}", shown(host)))
    }

    fn helo(&self, context: &Context, name: &mut [u8]) -> i32 {
        self.called(context, Command::Helo, format!("helo {}", shown(name)))
    }

    fn envelope(&self, context: &Context, command: Command, strings: &mut [u8]) -> Option<i32> {
        let name = if command == Command::Mail { "envfrom" } else { "envrcpt" };
        Some(self.called(context, command, format!("{name} {}", shown(strings))))
    }

    fn header(&self, context: &Context, strings: &mut [u8], value: usize) -> i32 {
        let (name, value) = strings.split_at(value);
        let text = format!("header {}{}", shown(name), shown(value));
        self.called(context, Command::Header, text)
    }

    fn body(&self, context: &Context, chunk: &mut [u8]) -> i32 {
        self.called(context, Command::Body, format!("body {}", shown(chunk)))
    }

    fn unknown(&self, context: &Context, text: &mut [u8]) -> i32 {
        self.called(context, Command::Unknown, format!("unknown {}", shown(text)))
    }

    fn event(&self, context: &Context, command: Command) -> i32 {
        let name = match command {
            Command::Data => "data",
            Command::Eoh => "eoh",
            Command::Eom => "eom",
            Command::Abort => "abort",
            Command::Quit => "close",
            _ => "other",
        };
        self.called(context, command, name.to_owned())
    }
}

/// Keeps responses and reports; can be told to fail.
#[derive(Default)]
struct Recorder {
    responses: Mutex<Vec<Packet>>,
    reports: Mutex<Vec<String>>,
    broken: AtomicBool,
}

impl Output for Recorder {
    fn send(&self, letter: u8, payload: Payload<'_>, _now: bool) -> Result<(), SendError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(SendError);
        }
        let mut packet = Vec::new();
        encode(&mut packet, letter, payload).unwrap();
        self.responses.lock().push((letter, packet.split_off(5)));
        Ok(())
    }

    fn report(&self, report: Report<'_>) {
        self.reports.lock().push(report.text(1));
    }

    fn debugs(&self, _level: i32) -> bool {
        true
    }

    fn debug(&self, _line: std::fmt::Arguments<'_>) {}
}

/// A session with its filter and its MTA's end.
struct Play {
    session: Session,
    filter: Fake,
    output: Arc<Recorder>,
    limit: Arc<AtomicUsize>,
}

impl Play {
    /// A filter with all callbacks that agrees to everything by default, before negotiation.
    fn fresh(missing: &[Command]) -> Play {
        let filter = Fake {
            traits: FilterTraits { actions: 0x1ff, ..FilterTraits::default() },
            missing: missing.to_vec(),
            results: Mutex::default(),
            others: Mutex::default(),
            negotiate: (status::CONTINUE, Some(0)),
            action: Box::new(|_, _| ()),
            calls: Mutex::default(),
        };
        let output = Arc::new(Recorder::default());
        let limit = Arc::new(AtomicUsize::new(DEFAULT_MAX_DATA_SIZE));
        let session =
            Session::new(filter.traits, Arc::<Recorder>::clone(&output), Arc::clone(&limit), false);
        Play { session, filter, output, limit }
    }

    /// A session in which the filter asked for these protocol flags, up to HELO.
    fn agreed(missing: &[Command], protocol: u32) -> Play {
        let mut play = Play::fresh(missing);
        play.filter.negotiate.1 = Some(protocol);
        let (flow, _, responses) = play.packet(b'O', &offer(OFFER));
        assert_eq!((flow, responses.len()), (Flow::Continue, 1));
        play
    }

    /// As [`Play::agreed`], with a first recipient accepted.
    fn with_recipient(missing: &[Command], protocol: u32) -> Play {
        let mut play = Play::agreed(missing, protocol);
        play.run(&["Ch|U", "Hme|", "M<a>|", "R<b>|"]);
        play
    }

    /// Lines up the next result of a callback.
    fn returns(&mut self, command: Command, result: i32) -> &mut Play {
        let mut results = self.filter.results.lock();
        match results.iter_mut().find(|(c, _)| *c == command) {
            Some((_, queue)) => queue.push_back(result),
            None => results.push((command, VecDeque::from([result]))),
        }
        drop(results);
        self
    }

    /// Has all callbacks do something.
    fn act(&mut self, action: impl Fn(&Context, Command) + Send + Sync + 'static) -> &mut Play {
        self.filter.action = Box::new(action);
        self
    }

    /// Hands a packet over: what flows, which callbacks ran, which responses went out.
    fn packet(&mut self, letter: u8, payload: &[u8]) -> (Flow, Vec<Call>, Vec<Packet>) {
        let mut bytes = payload.to_vec();
        bytes.push(0);
        let flow = self.session.handle(&self.filter, letter, &mut bytes);
        let calls = std::mem::take(&mut *self.filter.calls.lock());
        (flow, calls, std::mem::take(&mut *self.output.responses.lock()))
    }

    /// Hands a packet over and shows what it led to.
    fn say(&mut self, packet: &str) -> String {
        let bytes = packet.replace('|', "\0").into_bytes();
        let (letter, payload) = bytes.split_first().unwrap();
        let (flow, calls, responses) = self.packet(*letter, payload);
        show(&calls, &responses, flow == Flow::Close)
    }

    /// Hands packets over whose outcome does not matter, save that the session goes on.
    fn run(&mut self, packets: &[&str]) {
        for packet in packets {
            let shown = self.say(packet);
            assert!(!shown.ends_with("bye"), "{packet}: {shown}");
        }
    }

    /// Hands packets over and compares each outcome.
    fn check(&mut self, expected: &[(&str, &str)]) {
        for (packet, outcome) in expected {
            assert_eq!(self.say(packet), *outcome, "{packet}");
        }
    }

    /// Ends the session and shows which callbacks that led to.
    fn finish(&mut self) -> String {
        self.session.finish(&self.filter);
        texts(&std::mem::take(&mut *self.filter.calls.lock()))
    }

    /// Takes the log lines so far.
    fn reports(&self) -> Vec<String> {
        std::mem::take(&mut *self.output.reports.lock())
    }
}

fn texts(calls: &[Call]) -> String {
    calls.iter().map(|call| call.text.as_str()).collect::<Vec<_>>().join(", ")
}

fn show(calls: &[Call], responses: &[Packet], closed: bool) -> String {
    let mut words = texts(calls);
    if !responses.is_empty() {
        words.push_str(" >");
    }
    for (letter, payload) in responses {
        words.push_str(&format!(" {}{}", letter.escape_ascii(), shown(payload)));
    }
    if closed {
        words.push_str(" bye");
    }
    words.trim_start().to_owned()
}

/// Payload of an offer.
fn offer(numbers: [u32; 3]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}
