//! Random sessions: any packets, any callback results, any agreement.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

use super::context::CHANGES;
use super::{Call, Packet, Play, offer};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::session::Flow;

type Check = Result<(), TestCaseError>;

/// What a random session is made of.
#[derive(Debug, Clone)]
struct Plan {
    missing: Vec<Command>,
    actions: u32,
    negotiate: (i32, Option<u32>),
    offer: [u32; 3],
    packets: Vec<Packet>,
    results: Vec<i32>,
}

fn well_formed() -> impl Strategy<Value = Vec<Packet>> {
    let parts: [&[&str]; 14] = [
        &["Ch|U"],
        &["Ch|4\x01\x02192.0.2.1|", "Hme|"],
        &["Hme|"],
        &["M<a>|"],
        &["M<a>|S=1|", "R<b>|", "R<c>|"],
        &["R<b>|"],
        &["T"],
        &["Ln|v|", "Ln||"],
        &["N", "Bx", "By"],
        &["E"],
        &["Ex"],
        &["Ux|"],
        &["A"],
        &["DMi|1|", "DRodd|", "K"],
    ];
    select(parts.to_vec()).prop_map(|part| {
        let packet = |text: &&str| {
            let bytes = text.replace('|', "\0").into_bytes();
            (bytes[0], bytes[1..].to_vec())
        };
        part.iter().map(packet).collect()
    })
}

fn any_packet() -> impl Strategy<Value = Vec<Packet>> {
    let letters = select(b"ABCDEHKLMNOQRTU\0z".to_vec());
    let bytes = vec(select(b"\0\0aU4L<".to_vec()), 0..7);
    (letters, bytes).prop_map(|packet| vec![packet])
}

fn results() -> impl Strategy<Value = Vec<i32>> {
    let result = prop_oneof![
        12 => Just(status::CONTINUE),
        4 => select(vec![1, 2, 3, 4, 7, 8]),
        1 => -3..30i32,
    ];
    vec(result, 0..40)
}

fn plan(missing: impl Strategy<Value = Vec<Command>>) -> impl Strategy<Value = Plan> {
    let negotiate = prop_oneof![
        Just((status::CONTINUE, Some(0))),
        any::<u32>().prop_map(|p| (status::CONTINUE, Some(p & 0x1f_ffff))),
        Just((status::ALL_OPTS, None)),
    ];
    let offers = prop_oneof![
        Just([6, 0x1ff, 0x1f_ffff]),
        Just([6, 0x1ff, 0x1f_ffff & !step::SKIP]),
        Just([2, 0x3f, 0x7f]),
        any::<[u32; 3]>(),
    ];
    let packets = vec(prop_oneof![20 => well_formed(), 1 => any_packet()], 0..30);
    (missing, 0u32..0x200, negotiate, offers, packets, results()).prop_map(
        |(missing, actions, negotiate, offer, packets, results)| Plan {
            missing,
            actions,
            negotiate,
            offer,
            packets: packets.concat(),
            results,
        },
    )
}

/// Follows a session from outside.
struct Witness {
    /// Protocol flags and actions of the answer.
    answered: u32,
    granted: u32,
    /// A message was begun, and neither ended nor aborted.
    open: bool,
    /// Whether there is an SMTP connection to be closed.
    connected: bool,
}

impl Witness {
    /// The responses to one packet.
    fn responses(&mut self, letter: u8, flow: Flow, responses: &[Packet]) -> Check {
        let finals: Vec<&Packet> =
            responses.iter().filter(|(l, _)| b"cadrtsyO".contains(l)).collect();
        let command = Command::from_letter(letter);
        let silent = match command {
            None | Some(Command::Abort | Command::Macro | Command::Quit | Command::QuitNc) => true,
            Some(command) => self.answered & command.no_reply_flag() != 0,
        };
        let want = usize::from(flow == Flow::Continue && !silent);
        prop_assert_eq!(finals.len(), want, "{} {:?}", letter.escape_ascii(), responses);
        if let [(kind, payload)] = finals.as_slice() {
            prop_assert_eq!(responses.last().map(|r| r.0), Some(*kind), "a reply comes last");
            prop_assert_eq!(*kind == b'O', letter == b'O');
            match kind {
                b'O' => self.agree(payload),
                b's' => {
                    prop_assert!(letter == b'B' && self.answered & step::SKIP != 0);
                }
                b'y' => {
                    prop_assert!(matches!(payload.as_slice(), [b'4' | b'5', .., 0]));
                }
                _ => prop_assert_eq!(payload.len(), 0),
            }
        }
        for (kind, _) in responses.iter().filter(|(l, _)| !b"cadrtsyO".contains(l)) {
            let change = CHANGES.iter().find(|(_, text, _)| text.as_bytes()[0] == *kind);
            let needed = change.map(|(needed, ..)| *needed);
            prop_assert!(letter == b'E', "{} outside of the end", kind.escape_ascii());
            prop_assert!(needed.is_some_and(|n| self.granted & n != 0), "not granted");
        }
        Ok(())
    }

    fn agree(&mut self, answer: &[u8]) {
        let number = |at: usize| u32::from_be_bytes(answer[at..at + 4].try_into().unwrap());
        (self.granted, self.answered) = (number(4), number(8));
    }

    /// The callbacks of one packet, or of the end of the session.
    fn calls(&mut self, calls: &[Call]) -> Check {
        use Command::{Abort, Connect, Eom, Helo, Mail, Quit, Rcpt};
        for Call { command, text, result } in calls {
            match command {
                Abort => prop_assert!(std::mem::take(&mut self.open), "aborts what is not open"),
                Quit => {
                    prop_assert!(std::mem::take(&mut self.connected), "closes twice");
                }
                _ => self.connected = true,
            }
            match command {
                Mail | Connect | Helo | Quit => prop_assert!(!self.open, "{} within one", text),
                _ => {}
            }
            let begins = *command == Mail || self.answered & step::NOMAIL != 0;
            if command.is_message() {
                prop_assert!(self.open || begins, "{} within no message", text);
                self.open = true;
            }
            let promised = self.answered & command.no_reply_flag() != 0;
            let goes_on = match *result {
                status::CONTINUE | status::NOREPLY | status::SKIP => true,
                status::ACCEPT => false,
                status::REJECT | status::TEMPFAIL | status::DISCARD => {
                    matches!(command, Rcpt | Command::Unknown)
                }
                _ => promised || matches!(command, Rcpt | Command::Unknown),
            };
            if (!goes_on && *command != Abort) || *command == Eom {
                self.open = false;
            }
        }
        Ok(())
    }
}

/// Plays a plan; `strict` if all callbacks that belong to messages are there.
fn play(plan: &Plan, strict: bool) -> Check {
    let mut play = Play::fresh(&plan.missing);
    play.filter.traits.actions = plan.actions;
    play.filter.negotiate = plan.negotiate;
    *play.filter.others.lock() = VecDeque::from(plan.results.clone());
    let made = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&made);
    play.act(move |context, command| {
        let letters = CHANGES.iter().filter(|(_, _, change)| change(context).is_ok());
        log.lock().extend(letters.map(|(_, text, _)| text.as_bytes()[0]));
        match command {
            Command::Helo => context.set_reply(b"554", None, Some(b"no")).unwrap(),
            Command::Data => context.set_multiline_reply(b"451", None, &[b"a", b"b"]).unwrap(),
            _ => {}
        }
    });
    let mut witness = Witness { answered: 0, granted: 0, open: false, connected: true };
    let first = (b'O', offer(plan.offer));
    for (letter, payload) in std::iter::once(&first).chain(&plan.packets) {
        let (flow, calls, responses) = play.packet(*letter, payload);
        witness.responses(*letter, flow, &responses)?;
        let changes: Vec<u8> =
            responses.iter().map(|r| r.0).filter(|l| !b"cadrtsyO".contains(l)).collect();
        prop_assert_eq!(&changes, &std::mem::take(&mut *made.lock()), "told and sent differ");
        if strict {
            witness.connected |= !b"ADKQ".contains(letter) && flow == Flow::Continue;
            witness.calls(&calls)?;
            witness.open &= !(*letter == b'E' && flow == Flow::Continue);
            prop_assert!(!(matches!(letter, b'A' | b'K') && witness.open));
        }
        if flow == Flow::Close {
            break;
        }
    }
    play.session.finish(&play.filter);
    if strict {
        witness.calls(&std::mem::take(&mut *play.filter.calls.lock()))?;
        prop_assert!(!witness.open, "a message was left open");
        prop_assert!(!witness.connected, "a connection was left open");
    }
    Ok(())
}

/// Callbacks that may be missing without hiding where a message begins and ends.
fn harmless() -> impl Strategy<Value = Vec<Command>> {
    use Command::{Connect, Eom, Helo, Negotiate, Unknown};
    proptest::sample::subsequence(vec![Connect, Helo, Eom, Unknown, Negotiate], 0..=5)
}

fn any_commands() -> impl Strategy<Value = Vec<Command>> {
    let all: Vec<Command> = (0..=u8::MAX).filter_map(Command::from_letter).collect();
    proptest::sample::subsequence(all, 0..=Command::COUNT)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        // A failure prints its plan; it becomes a test of its own rather than a file of seeds.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn aborts_and_closes_are_paired(plan in plan(harmless())) {
        play(&plan, true)?;
    }

    #[test]
    fn one_reply_for_each_command_and_nothing_that_was_not_agreed(plan in plan(any_commands())) {
        play(&plan, false)?;
    }
}
