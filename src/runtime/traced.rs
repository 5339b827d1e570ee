//! A session that is traced: what it sends, reports and does goes into the trace as well.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::message::Message;
use super::moment::{Heading, Moment};
use super::trace::Trace;
use crate::proto::describe::client_address;
use crate::proto::response::Payload;
use crate::session::{Event, Output, Report, SendError};
use crate::sys::flags;
use crate::sys::jitter::Mutex;
use crate::sys::log::time_of_day;
use crate::sys::sink::Record;

/// Bytes of lines that wait until the session's client is known.
const WAITING_MAX: usize = 16 << 10;

/// The way back to the MTA and to the log of a session that is traced.
pub(super) struct Traced {
    output: Arc<dyn Output>,
    session: u64,
    trace: Arc<Trace>,
    start: Instant,
    /// Held for moments, and while something is sent, but not while a callback runs.
    state: Mutex<State>,
}

/// What is known of a session.
struct State {
    message: Message,
    /// When the running callback was called.
    entered: Option<Instant>,
    choice: Choice,
    /// Where the session is captured.
    capture: Option<Record>,
}

/// Whether a session is of interest.
enum Choice {
    Traced,
    /// Its client is not known yet: the lines until then, and how many more there was no room for.
    Open(String, u64),
    /// Its capture is not complete, which has yet to be told there.
    Cut,
    NotTraced,
}

impl Traced {
    /// Has a session traced if it is of interest, and there is memory for it.
    pub(super) fn begin(
        trace: &Arc<Trace>,
        session: u64,
        output: Arc<dyn Output>,
    ) -> Arc<dyn Output> {
        if !trace.wants(session) {
            return output;
        }
        let (traced, short) = flags::apart(|| {
            flags::begin();
            let time = time_of_day();
            let traced = Traced::new(trace, session, Arc::clone(&output), &time);
            traced.tell(&mut traced.state.lock(), &Moment::Begin(&time, trace.process()));
            (Arc::new(traced), flags::ran_short())
        });
        if short { output } else { traced }
    }

    fn new(trace: &Arc<Trace>, session: u64, output: Arc<dyn Output>, time: &str) -> Traced {
        let mut lines = String::new();
        let choice = match trace.asks_for_client() {
            true if lines.try_reserve_exact(WAITING_MAX).is_ok() => Choice::Open(lines, 0),
            true => Choice::NotTraced,
            false => Choice::Traced,
        };
        let capture = trace.capture(session, time);
        let state = State { message: Message::NONE, entered: None, choice, capture };
        let (trace, state) = (Arc::clone(trace), Mutex::new(state));
        Traced { output, session, trace, start: Instant::now(), state }
    }

    /// Writes a line, or keeps it until the client is known.
    fn tell(&self, state: &mut State, moment: &Moment<'_>) {
        let heading = Heading {
            session: self.session,
            at: self.start.elapsed(),
            queue_id: state.message.queue_id(),
            sender: state.message.sender(),
            shown: self.trace.shown,
        };
        match &mut state.choice {
            Choice::Traced => match &mut state.capture {
                Some(_) if is_aside(moment) => {}
                Some(record) => {
                    let write = |out: &mut dyn Write| self.trace.render(out, &heading, moment);
                    if !self.trace.record(record, write) {
                        state.choice = after_failure(record);
                    }
                }
                None => self.trace.write(&heading, moment),
            },
            Choice::NotTraced => {}
            Choice::Cut => {
                if state.capture.as_mut().is_none_or(|record| self.trace.cut(record)) {
                    state.choice = Choice::NotTraced;
                }
            }
            Choice::Open(lines, more) => {
                let before = lines.len();
                let mut out = Bounded(lines);
                let done = self.trace.render(&mut out, &heading, moment);
                let end = if state.capture.is_some() { "" } else { "\n" };
                if done.and_then(|()| out.write_str(end)).is_err() {
                    lines.truncate(before);
                    *more += 1;
                    if state.capture.is_some() {
                        state.choice = Choice::NotTraced;
                    }
                }
            }
        }
    }

    /// Takes in what a packet tells of the client and the message.
    fn learn(&self, state: &mut State, letter: u8, payload: &[u8]) {
        state.message.learn(letter, payload);
        // A capture has the whole session, or nothing of it.
        let open = state.capture.is_none() || matches!(state.choice, Choice::Open(..));
        if letter == b'C' && self.trace.asks_for_client() && open {
            self.choose(state, client_address(payload));
        }
    }

    /// Decides whether the session is of interest, now that its client is known.
    fn choose(&self, state: &mut State, client: Option<&[u8]>) {
        let client = client.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let choice = match self.trace.wants_client(client) {
            true => Choice::Traced,
            false => Choice::NotTraced,
        };
        let before = std::mem::replace(&mut state.choice, choice);
        let (Choice::Open(lines, more), Choice::Traced) = (before, &state.choice) else { return };
        match &mut state.capture {
            Some(record) => {
                if !self.trace.record(record, |out| out.write_str(&lines)) {
                    state.choice = after_failure(record);
                }
            }
            None => {
                lines.lines().for_each(|line| self.trace.write_rendered(line));
                self.trace.had_no_room(more);
            }
        }
    }

    /// Does something for the trace, which no session depends on.
    fn apart(&self, body: impl FnOnce(&mut State)) {
        if self.trace.is_here() {
            flags::apart(|| body(&mut self.state.lock()));
        }
    }
}

/// Whether a capture has nothing of it.
fn is_aside(moment: &Moment<'_>) -> bool {
    matches!(moment, Moment::Event(Event::Call(..) | Event::Return(..), _))
}

/// What becomes of a session whose capture can't be written to: what is there must not look like all that
/// was said.
fn after_failure(record: &Record) -> Choice {
    if record.is_made() { Choice::Cut } else { Choice::NotTraced }
}

/// Lines that wait, of which there may not be more than there is room for.
struct Bounded<'a>(&'a mut String);

impl Write for Bounded<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if text.len() > self.0.capacity() - self.0.len() {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl Output for Traced {
    fn inside(&self) -> Option<&dyn Output> {
        Some(&*self.output)
    }

    fn send(&self, letter: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        if !self.trace.is_here() {
            return self.output.send(letter, payload, now);
        }
        // Locked, so that lines have the order of the packets.
        let mut state = self.state.lock();
        let sent = self.output.send(letter, payload, now);
        let moment = Moment::Response(letter, payload, sent.is_ok());
        flags::apart(|| self.tell(&mut state, &moment));
        sent
    }

    fn report(&self, report: Report<'_>) {
        self.apart(|state| {
            let text = report.text(self.session);
            self.tell(state, &Moment::Log(report.severity(), &text));
        });
        self.output.report(report);
    }

    fn note(&self, event: Event<'_>) {
        self.apart(|state| {
            let mut took = Duration::ZERO;
            match event {
                Event::Packet(letter, payload) => self.learn(state, letter, payload),
                Event::Enter(..) => {
                    state.entered = Some(Instant::now());
                    // What it does and when it returns is told; that it was called follows from the packet.
                    return;
                }
                Event::Return(..) => {
                    took = state.entered.take().map_or(took, |entered| entered.elapsed());
                }
                _ => {}
            }
            self.tell(state, &Moment::Event(event, took));
        });
        self.output.note(event);
    }
}
