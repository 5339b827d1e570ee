//! The callbacks of a run that are under way, for whoever looks on from outside; present if somebody has
//! asked to know them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::agenda::Agenda;
use super::message::Message;
use super::patience::Patience;
use super::stop::Control;
use super::subject::{Subject, UnderWay};
use crate::proto::command::Command;
use crate::session::{Due, Fate};
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;
use crate::sys::thread::{is_leaving, own_id};

/// The callbacks of a run that are under way, by session: a session has one at most.
pub(super) struct Callbacks {
    present: Mutex<Present>,
    pub(super) patience: Patience,
    control: &'static Control,
    /// Children that the filter forks have none.
    pub(super) process: u32,
}

#[derive(Default)]
struct Present {
    subjects: BTreeMap<u64, Arc<Subject>>,
    /// When the supervisor looks at them, unless it is woken before.
    look: Option<Time>,
}

impl Callbacks {
    pub(super) fn new(patience: Patience, control: &'static Control) -> Callbacks {
        Callbacks { present: Mutex::default(), patience, control, process: std::process::id() }
    }

    /// Tells of each callback that is under way, and of the message it is about. None can begin or return
    /// meanwhile.
    pub(super) fn each(&self, mut visit: impl FnMut(&UnderWay, &Message)) {
        for subject in self.present.lock().subjects.values() {
            let state = subject.state.lock();
            if let Some(callback) = &state.callback {
                visit(callback, &state.message);
            }
        }
    }

    /// When the supervisor is to look at them.
    pub(super) fn next_look(&self) -> Option<Time> {
        self.present.lock().look
    }

    /// Those that are under way, if it is time to look at them.
    pub(super) fn take_due(&self, now: Time) -> Vec<Arc<Subject>> {
        let mut present = self.present.lock();
        if present.look.is_none_or(|at| now < at) {
            return Vec::new();
        }
        present.look = None;
        present.subjects.values().cloned().collect()
    }

    /// Has the supervisor look at them then, or before.
    pub(super) fn look_at(&self, next: Option<Time>) {
        self.present.lock().look_at(next);
    }

    /// Takes note that a callback is about to run.
    pub(super) fn enter(&self, subject: &Arc<Subject>, command: Command, due: Due) {
        let (since, begun, thread) = (Instant::now(), Time::now(), own_id());
        let session = subject.socket.session;
        let agenda = Agenda::new(&self.patience, due);
        let first = agenda.next().and_then(|span| begun.after(span));
        {
            let mut state = subject.state.lock();
            state.callback = Some(UnderWay { session, command, due, since, thread });
            (state.begun, state.agenda, state.warned) = (begun, agenda, false);
            (state.answered, state.leaving) = (None, is_leaving());
        }
        let earlier = {
            let mut present = self.present.lock();
            present.subjects.insert(session, Arc::clone(subject));
            present.look_at(first)
        };
        if earlier {
            self.control.wake();
        }
    }

    /// Takes note that a callback has returned that, or never came back.
    pub(super) fn leave(&self, subject: &Subject, returned: Option<i32>) {
        self.present.lock().subjects.remove(&subject.socket.session);
        let mut state = subject.state.lock();
        let callback = state.callback.take().filter(|_| state.warned || state.answered.is_some());
        let (Some(callback), Some(result)) = (callback, returned) else { return };
        let outcome = match is_leaving() && !state.leaving {
            true => Fate::EndedThread,
            false => Fate::Returned(result, state.answered.is_none()),
        };
        let told = state.slow(callback, Time::now(), outcome);
        drop(state);
        told.report(&*subject.output);
    }
}

impl Present {
    /// Has the next look be then, or before; whether that is earlier than it was.
    fn look_at(&mut self, at: Option<Time>) -> bool {
        let earlier = at.is_some_and(|at| self.look.is_none_or(|look| at < look));
        if earlier {
            self.look = at;
        }
        earlier
    }
}
