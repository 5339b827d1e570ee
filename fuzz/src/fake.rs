//! A filter that returns what the fuzzer wants and checks in which order it is called.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::proto::address::Address;
use crate::proto::codes::status;
use crate::proto::command::Command;
use crate::proto::negotiate::{FilterTraits, Offer, Request};
use crate::proto::response::{Payload, encode};
use crate::session::{Context, Filter, Output, Report, SendError};

/// Keeps responses; formats reports, as a log would.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) sent: Mutex<Vec<(u8, Vec<u8>)>>,
}

impl Output for Recorder {
    fn send(&self, letter: u8, payload: Payload<'_>, _now: bool) -> Result<(), SendError> {
        let mut packet = Vec::new();
        encode(&mut packet, letter, payload);
        self.sent.lock().push((letter, packet.split_off(5)));
        Ok(())
    }

    fn report(&self, report: Report<'_>) {
        assert!(!report.text(1).is_empty());
    }

    fn debugs(&self, _level: i32) -> bool {
        true
    }

    fn debug(&self, line: std::fmt::Arguments<'_>) {
        assert!(!line.to_string().is_empty());
    }
}

/// Scripted callbacks.
pub(crate) struct Fake {
    pub(crate) traits: FilterTraits,
    missing: u16,
    protocol: u32,
    results: Vec<u8>,
    next: AtomicUsize,
    /// A callback other than abort and close has run since the last close.
    connected: AtomicBool,
}

impl Fake {
    pub(crate) fn new(missing: u16, protocol: u32, results: &[u8]) -> Fake {
        Fake {
            traits: FilterTraits { actions: 0x1ff, ..FilterTraits::default() },
            missing,
            protocol,
            results: results.to_vec(),
            next: AtomicUsize::new(0),
            connected: AtomicBool::new(true),
        }
    }

    /// Every SMTP connection that a callback has seen was closed.
    pub(crate) fn check_end(&self) {
        let left = self.connected.load(Ordering::Relaxed) && self.serves(Command::Quit);
        assert!(!left, "no close callback");
    }

    fn called(&self, context: &Context, command: Command) -> i32 {
        self.connected.store(command != Command::Quit, Ordering::Relaxed);
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(&result) = self.results.get(next) else { return status::CONTINUE };
        if result & 0x40 != 0 {
            // Whether these are refused is decided by the agreement, and shows in what is sent.
            let _refused = context.add_header(Some(b"X"), Some(b"y"));
            let _refused = context.replace_body(b"z");
            let code: &[u8] = if result & 0x20 != 0 { b"554" } else { b"451" };
            context.set_reply(code, None, Some(b"text")).expect("a valid reply");
        }
        let macros = [&b"i"[..], b"{i}", b"{mail_addr}", b""];
        for name in macros {
            context.macro_value(name, |value| assert_eq!(value.last(), Some(&0)));
        }
        i32::from(result & 0x1f) - 2
    }
}

fn terminated(bytes: &[u8]) {
    assert_eq!(bytes.last(), Some(&0), "a string without NUL");
}

impl Filter for Fake {
    fn traits(&self) -> FilterTraits {
        self.traits
    }

    fn serves(&self, command: Command) -> bool {
        self.missing >> command.index() & 1 == 0
    }

    fn negotiate(&self, context: &Context, _offer: &Offer, request: &mut Request) -> i32 {
        request.protocol = self.protocol;
        self.called(context, Command::Negotiate);
        if self.protocol & 0x80_0000 != 0 { status::ALL_OPTS } else { status::CONTINUE }
    }

    fn connect(&self, context: &Context, host: &mut [u8], _address: &Address) -> i32 {
        terminated(host);
        self.called(context, Command::Connect)
    }

    fn helo(&self, context: &Context, name: &mut [u8]) -> i32 {
        terminated(name);
        self.called(context, Command::Helo)
    }

    fn envelope(&self, context: &Context, command: Command, strings: &mut [u8]) -> i32 {
        terminated(strings);
        self.called(context, command)
    }

    fn header(&self, context: &Context, strings: &mut [u8], value: usize) -> i32 {
        terminated(strings);
        terminated(&strings[..value]);
        assert!(value < strings.len());
        // Callbacks may write to what they get.
        strings.reverse();
        self.called(context, Command::Header)
    }

    fn body(&self, context: &Context, chunk: &mut [u8]) -> i32 {
        assert!(!chunk.is_empty());
        chunk.fill(b'x');
        self.called(context, Command::Body)
    }

    fn unknown(&self, context: &Context, text: &mut [u8]) -> i32 {
        terminated(text);
        self.called(context, Command::Unknown)
    }

    fn event(&self, context: &Context, command: Command) -> i32 {
        self.called(context, command)
    }
}
