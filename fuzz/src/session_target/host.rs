//! The filter: checks when it is called and with what, and does what the input says.

use super::calls::{self, Sent};
use super::witness::Witness;
use crate::input::Input;
use crate::memory::uncounted;
use crate::proto::address::Address;
use crate::proto::codes::{action, status, step};
use crate::proto::command::Command;
use crate::proto::negotiate::{FilterTraits, Offer, Request};
use crate::proto::response::{Payload, encode};
use crate::session::{Context, Filter, Flow, Output, Report, SendError};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Keeps responses; formats reports, as a log would.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) sent: Mutex<Vec<Sent>>,
    pub(super) broken: AtomicBool,
}

impl Output for Recorder {
    fn send(&self, letter: u8, payload: Payload<'_>, _now: bool) -> Result<(), SendError> {
        if self.broken.load(Relaxed) {
            return Err(SendError);
        }
        uncounted(|| {
            let mut packet = Vec::new();
            encode(&mut packet, letter, payload).unwrap();
            let (head, bytes) = packet.split_first_chunk::<5>().expect("a head");
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            assert_eq!(length as usize, bytes.len() + 1, "not a whole packet");
            assert_eq!(head[4], letter);
            self.sent.lock().push((letter, bytes.to_vec()));
        });
        Ok(())
    }

    fn report(&self, report: Report<'_>) {
        uncounted(|| {
            let text = report.text(1);
            assert!(!text.is_empty() && !text.contains(['\r', '\n', '\x1b']), "{text:?}");
        });
    }

    fn debugs(&self, _level: i32) -> bool {
        true
    }

    fn debug(&self, line: std::fmt::Arguments<'_>) {
        uncounted(|| assert!(!line.to_string().is_empty()));
    }
}

/// What the filter is.
pub(super) struct Traits {
    pub(super) filter: FilterTraits,
    missing: u16,
    /// What `xxfi_negotiate` asks for and returns.
    request: Request,
    result: i32,
}

/// From a few bytes: most filters have all callbacks and ask for nothing special.
pub(super) fn traits(missing: u8, setup: u8, input: &mut Input<'_>) -> Traits {
    let missing = match missing {
        0..128 => 0,
        // Those that may be missing without hiding where a message begins and ends.
        128..192 => {
            u16::from(missing & 1) << Command::Eom.index()
                | u16::from(missing >> 1 & 1) << Command::Helo.index()
                | u16::from(missing >> 2 & 1) << Command::Connect.index()
                | u16::from(missing >> 3 & 1) << Command::Unknown.index()
                | u16::from(missing >> 4 & 1) << Command::Negotiate.index()
        }
        _ => input.number() as u16,
    };
    let absent = ABSENT.iter().filter(|(command, _)| missing >> command.index() & 1 == 1);
    let absent = absent.fold(0, |flags, (_, flag)| flags | flag);
    let mut request = Request { actions: 0x1ff, protocol: absent };
    let mut actions = 0x1ff;
    let mut result = status::CONTINUE;
    match setup >> 1 & 7 {
        0 | 1 => {}
        2 => request.protocol |= step::SKIP,
        3 => request.protocol |= step::NR_ALL,
        4 => request.protocol |= input.number() & 0x1f_ffff,
        5 => (actions, request.actions) = (input.number() & 0x1ff, input.number() & 0x1ff),
        6 => result = status::ALL_OPTS,
        _ => {
            request = Request { actions: input.number(), protocol: input.number() };
            result = i32::from(input.byte() % 12);
        }
    }
    let filter = FilterTraits { actions, absent, mds: setup & 0x80 != 0 };
    Traits { filter, missing, request, result }
}

const ABSENT: [(Command, u32); 9] = [
    (Command::Connect, step::NOCONNECT),
    (Command::Helo, step::NOHELO),
    (Command::Mail, step::NOMAIL),
    (Command::Rcpt, step::NORCPT),
    (Command::Data, step::NODATA),
    (Command::Header, step::NOHDRS),
    (Command::Eoh, step::NOEOH),
    (Command::Body, step::NOBODY),
    (Command::Unknown, step::NOUNKNOWN),
];

pub(super) struct Host<'a> {
    pub(super) traits: Traits,
    pub(super) output: Arc<Recorder>,
    shared: Arc<AtomicUsize>,
    script: Mutex<Input<'a>>,
    witness: Mutex<Witness>,
}

impl<'a> Host<'a> {
    pub(super) fn new(
        traits: Traits,
        script: Input<'a>,
        output: Arc<Recorder>,
        shared: Arc<AtomicUsize>,
    ) -> Self {
        let witness = Witness::new(traits.missing);
        Self { traits, output, shared, script: Mutex::new(script), witness: Mutex::new(witness) }
    }

    /// A packet is about to be handed over.
    pub(super) fn begin(&self, letter: u8, payload: &[u8]) {
        let mds = self.traits.filter.mds;
        self.witness.lock().begin(letter, payload, mds);
    }

    /// It was processed.
    pub(super) fn end(&self, flow: Flow) {
        let sent = std::mem::take(&mut *self.output.sent.lock());
        self.witness.lock().end(flow, &sent, self.output.broken.load(Relaxed));
    }

    /// The session is about to end.
    pub(super) fn finish(&self) {
        self.witness.lock().finish();
    }

    /// It has ended, with whatever callbacks that took.
    pub(super) fn finished(&self) {
        let sent = std::mem::take(&mut *self.output.sent.lock());
        self.witness.lock().finished(&sent);
    }

    /// Bytes that the session may hold because of what it was told.
    pub(super) fn room(&self) -> usize {
        self.witness.lock().room()
    }

    fn called(&self, context: &Context, command: Command, arguments: &[&[u8]]) -> i32 {
        uncounted(|| {
            let mut witness = self.witness.lock();
            witness.called(command, arguments);
            let mut script = self.script.lock();
            let broken = self.output.broken.load(Relaxed);
            calls::make(context, &mut witness, &mut script, &self.shared, broken);
            let result = match script.byte() {
                0..160 => status::CONTINUE,
                n @ 160..248 => [1, 2, 3, 4, 7, 8, 1, 4][usize::from(n & 7)],
                _ => i32::from(script.byte()) - 100,
            };
            witness.returned(command, result);
            result
        })
    }
}

impl Filter for Host<'_> {
    fn traits(&self) -> FilterTraits {
        self.traits.filter
    }

    fn serves(&self, command: Command) -> bool {
        self.traits.missing >> command.index() & 1 == 0
    }

    fn negotiate(&self, context: &Context, offer: &Offer, request: &mut Request) -> i32 {
        let _scripted_above = self.called(context, Command::Negotiate, &[]);
        *request = self.traits.request;
        if self.traits.result == status::CONTINUE {
            // Asking for what is not offered ends the session, which is soon known.
            request.actions &= offer.actions | !(action::SETSYMLIST * 2 - 1);
            let faked = request.protocol & step::NR_ALL & !offer.protocol;
            self.witness.lock().faked = faked;
        }
        self.traits.result
    }

    fn connect(&self, context: &Context, host: &mut [u8], address: &Address) -> i32 {
        uncounted(|| drop(format!("{address:?}")));
        self.called(context, Command::Connect, &[host])
    }

    fn helo(&self, context: &Context, name: &mut [u8]) -> i32 {
        self.called(context, Command::Helo, &[name])
    }

    fn envelope(&self, context: &Context, command: Command, strings: &mut [u8]) -> Option<i32> {
        let result = self.called(context, command, &[strings]);
        // Callbacks may write to what they get.
        strings.reverse();
        Some(result)
    }

    fn header(&self, context: &Context, strings: &mut [u8], value: usize) -> i32 {
        let result = self.called(context, Command::Header, &[&strings[..value], &strings[value..]]);
        strings.fill(0xff);
        result
    }

    fn body(&self, context: &Context, chunk: &mut [u8]) -> i32 {
        let result = self.called(context, Command::Body, &[chunk]);
        chunk.fill(b'x');
        result
    }

    fn unknown(&self, context: &Context, text: &mut [u8]) -> i32 {
        self.called(context, Command::Unknown, &[text])
    }

    fn event(&self, context: &Context, command: Command) -> i32 {
        self.called(context, command, &[])
    }
}
