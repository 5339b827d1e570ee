//! What an MTA sends next, and what it waits for.

use super::answer::{Answer, goes_on};
use crate::negotiate::{Agreement, Offer};
use crate::session::Stage;
use crate::wire::OwnedPacket;
use crate::wire::command::letter;
use crate::wire::words::word_at;

/// What must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// An answer.
    Reply,
    /// Nothing.
    Nothing,
    /// The end of the connection.
    Close,
}

/// What is left out of the rest, because the milter has answered otherwise than in the capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipped {
    /// Everything up to another SMTP session.
    Session,
    /// Everything up to another message.
    Message,
    /// All of this kind in a row.
    Kind(u8),
}

/// What has been agreed on, and how far the milter has been asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    agreement: Option<Agreement>,
    skipped: Option<Skipped>,
    /// Recipients that the milter has taken now, and in the capture.
    taken: (usize, usize),
}

impl Course {
    /// What must come back for a command; `recorded` for those that the protocol does not know.
    pub(super) fn due(&self, packet: &OwnedPacket, recorded: &[Answer]) -> Due {
        match packet.letter {
            letter::OPTNEG => Due::Reply,
            letter::ABORT | letter::QUIT_NC | letter::MACRO => Due::Nothing,
            letter::QUIT => Due::Close,
            other => match Stage::from_letter(other) {
                Some(stage) if self.has(stage.silent_flag()) => Due::Nothing,
                Some(_) => Due::Reply,
                None if recorded.is_empty() => Due::Nothing,
                None => Due::Close,
            },
        }
    }

    /// Why an MTA would not send this.
    pub(super) fn reason_to_leave_out(&mut self, packet: &OwnedPacket) -> Option<&'static str> {
        let begins = match packet.letter {
            letter::MACRO => packet.payload.first().copied().unwrap_or_default(),
            other => other,
        };
        let over = match self.skipped {
            None => None,
            Some(Skipped::Session) => Some(begins == letter::QUIT_NC || begins == letter::QUIT),
            Some(Skipped::Message) => Some(matches!(
                begins,
                letter::MAIL | letter::ABORT | letter::QUIT | letter::QUIT_NC
            )),
            Some(Skipped::Kind(kind)) => Some(begins != kind),
        };
        match (over, self.skipped) {
            (Some(true), _) => self.skipped = None,
            (Some(false), Some(Skipped::Session)) => {
                return Some("the milter is done with the session");
            }
            (Some(false), Some(Skipped::Message)) => {
                return Some("the milter is done with the message");
            }
            (Some(false), _) => return Some("the milter wants no more of these"),
            (None, _) => {}
        }
        if begins == letter::MAIL {
            self.taken = (0, 0);
        }
        let stage = Stage::from_letter(packet.letter);
        if stage.is_some_and(|stage| self.has(stage.unwanted_flag())) {
            return Some("the milter does not want it");
        }
        let needs_recipient = stage.is_some_and(|stage| stage.is_content() || stage == Stage::Data);
        if needs_recipient && self.taken.0 == 0 && self.taken.1 > 0 {
            return Some("no recipient is left");
        }
        None
    }

    /// Takes note of answers.
    pub(super) fn take(&mut self, packet: &OwnedPacket, now: &[Answer], recorded: &[Answer]) {
        if packet.letter == letter::OPTNEG {
            self.agree(packet, now);
            return;
        }
        let (now, recorded) = (verdict(now), verdict(recorded));
        if packet.letter == letter::RCPT {
            self.taken.0 += usize::from(takes(now));
            self.taken.1 += usize::from(takes(recorded));
        }
        // What an MTA does after the same answer is in the capture.
        if now == recorded {
            return;
        }
        let Some(now) = now else {
            return;
        };
        self.skipped = match (packet.letter, now) {
            (_, b'4' | b'f') => Some(Skipped::Session),
            (letter::CONNECT | letter::HELO, b'a' | b'r' | b't' | b'y') => Some(Skipped::Session),
            (letter::RCPT, b'r' | b't' | b'y') => None,
            (letter::UNKNOWN, _) => None,
            (_, b'a' | b'd' | b'r' | b't' | b'y') => Some(Skipped::Message),
            (kind @ (letter::RCPT | letter::HEADER | letter::BODY), b's') => {
                Some(Skipped::Kind(kind))
            }
            _ => None,
        };
    }

    fn agree(&mut self, offer: &OwnedPacket, answers: &[Answer]) {
        let word = |at| word_at(&offer.payload, at).unwrap_or_default();
        let offer = Offer { version: word(0), actions: word(4), protocol: word(8) };
        self.agreement = match answers.first() {
            Some(Answer::Packet(answer)) => Agreement::check(&offer, answer.as_packet()).ok(),
            _ => None,
        };
        if self.agreement.is_none() {
            self.skipped = Some(Skipped::Session);
        }
    }

    fn has(&self, flag: u32) -> bool {
        self.agreement.as_ref().is_some_and(|agreement| agreement.has(flag))
    }
}

/// The letter of the answer that is no change.
fn verdict(answers: &[Answer]) -> Option<u8> {
    answers.iter().rev().find_map(|answer| match answer {
        Answer::Packet(packet) if !goes_on(packet.letter) => Some(packet.letter),
        _ => None,
    })
}

/// Whether a recipient with this answer stays one.
fn takes(verdict: Option<u8>) -> bool {
    !matches!(verdict, Some(b'r' | b't' | b'y' | b'd'))
}
