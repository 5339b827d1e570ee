//! A session whose callback may be under way, as it is known from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agenda::Agenda;
use super::message::Message;
use super::output::SocketOutput;
use crate::proto::command::Command;
use crate::session::{Due, Fate, Output, Report, SendError, Slow};
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;

/// A callback that is under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnderWay {
    /// The session's number.
    pub(super) session: u64,
    /// The command that the callback serves.
    pub(super) command: Command,
    /// What the MTA waits for.
    pub(super) due: Due,
    /// When it was called.
    pub(super) since: Instant,
    /// The system's number of the thread that runs it, where it has one.
    pub(super) thread: Option<u64>,
}

/// What is known of a session, and the way to its MTA.
pub(super) struct Subject {
    /// What is sent, whoever sends it, takes this way.
    pub(super) output: Arc<dyn Output>,
    pub(super) socket: Arc<SocketOutput>,
    /// Held while something is sent, and to answer in the place of a callback, so that nothing of it is
    /// sent after that. Taken before `state`.
    pub(super) gate: Mutex<()>,
    /// Locked for moments.
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) message: Message,
    pub(super) callback: Option<UnderWay>,
    /// When it was called, by the clock of deadlines.
    pub(super) begun: Time,
    pub(super) agenda: Agenda,
    /// It was logged that the callback takes long.
    pub(super) warned: bool,
    /// The callback has run for too long: what came of the answer in its place.
    pub(super) answered: Option<Result<(), SendError>>,
    /// A callback before this one has ended the thread.
    pub(super) leaving: bool,
}

impl Subject {
    pub(super) fn new(socket: &Arc<SocketOutput>, output: Arc<dyn Output>) -> Subject {
        let state = State {
            message: Message::NONE,
            callback: None,
            begun: Time::now(),
            agenda: Agenda::default(),
            warned: false,
            answered: None,
            leaving: false,
        };
        let (gate, state) = (Mutex::default(), Mutex::new(state));
        Subject { output, socket: Arc::clone(socket), gate, state }
    }
}

impl State {
    /// What is to be reported of the callback.
    pub(super) fn slow(&self, callback: UnderWay, now: Time, outcome: Fate) -> Told {
        Told { callback, took: self.begun.until(now), outcome, message: self.message.clone() }
    }
}

/// What is reported of a callback, when nothing is locked any more.
pub(super) struct Told {
    callback: UnderWay,
    took: Duration,
    outcome: Fate,
    message: Message,
}

impl Told {
    pub(super) fn report(&self, output: &dyn Output) {
        output.report(Report::Slow(&Slow {
            callback: self.callback.command,
            took: self.took,
            thread: self.callback.thread,
            queue_id: self.message.queue_id(),
            outcome: self.outcome,
        }));
    }
}
