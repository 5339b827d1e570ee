//! The MTA's half of a capture, played again to any milter.
//!
//! What the MTA has sent is sent again, byte for byte, and each answer is set beside the one in the
//! capture. Where the milter answers otherwise, the rest is played as an MTA would: what the milter
//! does not want is left out, and so is what follows a verdict that ends the message or the session.

mod answer;
mod exchange;
mod rules;

use std::time::Duration;

pub use answer::Answer;
use answer::goes_on;
pub use exchange::{Exchange, exchanges};
use rules::{Course, Due};

use crate::capture::{Capture, What};
use crate::client::{Client, ClientError};

/// How long to wait for a milter.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For each answer.
    pub answer: Duration,
    /// For the milter to close after the end of the session.
    pub close: Duration,
}

/// What became of an exchange of the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was played; these are the answers now.
    Played(Vec<Answer>),
    /// It was left out, for this reason.
    LeftOut(&'static str),
}

/// An exchange of the capture, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was recorded.
    pub recorded: Exchange,
    /// What became of it.
    pub fate: Fate,
    /// How long the milter took for its answers.
    pub took: Duration,
}

impl Step {
    /// Whether the answers are equal; those that only say "still at work" do not count.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let recorded = &self.recorded.answers;
        // Who has closed after the end of the session is not seen in each capture.
        let untold = !recorded.contains(&Answer::Closed) && self.recorded.is_end();
        let counts = |answer: &&Answer| !(answer.is_progress() || untold && answer.is_close());
        match &self.fate {
            Fate::Played(now) => now.iter().filter(counts).eq(recorded.iter().filter(counts)),
            Fate::LeftOut(_) => false,
        }
    }
}

/// Plays a capture; `each` is told of every exchange when it is over, in the order of the capture.
pub fn replay(capture: &Capture, client: Client, patience: Patience, each: &mut dyn FnMut(&Step)) {
    let mut player = Player { client: Some(client), course: Course::default(), patience };
    let exchanges = exchanges(capture);
    let mut last: Option<Step> = None;
    for exchange in exchanges {
        if let Some(mut step) = last.take() {
            player.take_surplus(&mut step);
            each(&step);
        }
        last = Some(player.play(exchange));
    }
    if let Some(mut step) = last {
        player.take_surplus(&mut step);
        each(&step);
    }
}

/// The state of a replay.
struct Player {
    client: Option<Client>,
    course: Course,
    patience: Patience,
}

impl Player {
    fn play(&mut self, recorded: Exchange) -> Step {
        let mut step = Step { fate: Fate::LeftOut(""), took: Duration::ZERO, recorded };
        if step.recorded.sent == What::Closed {
            // As it did; what the milter does then concerns nobody.
            self.client = None;
            step.fate = Fate::Played(Vec::new());
            return step;
        }
        if let Some(reason) = self.reason_to_leave_out(&step.recorded) {
            step.fate = Fate::LeftOut(reason);
            return step;
        }
        let start = std::time::Instant::now();
        let answers = self.answers(&step.recorded);
        step.took = start.elapsed();
        step.fate = Fate::Played(answers);
        step
    }

    fn reason_to_leave_out(&mut self, exchange: &Exchange) -> Option<&'static str> {
        if self.client.is_none() {
            return Some("the connection is closed");
        }
        match &exchange.sent {
            What::Packet(packet) => self.course.reason_to_leave_out(packet),
            _ => None,
        }
    }

    /// Sends, and gives what comes back.
    fn answers(&mut self, exchange: &Exchange) -> Vec<Answer> {
        let Some(client) = &mut self.client else {
            return Vec::new();
        };
        let sent = match &exchange.sent {
            What::Packet(packet) => {
                for macros in &exchange.macros {
                    client.queue(macros.letter, &macros.payload);
                }
                client.send(packet.letter, &packet.payload)
            }
            What::Raw(bytes) => client.send_raw(bytes),
            What::Closed => return Vec::new(),
        };
        // A milter that has hung up may have said something before.
        let due = match (&exchange.sent, sent) {
            (_, Err(_)) => Due::Close,
            (What::Packet(packet), Ok(())) => self.course.due(packet, &exchange.answers),
            // Whoever gets what is no packet hangs up, or answers as it did.
            (_, Ok(())) if exchange.answers.is_empty() => Due::Nothing,
            (_, Ok(())) => Due::Close,
        };
        let answers = self.wait(due);
        if let What::Packet(packet) = &exchange.sent {
            self.course.take(packet, &answers, &exchange.answers);
        }
        if answers.contains(&Answer::Closed) {
            self.client = None;
        }
        answers
    }

    fn wait(&mut self, due: Due) -> Vec<Answer> {
        let mut answers = Vec::new();
        let Some(client) = &mut self.client else {
            return answers;
        };
        if due == Due::Nothing {
            return answers;
        }
        let bound = if due == Due::Close { self.patience.close } else { self.patience.answer };
        loop {
            match client.read_owned(bound) {
                Ok(packet) => {
                    let end = due == Due::Reply && !goes_on(packet.letter);
                    answers.push(Answer::Packet(packet));
                    if end {
                        return answers;
                    }
                }
                Err(ClientError::ReadTimeout { .. }) if due == Due::Close => {
                    answers.push(Answer::LeftOpen);
                    return answers;
                }
                Err(ClientError::ReadTimeout { .. }) => {
                    answers.push(Answer::Nothing);
                    self.client = None;
                    return answers;
                }
                Err(ClientError::Frame(_)) => {
                    let bytes = client.read_raw(bound).unwrap_or_default();
                    answers.push(Answer::Raw(bytes));
                    self.client = None;
                    return answers;
                }
                Err(_) => {
                    answers.push(Answer::Closed);
                    return answers;
                }
            }
        }
    }

    /// What came without being due belongs to the command before.
    fn take_surplus(&mut self, step: &mut Step) {
        let (Some(client), Fate::Played(answers)) = (&mut self.client, &mut step.fate) else {
            return;
        };
        while let Ok(Some(packet)) = client.buffered_packet() {
            answers.push(Answer::Packet(packet.to_owned()));
        }
    }
}
