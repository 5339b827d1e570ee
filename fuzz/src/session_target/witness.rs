//! Follows a session from outside, and says what must come of it.

use super::calls::Sent;
use crate::macro_model::Model;
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::session::Flow;
use std::collections::BTreeMap;

/// Letters of final replies; all others are changes and progress.
const FINAL: &[u8] = b"cadrtsyO";
/// Commands of a message.
const MESSAGE: &[u8] = b"MRTLNBE";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    No,
    Yes,
    /// Whether what came was part of the message can't be told.
    Perhaps,
}

/// A verdict on the message under way.
#[derive(Debug)]
struct Verdict {
    result: i32,
    text: Option<Vec<u8>>,
    known: Known,
}

pub(super) struct Witness {
    /// Whether the session is written down, to look at what was found.
    shown: bool,
    missing: u16,
    /// Whether all callbacks that begin and end messages are there.
    strict: bool,
    macros: Model,
    /// The stored reply.
    pub(super) reply: Option<Vec<u8>>,
    pub(super) private: usize,
    /// Promises of silence that the MTA knows nothing of.
    pub(super) faked: u32,
    lists: BTreeMap<u32, Vec<u8>>,
    offered: Option<[u32; 3]>,
    /// Actions and protocol flags of the answer.
    granted: u32,
    answered: u32,
    /// The packet in hand.
    letter: u8,
    payload: Vec<u8>,
    /// The last callback.
    running: Command,
    /// Callbacks of it but abort and close, with results.
    calls: Vec<(Command, i32)>,
    /// Changes and progress that must be sent before the reply.
    wanted: Vec<Sent>,
    /// A message was begun, and neither ended nor aborted.
    open: bool,
    /// There is an SMTP connection to be closed.
    connected: Known,
    verdict: Option<Verdict>,
    skip_body: Known,
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
            ending: false,
            ended: false,
        }
    }

    fn has(&self, command: Command) -> bool {
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
            assert_eq!(sent.last(), Some(reply), "a reply comes last");
            self.check_reply(reply);
        } else if self.strict && !broken {
            self.without_reply(flow);
        }
        match self.letter {
            b'A' => (self.verdict, self.open) = (None, self.open && !self.strict),
            b'K' => {
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
    fn concludes(&self, command: Command, result: i32) -> bool {
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

    /// The reply that goes with a result.
    fn reply_for(&mut self, result: i32) -> Sent {
        let class = match result {
            status::REJECT => Some(b'5'),
            status::TEMPFAIL => Some(b'4'),
            _ => None,
        };
        if let Some(mut text) = self.reply.take_if(|text| text.first().copied() == class) {
            text.push(0);
            return (b'y', text);
        }
        (bare(result), Vec::new())
    }

    fn check_reply(&mut self, reply: &Sent) {
        let (kind, payload) = reply;
        if self.letter == b'O' {
            assert_eq!(*kind, b'O');
            return self.check_agreement(payload);
        }
        let Some(&(command, result)) = self.calls.last() else {
            return self.check_repeated(reply);
        };
        let flag = Command::from_letter(self.letter).map_or(0, Command::no_reply_flag);
        let listed = matches!(result, 0..=4 | status::NOREPLY | status::SKIP);
        let result = match result {
            _ if self.faked & flag != 0 && listed => status::CONTINUE,
            status::NOREPLY => status::CONTINUE,
            status::SKIP if self.letter != b'B' || self.answered & step::SKIP == 0 => {
                status::CONTINUE
            }
            _ if listed => result,
            _ => status::TEMPFAIL,
        };
        let wanted = self.reply_for(result);
        assert_eq!(*reply, wanted, "{command:?} has returned {:?}", self.calls.last());
        if self.concludes(command, result) && self.letter != b'E' {
            let text = (wanted.0 == b'y').then_some(wanted.1);
            self.settle(result, text);
        } else if let Some(&(command, result)) = self.calls.last() {
            // A promise that only the library knows of: the verdict is not told, and holds.
            if self.concludes(command, result) && self.faked & flag != 0 && self.letter != b'E' {
                self.settle(result, None);
            }
        }
    }

    fn settle(&mut self, result: i32, text: Option<Vec<u8>>) {
        let about_message = self.strict && MESSAGE.contains(&self.letter);
        let unknown_within = self.letter == b'U' && self.open;
        if about_message || unknown_within {
            self.verdict = Some(Verdict { result, text, known: Known::Yes });
        }
    }

    /// A reply without a callback: there is none, or the message has its verdict.
    fn check_repeated(&mut self, reply: &Sent) {
        let command = Command::from_letter(self.letter);
        let called = command.is_none_or(|command| self.has(command));
        let skipped = self.letter == b'B' && self.skip_body != Known::No;
        if !self.strict {
            return;
        }
        let certain = called && !skipped;
        let rest = self.verdict.is_some() && MESSAGE.contains(&self.letter);
        if !rest {
            assert!(!certain, "no callback for {}", self.letter.escape_ascii());
            assert_eq!(*reply, (b'c', Vec::new()), "without a callback");
            return;
        }
        if !certain && *reply == (b'c', Vec::new()) {
            return;
        }
        let mut verdict = self.verdict.take().expect("looked at above");
        let wanted = match verdict.text.clone() {
            Some(text) => (b'y', text),
            None => self.reply_for(verdict.result),
        };
        assert_eq!(*reply, wanted, "the verdict {} again", verdict.result);
        verdict.text = (wanted.0 == b'y').then_some(wanted.1);
        self.verdict = Some(verdict);
    }

    /// No reply came: none was due, or the session ends.
    fn without_reply(&mut self, flow: Flow) {
        let Some(verdict) = &self.verdict else {
            if let (Flow::Continue, Some(&(command, result))) = (flow, self.calls.last()) {
                let listed = matches!(result, 0..=4);
                if listed && self.concludes(command, result) {
                    self.settle(result, None);
                }
            }
            return;
        };
        let forward = b"RTLNBE".contains(&self.letter);
        if verdict.known == Known::Yes && forward && self.answered & step::NOMAIL == 0 {
            assert_eq!(flow, Flow::Continue, "the rest of a message with a verdict");
        }
    }

    fn check_agreement(&mut self, payload: &[u8]) {
        let offered = self.offered.expect("an answer to an offer");
        let (numbers, lists) = payload.split_at(12);
        let number =
            |at: usize| u32::from_be_bytes(numbers[at..at + 4].try_into().expect("4 bytes"));
        assert_eq!(number(0), offered[0].min(6), "version");
        (self.granted, self.answered) = (number(4), number(8));
        let actions = if offered[1] == 0 { 0xf } else { offered[1] };
        let protocol = if offered[2] == 0 { 0x3f } else { offered[2] };
        assert_eq!(self.granted & !actions, 0, "actions that were not offered");
        assert_eq!(self.answered & !protocol, 0, "flags that were not offered");
        let mut wanted = Vec::new();
        for (stage, list) in self.lists.iter().filter(|_| actions & 0x100 != 0) {
            wanted.extend_from_slice(&stage.to_be_bytes());
            wanted.extend_from_slice(list);
            wanted.push(0);
        }
        assert_eq!(lists, wanted, "lists of macros");
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
        let lists: usize = self.lists.values().map(|list| list.len() + 24).sum();
        self.macros.room() + reply + verdict.map_or(0, Vec::len) + lists + 512
    }
}

fn bare(result: i32) -> u8 {
    match result {
        status::REJECT => b'r',
        status::TEMPFAIL => b't',
        status::DISCARD => b'd',
        status::ACCEPT => b'a',
        status::SKIP => b's',
        _ => b'c',
    }
}
