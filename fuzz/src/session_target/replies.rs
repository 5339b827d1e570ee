//! Which reply a packet must get.

use super::calls::Sent;
use super::witness::{Known, MESSAGE, Witness};
use crate::proto::codes::{status, step};
use crate::proto::command::Command;
use crate::session::Flow;

/// A verdict on the message under way.
#[derive(Debug)]
pub(super) struct Verdict {
    result: i32,
    pub(super) text: Option<Vec<u8>>,
    pub(super) known: Known,
}

impl Witness {
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

    pub(super) fn check_reply(&mut self, reply: &Sent) {
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
    pub(super) fn without_reply(&mut self, flow: Flow) {
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
