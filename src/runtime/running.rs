//! The callbacks of a run that are under way, for whoever looks on from outside; present if somebody has
//! asked to know them.

use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::sync::Arc;
use std::time::Instant;

use super::message::Message;
use crate::proto::command::Command;
use crate::proto::response::Payload;
use crate::session::{Due, Event, Output, Report, SendError};
use crate::sys::jitter::Mutex;
use crate::sys::thread::own_id;

/// The callbacks of a run that are under way, by session: a session has one at most.
#[derive(Debug)]
pub(super) struct Callbacks {
    subjects: Mutex<BTreeMap<u64, Arc<Subject>>>,
    /// Children that the filter forks have none.
    process: u32,
}

/// A callback that is under way.
#[cfg_attr(not(test), expect(dead_code, reason = "nobody asks yet"))]
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

/// What is known of a session.
#[derive(Debug)]
struct Subject {
    session: u64,
    /// Locked for moments.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    message: Message,
    callback: Option<UnderWay>,
}

impl Callbacks {
    pub(super) fn new() -> Callbacks {
        Callbacks { subjects: Mutex::default(), process: std::process::id() }
    }

    /// Has the callbacks of a session be known while they run.
    pub(super) fn attend(self: &Arc<Self>, session: u64, output: Arc<dyn Output>) -> Arc<Attended> {
        let state = State { message: Message::NONE, callback: None };
        let subject = Arc::new(Subject { session, state: Mutex::new(state) });
        Arc::new(Attended { output, callbacks: Arc::clone(self), subject })
    }

    /// Tells of each callback that is under way, and of the message it is about. None can begin or return
    /// meanwhile.
    #[cfg_attr(not(test), expect(dead_code, reason = "nobody asks yet"))]
    pub(super) fn each(&self, mut visit: impl FnMut(&UnderWay, &Message)) {
        for subject in self.subjects.lock().values() {
            let state = subject.state.lock();
            if let Some(callback) = &state.callback {
                visit(callback, &state.message);
            }
        }
    }

    fn enter(&self, subject: &Arc<Subject>, command: Command, due: Due) {
        let (session, since, thread) = (subject.session, Instant::now(), own_id());
        subject.state.lock().callback = Some(UnderWay { session, command, due, since, thread });
        self.subjects.lock().insert(session, Arc::clone(subject));
    }

    fn leave(&self, subject: &Subject) {
        self.subjects.lock().remove(&subject.session);
        subject.state.lock().callback = None;
    }
}

/// The way back to the MTA and to the log of a session whose callbacks are known while they run.
pub(super) struct Attended {
    output: Arc<dyn Output>,
    callbacks: Arc<Callbacks>,
    subject: Arc<Subject>,
}

impl Output for Attended {
    fn send(&self, letter: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        self.output.send(letter, payload, now)
    }

    fn report(&self, report: Report<'_>) {
        self.output.report(report);
    }

    fn callback(&self) -> Option<Command> {
        self.output.callback()
    }

    fn debugs(&self, level: i32) -> bool {
        self.output.debugs(level)
    }

    fn debug(&self, line: Arguments<'_>) {
        self.output.debug(line);
    }

    fn watches(&self) -> bool {
        true
    }

    fn note(&self, event: Event<'_>) {
        if self.callbacks.process == std::process::id() {
            match event {
                Event::Packet(letter, payload) => {
                    self.subject.state.lock().message.learn(letter, payload);
                }
                Event::Enter(command, due) => self.callbacks.enter(&self.subject, command, due),
                // At the end, one that never came back.
                Event::Return(..) | Event::End => self.callbacks.leave(&self.subject),
                _ => {}
            }
        }
        self.output.note(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::codes::status;

    struct Nowhere;

    impl Output for Nowhere {
        fn send(&self, _: u8, _: Payload<'_>, _: bool) -> Result<(), SendError> {
            Ok(())
        }

        fn report(&self, _: Report<'_>) {}

        fn debugs(&self, _: i32) -> bool {
            false
        }

        fn debug(&self, _: Arguments<'_>) {}
    }

    fn known(callbacks: &Callbacks) -> Vec<(u64, Command, Vec<u8>)> {
        let mut known = Vec::new();
        callbacks.each(|callback, message| {
            assert_eq!((callback.thread, callback.due), (own_id(), Due::Reply));
            assert!(callback.since <= Instant::now());
            known.push((callback.session, callback.command, message.queue_id().to_vec()));
        });
        known
    }

    #[test]
    fn callbacks_are_known_from_call_to_return() {
        let callbacks = Arc::new(Callbacks::new());
        let [first, second] = [7, 3].map(|session| callbacks.attend(session, Arc::new(Nowhere)));
        first.note(Event::Packet(b'D', b"Mi\0Q7\0"));
        assert_eq!(known(&callbacks), []);
        first.note(Event::Enter(Command::Mail, Due::Reply));
        second.note(Event::Enter(Command::Connect, Due::Reply));
        let both = [(3, Command::Connect, vec![]), (7, Command::Mail, b"Q7".to_vec())];
        assert_eq!(known(&callbacks), both);
        first.note(Event::Return(Command::Mail, status::CONTINUE));
        assert_eq!(known(&callbacks), [(3, Command::Connect, vec![])]);
        second.note(Event::End);
        assert_eq!(known(&callbacks), []);
    }
}
