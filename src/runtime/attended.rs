//! A session whose callbacks are known while they run.

use std::sync::Arc;

use super::output::SocketOutput;
use super::running::Callbacks;
use super::subject::Subject;
use crate::proto::response::Payload;
use crate::session::{Event, Output, Report, SendError};
use crate::sys::flags;

/// The way back to the MTA and to the log of a session whose callbacks are known while they run.
pub(super) struct Attended {
    callbacks: Arc<Callbacks>,
    subject: Arc<Subject>,
}

impl Attended {
    /// Has the callbacks of a session be known while they run.
    pub(super) fn begin(
        callbacks: &Arc<Callbacks>,
        socket: &Arc<SocketOutput>,
        output: Arc<dyn Output>,
    ) -> Arc<Attended> {
        let (callbacks, subject) = (Arc::clone(callbacks), Subject::new(socket, output));
        Arc::new(Attended { callbacks, subject: Arc::new(subject) })
    }

    #[cfg(test)]
    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    fn is_here(&self) -> bool {
        self.callbacks.process == std::process::id()
    }

    fn observe(&self, event: Event<'_>) {
        match event {
            Event::Packet(letter, payload) => {
                let mut state = self.subject.state.lock();
                state.answered = None;
                state.message.learn(letter, payload);
            }
            Event::Enter(command, due) => self.callbacks.enter(&self.subject, command, due),
            Event::Return(_, result) => self.callbacks.leave(&self.subject, Some(result)),
            Event::End => self.callbacks.leave(&self.subject, None),
            _ => {}
        }
    }
}

impl Output for Attended {
    fn inside(&self) -> Option<&dyn Output> {
        Some(&*self.subject.output)
    }

    fn send(&self, letter: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        let _gate = self.is_here().then(|| self.subject.gate.lock());
        if self.overran().is_some() {
            return Err(SendError);
        }
        self.subject.output.send(letter, payload, now)
    }

    fn report(&self, report: Report<'_>) {
        self.subject.output.report(report);
    }

    fn overran(&self) -> Option<Result<(), SendError>> {
        if self.is_here() { self.subject.state.lock().answered } else { None }
    }

    fn note(&self, event: Event<'_>) {
        if self.is_here() {
            flags::apart(|| self.observe(event));
        }
        self.subject.output.note(event);
    }
}
