//! Callbacks that run for too long: an output that answers in the place of one as soon as it begins.

use super::{OFFER, Play, Recorder, offer};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::proto::response::{Payload, letter};
use crate::session::{Context, Due, Event, Flow, Output, Refused, Report, SendError, Session};
use parking_lot::Mutex;
use std::fmt::Arguments;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Has one callback run for too long.
struct Impatient {
    recorder: Arc<Recorder>,
    callback: Command,
    due: Mutex<Option<Due>>,
    told: Mutex<Option<Result<(), SendError>>>,
}

impl Output for Impatient {
    fn send(&self, letter: u8, payload: Payload<'_>, now: bool) -> Result<(), SendError> {
        let told = *self.told.lock();
        if told.is_some() { Err(SendError) } else { self.recorder.send(letter, payload, now) }
    }

    fn report(&self, report: Report<'_>) {
        self.recorder.report(report);
    }

    fn overran(&self) -> Option<Result<(), SendError>> {
        *self.told.lock()
    }

    fn debugs(&self, _level: i32) -> bool {
        false
    }

    fn debug(&self, _line: Arguments<'_>) {}

    fn watches(&self) -> bool {
        true
    }

    fn note(&self, event: Event<'_>) {
        match event {
            Event::Packet(..) => *self.told.lock() = None,
            Event::Enter(callback, due) if callback == self.callback => {
                *self.due.lock() = Some(due);
                let told = match due {
                    Due::Nothing => return,
                    Due::Reply | Due::Verdict => {
                        self.recorder.send(letter::TEMPFAIL, Payload::None, true)
                    }
                    Due::Silence | Due::Agreement => Ok(()),
                };
                *self.told.lock() = Some(told);
            }
            _ => {}
        }
    }
}

/// A session that has negotiated these flags, with all callbacks, one of which always runs for too long.
fn impatient(protocol: u32, callback: Command) -> (Play, Arc<Impatient>) {
    let mut play = Play::fresh(&[]);
    play.filter.negotiate.1 = Some(protocol);
    let recorder = Arc::clone(&play.output);
    let (due, told) = (Mutex::default(), Mutex::default());
    let output = Arc::new(Impatient { recorder, callback, due, told });
    let way = Arc::<Impatient>::clone(&output);
    play.session = Session::new(play.filter.traits, way, Arc::clone(&play.limit), false);
    (play, output)
}

fn agreed(protocol: u32, callback: Command) -> (Play, Arc<Impatient>) {
    let (mut play, output) = impatient(protocol, callback);
    assert_eq!(play.packet(b'O', &offer(OFFER)).0, Flow::Continue);
    (play, output)
}

#[test]
fn what_follows_is_as_after_a_temporary_failure() {
    let session = [
        ("Ch|U", Command::Connect),
        ("Hme|", Command::Helo),
        ("M<a>|", Command::Mail),
        ("R<b>|", Command::Rcpt),
        ("Ux|", Command::Unknown),
        ("T", Command::Data),
        ("Ln|v|", Command::Header),
        ("N", Command::Eoh),
        ("Bx", Command::Body),
        ("Ey", Command::Eom),
        ("M<c>|", Command::Mail),
    ];
    for (_, callback) in session {
        let (mut late, output) = agreed(0, callback);
        let mut failing = Play::agreed(&[], 0);
        // Of what overruns, nothing counts.
        for _ in 0..3 {
            late.returns(callback, status::ACCEPT);
            failing.returns(callback, status::TEMPFAIL);
        }
        for (packet, _) in session {
            assert_eq!(late.say(packet), failing.say(packet), "{callback:?} {packet}");
        }
        let due = if callback == Command::Eom { Due::Verdict } else { Due::Reply };
        // The last chunk of a body comes with the end of the message.
        let due = if callback == Command::Body { Due::Reply } else { due };
        assert_eq!(*output.due.lock(), Some(due));
        assert_eq!(late.finish(), failing.finish(), "{callback:?}");
        assert_eq!((late.reports(), failing.reports()), (vec![], vec![]));
    }
}

#[test]
fn a_body_callback_at_the_end_of_a_message_answers_for_both() {
    let (mut play, output) = agreed(0, Command::Body);
    play.run(&["Ch|U", "M<a>|", "R<b>|"]);
    play.check(&[("Ex", "body x > t"), ("M<c>|", "envfrom <c>| > c")]);
    assert_eq!(*output.due.lock(), Some(Due::Verdict));
}

#[test]
fn silence_is_kept_and_the_verdict_holds() {
    let (mut play, output) = agreed(step::NR_HDR, Command::Header);
    play.returns(Command::Header, status::NOREPLY);
    play.run(&["Ch|U", "M<a>|", "R<b>|"]);
    play.check(&[("Ln|v|", "header n|v|"), ("Lm|w|", ""), ("N", "> t"), ("E", "> t")]);
    assert_eq!(*output.due.lock(), Some(Due::Silence));
    assert_eq!((play.finish().as_str(), play.reports()), ("close", vec![]));
}

/// Else the message would go to a recipient that nobody has looked at, or nothing would come of a client.
#[test]
fn what_silence_leaves_no_reply_for_is_said_otherwise() {
    let (mut play, _) = agreed(step::NR_RCPT, Command::Rcpt);
    play.run(&["Ch|U", "Hme|", "M<a>|"]);
    play.check(&[("R<b>|", "envrcpt <b>|"), ("R<c>|", ""), ("T", "> t"), ("E", "> t")]);
    play.check(&[("M<d>|", "envfrom <d>| > c")]);
    assert_eq!(play.finish(), "abort, close");
    let (mut play, _) = agreed(step::NR_CONN, Command::Connect);
    play.check(&[("Ch|U", "connect h| Unknown bye")]);
    assert_eq!(play.finish(), "close");
    let (mut play, _) = agreed(step::NR_HELO, Command::Helo);
    play.run(&["Ch|U"]);
    play.check(&[("Hme|", "helo me| bye")]);
    assert_eq!(play.finish(), "close");
}

/// The MTA knows nothing of the silence, and waits.
#[test]
fn an_mta_that_waits_is_answered_whatever_was_promised() {
    let (mut play, output) = impatient(step::NR_HDR, Command::Header);
    let (flow, _, _) = play.packet(b'O', &offer([6, 0x1ff, OFFER[2] & !step::NR_HDR]));
    assert_eq!(flow, Flow::Continue);
    play.run(&["Ch|U", "M<a>|", "R<b>|"]);
    play.check(&[("Ln|v|", "header n|v| > t"), ("N", "> t")]);
    assert_eq!(*output.due.lock(), Some(Due::Reply));
}

#[test]
fn nothing_more_of_it_reaches_the_mta() {
    let (mut play, _) = agreed(0, Command::Eom);
    let refused: Arc<Mutex<Vec<Refused>>> = Arc::default();
    let kept = Arc::clone(&refused);
    play.act(move |context: &Context, command| {
        if command != Command::Eom {
            return;
        }
        let text: Option<&[u8]> = Some(b"text");
        let tried = [
            context.progress(),
            context.add_header(text, text),
            context.replace_body(b"body"),
            context.quarantine(text),
            context.set_reply(b"450", None, text),
            context.set_multiline_reply(b"450", None, &[b"text"]),
            context.set_symbol_list(1, b"i"),
        ];
        kept.lock().extend(tried.map(Result::unwrap_err));
    });
    play.run(&["Ch|U", "M<a>|", "R<b>|"]);
    play.check(&[("E", "eom > t"), ("M<c>|", "envfrom <c>| > c")]);
    assert_eq!(*refused.lock(), [Refused::Late; 7]);
    assert_eq!(play.reports(), [""; 0], "whoever looks on has told it");
}

/// What it had set before does not count either.
#[test]
fn its_reply_is_forgotten() {
    let (mut play, _) = agreed(0, Command::Helo);
    play.act(|context, command| {
        if command == Command::Connect {
            context.set_reply(b"450", None, Some(b"text")).unwrap();
        }
    });
    play.returns(Command::Mail, status::TEMPFAIL);
    play.check(&[("Ch|U", "connect h| Unknown > c"), ("Hx|", "helo x| > t")]);
    play.check(&[("M<a>|", "envfrom <a>| > t")]);
}

#[test]
fn a_negotiation_that_overruns_ends_the_session() {
    let (mut play, output) = impatient(0, Command::Negotiate);
    let (flow, calls, responses) = play.packet(b'O', &offer(OFFER));
    assert_eq!((flow, calls.len(), responses.len()), (Flow::Close, 1, 0));
    assert_eq!(*output.due.lock(), Some(Due::Agreement));
    assert_eq!((play.finish().as_str(), play.reports()), ("close", vec![]));
}

/// As any other reply that can't be sent: the message is aborted.
#[test]
fn an_mta_that_can_not_be_told_ends_the_session() {
    let (mut play, _) = agreed(0, Command::Data);
    play.run(&["Ch|U", "M<a>|", "R<b>|"]);
    play.output.broken.store(true, Ordering::Relaxed);
    play.check(&[("T", "data bye")]);
    assert_eq!(play.finish(), "abort, close");
}

#[test]
fn callbacks_that_end_something_take_as_long_as_they_do() {
    for callback in [Command::Abort, Command::Quit] {
        let (mut play, output) = agreed(0, callback);
        play.run(&["Ch|U", "M<a>|", "A", "M<b>|", "R<c>|"]);
        assert_eq!(play.finish(), "abort, close");
        assert_eq!(*output.due.lock(), Some(Due::Nothing));
    }
}

/// A message that another one breaks off is aborted in the middle of a packet that waits for a reply.
#[test]
fn an_abort_within_another_packet_is_not_answered() {
    let (mut play, output) = agreed(0, Command::Abort);
    play.run(&["Ch|U", "M<a>|"]);
    play.check(&[("M<b>|", "abort, envfrom <b>| > c")]);
    assert_eq!(*output.due.lock(), Some(Due::Nothing));
}
