//! What the supervisor does about callbacks that take long.

use std::time::Duration;

use super::patience::Patience;
use super::running::Callbacks;
use super::subject::Subject;
use crate::proto::response::{Payload, letter};
use crate::session::{Due, Fate, SendError};
use crate::sys::clock::Time;

/// Time until something is tried again that the MTA, or a thread that sends to it, does not allow now.
const RETRY: Duration = Duration::from_millis(100);

impl Callbacks {
    /// Does what is due about callbacks that are under way; never waits for an MTA.
    pub(super) fn look(&self) {
        self.look_by(Time::now());
    }

    fn look_by(&self, now: Time) {
        let due = self.take_due(now);
        self.look_at(due.iter().filter_map(|subject| subject.look(&self.patience, now)).min());
    }
}

impl Subject {
    /// Does what is due about the callback of a session; when something is next.
    fn look(&self, patience: &Patience, now: Time) -> Option<Time> {
        // A thread that sends may wait for the MTA to read.
        let gate = self.gate.try_lock();
        let mut state = self.state.lock();
        let callback = state.callback?;
        let took = state.begun.until(now);
        let todo = state.agenda.take(patience, took, gate.is_none());
        if todo.progress && self.socket.takes_more() {
            // An error is reported by the socket, and shows again when the callback has returned.
            let _gone = self.output.send(letter::PROGRESS, Payload::None, true);
        }
        let outcome = if todo.limit {
            let told = self.answer(callback.due);
            state.answered = Some(told);
            Some(Fate::Overran(callback.due, told.is_ok()))
        } else {
            todo.warn.then_some(Fate::GoesOn)
        };
        state.warned |= outcome.is_some();
        let told = outcome.map(|outcome| state.slow(callback, now, outcome));
        let kept = state.answered.is_some() && gate.is_some() && self.socket.keeps_after_flush();
        let next = state.agenda.next();
        let begun = state.begun;
        drop((state, gate));
        if let Some(told) = told {
            told.report(&*self.output);
        }
        match next {
            Some(at) if at > took && !kept => begun.after(at),
            None if !kept => None,
            _ => now.after(RETRY),
        }
    }

    /// Answers in the place of a callback, as far as its MTA waits.
    fn answer(&self, due: Due) -> Result<(), SendError> {
        match due {
            Due::Reply | Due::Verdict => self.output.send(letter::TEMPFAIL, Payload::None, true),
            Due::Agreement => {
                self.socket.cut();
                Ok(())
            }
            Due::Silence | Due::Nothing => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attended::Attended;
    use super::super::log::Log;
    use super::super::output::OutputSettings;
    use super::super::output::SocketOutput;
    use super::super::stop::Control;
    use super::*;
    use crate::proto::codes::status;
    use crate::proto::command::Command;
    use crate::session::{Event, Output};
    use crate::sys::thread::own_id;
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn callbacks(patience: Patience) -> Arc<Callbacks> {
        static CONTROL: Control = Control::new();
        Arc::new(Callbacks::new(patience, &CONTROL))
    }

    /// A session, and its MTA.
    fn session(callbacks: &Arc<Callbacks>, number: u64) -> (Arc<Attended>, UnixStream) {
        let (here, there) = UnixStream::pair().unwrap();
        let log = Arc::new(Log::new(b"test"));
        let settings = Arc::new(OutputSettings { log, debug: 0, limit: None });
        let socket = Arc::new(SocketOutput::new(here.into(), number, settings));
        let output = Arc::<SocketOutput>::clone(&socket);
        there.set_nonblocking(true).unwrap();
        (Attended::begin(callbacks, &socket, output), there)
    }

    fn received(mut mta: &UnixStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _would_block = mta.read_to_end(&mut bytes);
        bytes
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
        let callbacks = callbacks(Patience::default());
        let [(first, _one), (second, _other)] = [7, 3].map(|number| session(&callbacks, number));
        first.note(Event::Packet(b'D', b"Mi\0Q7\0"));
        assert_eq!(known(&callbacks), []);
        first.note(Event::Enter(Command::Mail, Due::Reply));
        second.note(Event::Enter(Command::Connect, Due::Reply));
        let both = [(3, Command::Connect, vec![]), (7, Command::Mail, b"Q7".to_vec())];
        assert_eq!(known(&callbacks), both);
        first.note(Event::Return(Command::Mail, status::CONTINUE));
        assert_eq!(known(&callbacks), [(3, Command::Connect, vec![])]);
        // One that never came back.
        second.note(Event::End);
        assert_eq!(known(&callbacks), []);
        assert_eq!(callbacks.next_look(), None, "nobody has to look");
    }

    /// As at a time long after the call.
    fn look(callbacks: &Callbacks, after: u64) {
        callbacks.look_by(Time::now().after(Duration::from_secs(after)).unwrap());
    }

    fn patience(progress: u64, limit: u64) -> Patience {
        let [progress, limit] = [progress, limit].map(|n| Some(Duration::from_secs(n)));
        Patience { warn: None, progress, limit }
    }

    const PROGRESS: &[u8] = b"\0\0\0\x01p";
    const TEMPFAIL: &[u8] = b"\0\0\0\x01t";

    #[test]
    fn the_mta_hears_of_progress_and_then_a_temporary_failure() {
        let callbacks = callbacks(patience(10, 30));
        let (session, mta) = session(&callbacks, 1);
        session.note(Event::Packet(b'E', b""));
        session.note(Event::Enter(Command::Eom, Due::Verdict));
        assert!(callbacks.next_look().is_some());
        look(&callbacks, 5);
        assert_eq!(received(&mta), b"");
        look(&callbacks, 11);
        look(&callbacks, 22);
        assert_eq!(received(&mta), [PROGRESS, PROGRESS].concat());
        session.send(b'h', Payload::Strings(&[b"a", b"b"]), false).unwrap();
        assert_eq!(session.overran(), None);
        look(&callbacks, 31);
        assert_eq!(received(&mta), [b"\0\0\0\x05ha\0b\0", TEMPFAIL].concat());
        assert_eq!(session.overran(), Some(Ok(())));
        let sent = session.send(b'p', Payload::None, true);
        assert_eq!((sent, callbacks.next_look()), (Err(SendError), None));
        session.note(Event::Return(Command::Eom, status::ACCEPT));
        assert_eq!(session.overran(), Some(Ok(())), "until the next packet");
        session.note(Event::Packet(b'M', b"a\0"));
        session.send(b'c', Payload::None, true).unwrap();
        assert_eq!(received(&mta), b"\0\0\0\x01c");
    }

    /// The supervisor must never wait for one that sends.
    #[test]
    fn a_limit_waits_for_the_packet_that_is_being_sent() {
        let callbacks = callbacks(patience(1, 2));
        let (session, mta) = session(&callbacks, 1);
        session.note(Event::Enter(Command::Eom, Due::Verdict));
        let gate = session.subject().gate.lock();
        look(&callbacks, 60);
        assert_eq!((received(&mta), session.overran()), (vec![], None));
        drop(gate);
        look(&callbacks, 61);
        assert_eq!((received(&mta), session.overran()), (TEMPFAIL.to_vec(), Some(Ok(()))));
    }

    #[test]
    fn a_callback_that_has_returned_is_let_alone() {
        let callbacks = callbacks(patience(1, 2));
        let (session, mta) = session(&callbacks, 1);
        session.note(Event::Enter(Command::Eom, Due::Verdict));
        session.note(Event::Return(Command::Eom, status::ACCEPT));
        look(&callbacks, 60);
        assert_eq!((received(&mta), session.overran()), (vec![], None));
    }
    #[test]
    fn silence_is_kept_and_nothing_of_the_callback_is_sent() {
        let callbacks = callbacks(patience(1, 2));
        let (session, mta) = session(&callbacks, 1);
        session.note(Event::Enter(Command::Header, Due::Silence));
        look(&callbacks, 60);
        let sent = session.send(letter::PROGRESS, Payload::None, true);
        assert_eq!((sent, session.overran()), (Err(SendError), Some(Ok(()))));
        assert_eq!(received(&mta), b"");
        session.note(Event::Enter(Command::Abort, Due::Nothing));
        assert_eq!((session.overran(), callbacks.next_look()), (None, None));
    }

    #[test]
    fn a_negotiation_ends_with_its_connection() {
        let callbacks = callbacks(patience(1, 2));
        let (session, mut mta) = session(&callbacks, 1);
        session.note(Event::Enter(Command::Negotiate, Due::Agreement));
        look(&callbacks, 60);
        assert_eq!(session.overran(), Some(Ok(())));
        assert_eq!(mta.read(&mut [0; 8]).unwrap(), 0);
    }

    /// What does not fit the socket follows as soon as there is room, not when the callback has returned.
    #[test]
    fn an_answer_waits_for_room() {
        let callbacks = callbacks(patience(1, 2));
        let (session, mta) = session(&callbacks, 1);
        session.note(Event::Enter(Command::Eom, Due::Verdict));
        session.subject().socket.begin(true);
        let body = [b'x'; 60_000];
        while session.subject().socket.bytes_kept() == 0 {
            session.send(letter::REPLBODY, Payload::Raw(&body), false).unwrap();
        }
        look(&callbacks, 60);
        assert_eq!(session.overran(), Some(Ok(())));
        assert!(!received(&mta).ends_with(TEMPFAIL));
        assert!(callbacks.next_look().is_some());
        look(&callbacks, 61);
        let rest = received(&mta);
        assert!(rest.len() > TEMPFAIL.len() && rest.ends_with(TEMPFAIL), "{}", rest.len());
        assert_eq!(callbacks.next_look(), None);
    }
}
