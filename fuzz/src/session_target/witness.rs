//! Follows a session from outside, and says what must come of it.

use super::calls::Sent;
use super::replies::Verdict;
use crate::macro_model::Model;
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::session::Flow;
use std::collections::BTreeMap;

/// Letters of final replies; all others are changes and progress.
const FINAL: &[u8] = b"cadrtsyO";
/// Commands of a message.
pub(super) const MESSAGE: &[u8] = b"MRTLNBE";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    No,
    Yes,
    /// Whether what came was part of the message can't be told.
    Perhaps,
}

pub(super) struct Witness {
    /// Whether the session is written down, to look at what was found.
    shown: bool,
    missing: u16,
    /// Whether all callbacks that begin and end messages are there.
    pub(super) strict: bool,
    macros: Model,
    /// The stored reply.
    pub(super) reply: Option<Vec<u8>>,
    pub(super) private: usize,
    /// Promises of silence that the MTA knows nothing of.
    pub(super) faked: u32,
    pub(super) lists: BTreeMap<u32, Vec<u8>>,
    pub(super) offered: Option<[u32; 3]>,
    /// Actions and protocol flags of the answer.
    pub(super) granted: u32,
    pub(super) answered: u32,
    /// The packet in hand.
    pub(super) letter: u8,
    payload: Vec<u8>,
    /// The last callback.
    running: Command,
    /// Callbacks of it but abort and close, with results.
    pub(super) calls: Vec<(Command, i32)>,
    /// Changes and progress that must be sent before the reply.
    wanted: Vec<Sent>,
    /// A message was begun, and neither ended nor aborted.
    pub(super) open: bool,
    /// There is an SMTP connection to be closed.
    connected: Known,
    pub(super) verdict: Option<Verdict>,
    pub(super) skip_body: Known,
    /// Bytes of the longest text that was sent: where verdicts are not followed, one may be kept.
    longest: usize,
    ending: bool,
    ended: bool,
}

impl Witness {
    pub(super) fn new(missing: u16) -> Self {
        use Command::{Connect, Eom, Helo, Negotiate, Unknown};
        let harmless = [Connect, Eom, Helo, Negotiate, Unknown];
        let harmless = harmless.iter().fold(0, |bits, command| bits | 1 << command.index());
        Self {
            shown: std::env::var_os("FUZZ_SHOW").is_some(),
            missing,
            strict: missing & !harmless & ((1 << Command::COUNT) - 1) == 0,
            macros: Model::default(),
            reply: None,
            private: 0,
            faked: 0,
            lists: BTreeMap::new(),
            offered: None,
            granted: 0,
            answered: 0,
            letter: 0,
            payload: Vec::new(),
            running: Command::Quit,
            calls: Vec::new(),
            wanted: Vec::new(),
            open: false,
            connected: Known::Yes,
            verdict: None,
            skip_body: Known::No,
            longest: 0,
            ending: false,
            ended: false,
        }
    }

    pub(super) fn has(&self, command: Command) -> bool {
        self.missing >> command.index() & 1 == 0
    }

    pub(super) fn begin(&mut self, letter: u8, payload: &[u8], _mds: bool) {
        if self.shown {
            eprintln!(
                "> {} {}",
                letter.escape_ascii(),
                &payload[..payload.len().min(200)].escape_ascii()
            );
        }
        self.running = Command::Macro;
        (self.letter, self.payload) = (letter, payload.to_vec());
        self.calls.clear();
        self.wanted.clear();
        if letter == b'D' {
            self.macros.packet(payload);
            // Macros may show that the next message begins.
            if let Some(verdict) = &mut self.verdict {
                let next = matches!(payload.first(), Some(b'M' | b'H'));
                if next || self.answered & step::NOMAIL != 0 {
                    verdict.known = Known::Perhaps;
                }
            }
        }
        let number = |at: usize| {
            Some(u32::from_be_bytes(payload.get(at..at + 4)?.try_into().expect("4 bytes")))
        };
        if letter == b'O' && self.offered.is_none() {
            self.offered = number(0).zip(number(4)).zip(number(8)).map(|((a, b), c)| [a, b, c]);
        }
    }

    /// The lowest stage of macros that a command empties.
    fn clears(letter: u8) -> Option<usize> {
        b"OCHMR".iter().position(|known| *known == letter)
    }

    /// A callback begins.
    pub(super) fn called(&mut self, command: Command, arguments: &[&[u8]]) {
        assert!(!self.ended, "{command:?} after the end");
        self.running = command;
        if self.shown {
            eprintln!("  {command:?}");
        }
        if command == Command::Abort {
            assert!(self.open || !self.strict, "aborts what is not open");
            self.open = false;
            self.skip_body = Known::No;
        } else if command == Command::Quit {
            assert!(self.connected != Known::No, "closes twice");
            self.connected = Known::No;
            assert!(!self.open || !self.strict, "closes within a message");
        } else {
            assert!(!self.ending, "{command:?} at the end");
            self.began(command, arguments);
        }
    }

    fn began(&mut self, command: Command, arguments: &[&[u8]]) {
        if let Some(stage) = Self::clears(self.letter).filter(|_| self.calls.is_empty()) {
            self.macros.clear_from(stage);
        }
        self.connected = Known::Yes;
        let from_letter = Command::from_letter(self.letter);
        let body_at_end = command == Command::Body && self.letter == b'E' && self.calls.is_empty();
        assert!(from_letter == Some(command) || body_at_end, "{command:?} for another command");
        self.check_arguments(command, arguments);
        if command.is_message() {
            if self.strict {
                let begins = command == Command::Mail || self.answered & step::NOMAIL != 0;
                assert!(!(command == Command::Mail && self.open), "MAIL within a message");
                assert!(self.open || begins, "{command:?} within no message");
                self.open = true;
            }
            self.verdict = None;
        }
        if matches!(command, Command::Connect | Command::Helo) {
            assert!(!self.open || !self.strict, "{command:?} within a message");
        }
        if command == Command::Body {
            assert!(self.skip_body != Known::Yes, "a body that was to be skipped");
        }
    }

    fn check_arguments(&self, command: Command, arguments: &[&[u8]]) {
        let payload = self.payload.as_slice();
        let last = payload.iter().rposition(|byte| *byte == 0).map_or(0, |at| at + 1);
        let first = payload.iter().position(|byte| *byte == 0).map_or(0, |at| at + 1);
        match (command, arguments) {
            (Command::Connect, [host]) => assert_eq!(*host, &payload[..first]),
            (Command::Helo, [name]) => {
                assert_eq!(*name, payload);
                assert_eq!(last, payload.len(), "a name without NUL");
            }
            (Command::Mail | Command::Rcpt, [strings]) => {
                assert_eq!(*strings, &payload[..last]);
                assert!(last > 0, "an address without NUL");
            }
            (Command::Header, [name, value]) => {
                assert_eq!([*name, *value].concat(), payload);
                assert!(name.len() > 1 && !value.is_empty());
                let inner = &name[1..name.len() - 1];
                assert!(!inner.contains(&0) && name.ends_with(b"\0") && value.ends_with(b"\0"));
            }
            (Command::Body, [chunk]) => assert!(*chunk == payload && !payload.is_empty()),
            (Command::Unknown, [text]) => assert_eq!(*text, [payload, b"\0"].concat()),
            (_, []) => {}
            _ => panic!("{command:?} with {} arguments", arguments.len()),
        }
    }

    pub(super) fn returned(&mut self, command: Command, result: i32) {
        if !matches!(command, Command::Abort | Command::Quit) {
            if self.shown {
                eprintln!("  -> {result}");
            }
            self.calls.push((command, result));
        }
    }

    /// Whether a message may be changed now.
    pub(super) fn may_change(&self, action: u32) -> bool {
        let at_end = self.letter == b'E' && matches!(self.running, Command::Body | Command::Eom);
        at_end && self.granted & action != 0
    }

    pub(super) fn sent(&mut self, done: bool, packets: Vec<Sent>) {
        if done {
            self.wanted.extend(packets);
        }
    }

    pub(super) fn macro_value(&self, name: &[u8], value: Option<&[u8]>) {
        let value = value.map(|value| value.split(|byte| *byte == 0).next().expect("at least one"));
        if let Ok(wanted) = self.macros.get(name) {
            assert_eq!(value, wanted, "smfi_getsymval {}", name.escape_ascii());
        }
    }

    pub(super) fn list(&mut self, stage: i32, list: Vec<u8>) -> bool {
        let Some(stage) = u32::try_from(stage).ok().filter(|stage| *stage < 7) else {
            return false;
        };
        let free = !self.lists.contains_key(&stage);
        self.lists.entry(stage).or_insert(list);
        free
    }

    /// Whether the MTA was told that it gets no reply to this.
    fn silent(&self, letter: u8) -> bool {
        match Command::from_letter(letter) {
            None | Some(Command::Abort | Command::Macro | Command::Quit | Command::QuitNc) => true,
            Some(command) => self.answered & command.no_reply_flag() != 0,
        }
    }

    /// The packet was processed.
    pub(super) fn end(&mut self, flow: Flow, sent: &[Sent], broken: bool) {
        if self.shown {
            for (letter, payload) in sent {
                let payload = &payload[..payload.len().min(200)];
                eprintln!("< {} {}", letter.escape_ascii(), payload.escape_ascii());
            }
            eprintln!("  {flow:?}");
        }
        let (finals, others): (Vec<_>, Vec<_>) =
            sent.iter().cloned().partition(|(letter, _)| FINAL.contains(letter));
        assert_eq!(others, self.wanted, "told and sent differ");
        let due = flow == Flow::Continue && !self.silent(self.letter);
        assert!(!(broken && due), "goes on although the MTA can't be reached");
        assert_eq!(finals.len(), usize::from(due), "replies to {}", self.letter.escape_ascii());
        self.settle_macros(flow);
        if let [reply] = finals.as_slice() {
            self.longest = self.longest.max(reply.1.len());
            assert_eq!(sent.last(), Some(reply), "a reply comes last");
            self.check_reply(reply);
        } else if self.strict && !broken {
            self.without_reply(flow);
        }
        match self.letter {
            b'A' => {
                (self.verdict, self.open) = (None, self.open && !self.strict);
                self.skip_body = Known::No;
            }
            b'K' => {
                self.skip_body = Known::No;
                self.verdict = None;
                self.reply = None;
                assert!(!self.open || !self.strict, "open after the connection has ended");
                match self.connected {
                    // Those without a close callback are closed all the same.
                    _ if !self.has(Command::Quit) => self.macros.forget_from(0),
                    Known::No if self.running == Command::Quit => self.macros.clear_from(0),
                    // The connection before had been closed.
                    Known::No => {}
                    _ => panic!("no close callback"),
                }
                self.connected = Known::No;
            }
            _ => {}
        }
        if b"OCHMRTLNBEU".contains(&self.letter) {
            if flow == Flow::Continue {
                self.went_on();
            } else if self.connected == Known::No {
                // It may have been taken before something failed.
                self.connected = Known::Perhaps;
            }
        }
    }

    /// A command was taken.
    fn went_on(&mut self) {
        if self.connected == Known::No {
            let perhaps = self.verdict.is_some() && MESSAGE.contains(&self.letter);
            self.connected = if perhaps { Known::Perhaps } else { Known::Yes };
        }
        let skips = self.letter == b'B' && self.answered & step::SKIP == 0;
        if self.calls.last() == Some(&(Command::Body, status::SKIP)) && skips {
            let promised = self.promised(b'B');
            self.skip_body = if promised { Known::Perhaps } else { Known::Yes };
        } else if self.letter != b'B' {
            self.skip_body = Known::No;
        }
        let concluded =
            self.calls.last().is_some_and(|&(command, result)| self.concludes(command, result));
        if self.letter == b'E' {
            (self.verdict, self.open) = (None, false);
        } else if b"HCO".contains(&self.letter) || self.letter == b'M' && !concluded {
            self.verdict = None;
        }
        if concluded {
            self.open = false;
        }
    }

    fn promised(&self, letter: u8) -> bool {
        let flag = Command::from_letter(letter).map_or(0, Command::no_reply_flag);
        (self.answered | self.faked) & flag != 0
    }

    /// Whether a result is a verdict on the message.
    pub(super) fn concludes(&self, command: Command, result: i32) -> bool {
        let one_only = matches!(command, Command::Rcpt | Command::Unknown);
        match result {
            status::CONTINUE | status::NOREPLY | status::SKIP => false,
            status::ACCEPT => true,
            status::REJECT | status::TEMPFAIL | status::DISCARD => !one_only,
            // Taken for a temporary failure where the MTA waits.
            _ => self.answered & command.no_reply_flag() == 0 && !one_only,
        }
    }

    fn settle_macros(&mut self, flow: Flow) {
        let Some(stage) = Self::clears(self.letter).filter(|_| self.calls.is_empty()) else {
            return;
        };
        let rest = self.verdict.is_some() && MESSAGE.contains(&self.letter);
        let there = Command::from_letter(self.letter).is_some_and(|command| self.has(command));
        match flow {
            // Part of a message with its verdict, or without a callback: not always to be told.
            Flow::Continue if rest && there => {}
            Flow::Continue if !rest && self.strict => self.macros.clear_from(stage),
            _ => self.macros.forget_from(stage),
        }
    }

    /// Nothing more will come from the MTA.
    pub(super) fn finish(&mut self) {
        self.ending = true;
        self.wanted.clear();
        self.calls.clear();
    }

    pub(super) fn finished(&mut self, sent: &[Sent]) {
        assert_eq!(sent, self.wanted, "told and sent differ");
        if self.strict {
            assert!(!self.open, "a message was left open");
            assert!(self.connected != Known::Yes, "a connection was left open");
        }
        self.ended = true;
    }

    /// Bytes that macros, the replies and the lists may take.
    pub(super) fn room(&self) -> usize {
        let reply = self.reply.as_ref().map_or(0, Vec::len);
        let verdict = self.verdict.as_ref().and_then(|verdict| verdict.text.as_ref());
        let verdict = if self.strict { verdict.map_or(0, Vec::len) } else { self.longest };
        let lists: usize = self.lists.values().map(|list| list.len() + 24).sum();
        self.macros.room() + reply + verdict + lists + 512
    }
}
