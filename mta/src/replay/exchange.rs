//! A capture as questions and answers.

use std::collections::VecDeque;

use super::answer::{Answer, goes_on};
use super::rules::{Course, Due};
use crate::capture::{Capture, Side, What};
use crate::wire::OwnedPacket;
use crate::wire::command::letter;

/// What the MTA has sent, and what has come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Macros sent just before, for this command.
    pub macros: Vec<OwnedPacket>,
    /// What was sent.
    pub sent: What,
    /// What has come back, in its order.
    pub answers: Vec<Answer>,
}

impl Exchange {
    /// Whether the MTA has no more to say after it.
    #[must_use]
    pub fn is_end(&self) -> bool {
        match &self.sent {
            What::Packet(packet) => packet.letter == letter::QUIT,
            What::Raw(_) => false,
            What::Closed => true,
        }
    }
}

/// Sorts a capture into exchanges.
///
/// Answers belong to the oldest command that is owed one: an MTA may send on where it expects none.
#[must_use]
pub fn exchanges(capture: &Capture) -> Vec<Exchange> {
    let mut sorter = Sorter::default();
    for record in &capture.records {
        match record.from {
            Side::Mta => sorter.sent(&record.what),
            Side::Milter => sorter.answered(&record.what),
        }
    }
    sorter.end()
}

#[derive(Default)]
struct Sorter {
    exchanges: Vec<Exchange>,
    macros: Vec<OwnedPacket>,
    /// Those that are owed an answer.
    owed: VecDeque<usize>,
    course: Course,
    over: bool,
}

impl Sorter {
    fn sent(&mut self, what: &What) {
        if let What::Packet(packet) = what
            && packet.letter == letter::MACRO
        {
            self.macros.push(packet.clone());
            return;
        }
        // The end of a connection that has been ended by a command.
        if *what == What::Closed && self.exchanges.last().is_some_and(Exchange::is_end) {
            return;
        }
        let own = match what {
            What::Packet(packet) => Some(packet.letter),
            _ => None,
        };
        let mut macros = std::mem::take(&mut self.macros);
        let theirs =
            macros.iter().rposition(|one| own.is_none() || one.payload.first() != own.as_ref());
        let theirs = theirs.map_or(0, |last| last + 1);
        for alone in macros.drain(..theirs) {
            self.push(Vec::new(), What::Packet(alone));
        }
        self.push(macros, what.clone());
        if let What::Packet(packet) = what
            && self.course.due(packet, &[]) == Due::Reply
        {
            self.owed.push_back(self.exchanges.len() - 1);
        }
    }

    fn push(&mut self, macros: Vec<OwnedPacket>, sent: What) {
        self.exchanges.push(Exchange { macros, sent, answers: Vec::new() });
    }

    fn answered(&mut self, what: &What) {
        let Some(last) = self.exchanges.len().checked_sub(1) else {
            return;
        };
        let at = self.owed.front().copied().unwrap_or(last);
        let exchange = &mut self.exchanges[at];
        let answer = match what {
            What::Packet(packet) => Answer::Packet(packet.clone()),
            What::Raw(bytes) => Answer::Raw(bytes.clone()),
            What::Closed => Answer::Closed,
        };
        // The MTA has closed; that the milter does so too says nothing.
        if self.over || exchange.sent == What::Closed && answer == Answer::Closed {
            return;
        }
        self.over = answer == Answer::Closed;
        exchange.answers.push(answer);
        let complete = !matches!(what, What::Packet(packet) if goes_on(packet.letter));
        if complete && self.owed.pop_front().is_some() {
            let exchange = &self.exchanges[at];
            if let What::Packet(sent) = &exchange.sent {
                self.course.take(sent, &exchange.answers, &exchange.answers);
            }
        }
    }

    fn end(mut self) -> Vec<Exchange> {
        for alone in std::mem::take(&mut self.macros) {
            self.push(Vec::new(), What::Packet(alone));
        }
        for at in self.owed {
            self.exchanges[at].answers.push(Answer::Nothing);
        }
        self.exchanges
    }
}
