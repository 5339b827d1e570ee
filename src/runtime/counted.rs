//! A session that is counted: what it receives, sends and comes to goes into the numbers of the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::output::SocketOutput;
use super::tally::{Ending, Fate, Part, Tally, Verdict, add, count};
use crate::proto::command::Command;
use crate::proto::frame;
use crate::proto::response::{Payload, letter};
use crate::session::{Event, Output, Report, SendError};
use crate::sys::flags;

/// No message is under way.
const NONE: u8 = 0;
/// One is.
const OPEN: u8 = 1;
/// One has its verdict already, which the MTA hears again if it goes on.
const SETTLED: u8 = 2;

/// Nothing is known of why the session ends.
const NO_ENDING: u8 = u8::MAX;
/// No callback runs.
const NOT_ENTERED: u64 = u64::MAX;

/// The way back to the MTA and to the log of a session that is counted.
///
/// Its numbers are relaxed: the session is one thread's at a time, and what hands it on orders them. From
/// other threads come only what changes send, which touches a sum, and reports.
pub(super) struct Counted {
    output: Arc<dyn Output>,
    socket: Arc<SocketOutput>,
    tally: Arc<Tally>,
    start: Instant,
    /// When the running callback was called: nanoseconds since the start.
    entered: AtomicU64,
    /// [`Command::letter`] of the last command.
    command: AtomicU8,
    message: AtomicU8,
    /// The first reason for the end that was reported.
    ending: AtomicU8,
}

/// What a reply says; `None` for what is no reply to a command.
fn verdict(kind: u8, payload: Payload<'_>) -> Option<Verdict> {
    Some(match kind {
        letter::CONTINUE => Verdict::Continue,
        letter::ACCEPT => Verdict::Accept,
        letter::REJECT => Verdict::Reject,
        letter::TEMPFAIL => Verdict::Tempfail,
        letter::DISCARD => Verdict::Discard,
        letter::SKIP => Verdict::Skip,
        letter::REPLYCODE => match payload {
            Payload::Strings([text, ..]) if text.starts_with(b"4") => Verdict::Tempfail,
            _ => Verdict::Reject,
        },
        _ => return None,
    })
}

/// Why a session ends that has reported this; `None` if it does not end for it.
fn ending(report: &Report<'_>) -> Option<Ending> {
    Some(match report {
        Report::Frame(..) => Ending::NotMilter,
        Report::UnknownCommand(_)
        | Report::Malformed(..)
        | Report::Address(_)
        | Report::OutOfOrder(..) => Ending::BadCommand,
        Report::Negotiate(_) => Ending::Negotiation,
        Report::ReplyTooLong(..) => Ending::ReplyTooLong,
        Report::ReadTimeout(..) => Ending::ReadTimeout,
        Report::WriteTimeout(_) => Ending::WriteTimeout,
        Report::Read(_) => Ending::ReadError,
        Report::Write(_) => Ending::WriteError,
        Report::ThreadEnded(_) => Ending::ThreadEnded,
        Report::NoMemory => Ending::NoMemory,
        Report::Panic(_) => Ending::Internal,
        _ => return None,
    })
}

impl Counted {
    /// Has a session counted, unless there is no memory for it.
    pub(super) fn begin(
        tally: &Arc<Tally>,
        socket: &Arc<SocketOutput>,
        output: Arc<dyn Output>,
    ) -> Arc<dyn Output> {
        let (counted, short) = flags::apart(|| {
            flags::begin();
            let counted = Counted {
                output: Arc::clone(&output),
                socket: Arc::clone(socket),
                tally: Arc::clone(tally),
                start: Instant::now(),
                entered: AtomicU64::new(NOT_ENTERED),
                command: AtomicU8::new(0),
                message: AtomicU8::new(NONE),
                ending: AtomicU8::new(NO_ENDING),
            };
            (Arc::new(counted), flags::ran_short())
        });
        if short { output } else { counted }
    }

    fn part(&self) -> Option<&Part> {
        self.tally.part(self.socket.session)
    }

    fn since_start(&self) -> u64 {
        // Below the mark for no callback for 584 years.
        self.start.elapsed().as_nanos() as u64
    }

    fn command(&self) -> Option<Command> {
        Command::from_letter(self.command.load(Ordering::Relaxed))
    }

    /// Takes in that a command has come.
    fn commanded(&self, part: &Part, kind: u8) {
        let Some(command) = Command::from_letter(kind) else { return };
        if command == Command::Macro {
            return;
        }
        self.command.store(kind, Ordering::Relaxed);
        let message = self.message.load(Ordering::Relaxed);
        if command == Command::Mail || (command.is_message() && message == NONE) {
            self.give_up(part);
            count(Some(&part.begun));
            self.message.store(OPEN, Ordering::Relaxed);
        } else if !command.is_message() && command != Command::Unknown {
            self.give_up(part);
        }
    }

    /// Takes in that a message that may be under way gets no verdict.
    fn give_up(&self, part: &Part) {
        if self.message.swap(NONE, Ordering::Relaxed) == OPEN {
            count(part.fates.get(Fate::Aborted as usize));
        }
    }

    /// Takes in a reply to the last command.
    fn replied(&self, part: &Part, verdict: Verdict) {
        let Some(command) = self.command() else { return };
        let message = self.message.load(Ordering::Relaxed);
        let ends = command == Command::Eom;
        if message == SETTLED && command.is_message() {
            // What was counted when it was new.
            if ends {
                self.message.store(NONE, Ordering::Relaxed);
            }
            return;
        }
        let of_command = part.verdicts.get(command.index());
        count(of_command.and_then(|verdicts| verdicts.get(verdict as usize)));
        if message != OPEN {
            return;
        }
        let fate = match verdict {
            Verdict::Continue | Verdict::Skip if ends => Fate::Accepted,
            Verdict::Continue | Verdict::Skip => return,
            Verdict::Accept => Fate::Accepted,
            // Of one recipient, or one command.
            _ if matches!(command, Command::Rcpt | Command::Unknown) => return,
            Verdict::Reject => Fate::Rejected,
            Verdict::Tempfail => Fate::Tempfailed,
            Verdict::Discard => Fate::Discarded,
        };
        count(part.fates.get(fate as usize));
        self.message.store(if ends { NONE } else { SETTLED }, Ordering::Relaxed);
    }

    /// Takes in that the running callback is over.
    fn left(&self, part: &Part, command: Command) {
        let entered = self.entered.swap(NOT_ENTERED, Ordering::Relaxed);
        if entered != NOT_ENTERED {
            let took = Duration::from_nanos(self.since_start().saturating_sub(entered));
            if let Some(histogram) = part.callbacks.get(command.index()) {
                histogram.observe(took);
            }
        }
    }

    /// Notes why the session will end, if nothing else has been the reason.
    fn ends_for(&self, why: Ending) {
        let (new, none) = (why as u8, NO_ENDING);
        let _known = self.ending.compare_exchange(none, new, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Counts the session's end.
    fn ended(&self, part: &Part) {
        self.give_up(part);
        self.ends_for(if self.tally.is_stopping() { Ending::Stop } else { Ending::Other });
        count(part.endings.get(usize::from(self.ending.load(Ordering::Relaxed))));
    }
}

impl Output for Counted {
    fn inside(&self) -> Option<&dyn Output> {
        Some(&*self.output)
    }

    fn send(&self, kind: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        let sent = self.output.send(kind, payload, now);
        if let (Ok(()), Some(part)) = (sent, self.part()) {
            add(Some(&part.sent), (frame::HEAD + payload.len()) as u64);
            if let Some(verdict) = verdict(kind, payload) {
                self.replied(part, verdict);
            }
        }
        sent
    }

    fn report(&self, report: Report<'_>) {
        if matches!(report, Report::LostInMessage) {
            // Told when it has been noted that the MTA has hung up.
            self.ending.store(Ending::LostInMessage as u8, Ordering::Relaxed);
        }
        if let Some(why) = ending(&report) {
            self.ends_for(why);
        }
        self.output.report(report);
    }

    fn note(&self, event: Event<'_>) {
        if let Some(part) = self.part() {
            match event {
                Event::Packet(kind, payload) => {
                    add(Some(&part.received), (frame::HEAD + payload.len()) as u64);
                    if kind == Command::Quit.letter() {
                        self.ends_for(Ending::Quit);
                    }
                    self.commanded(part, kind);
                }
                Event::Bytes(bytes) => add(Some(&part.received), bytes.len() as u64),
                Event::Enter(..) => self.entered.store(self.since_start(), Ordering::Relaxed),
                Event::Return(command, _) => self.left(part, command),
                Event::HungUp => self.ends_for(Ending::HungUp),
                Event::End => self.ended(part),
                Event::Call(..) => {}
            }
        }
        self.output.note(event);
    }
}
