//! Which command may follow which.
//!
//! The order of the states matters: a command the filter asked not to receive is stepped over by
//! number, so the state with the next higher number is tried in its place.

use super::codes::step;
use super::command::Command;

/// Where a session stands: the last command that changed it.
///
/// The numbers appear in a log message ("did anyway") and are those of the reference. Three of the
/// reference's states are missing: after an aborted message a session is in [`State::Helo`], an
/// unknown command does not change the state, and quitting ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Accepted, nothing received.
    Init = 0,
    /// Options negotiated.
    Opts = 1,
    /// Connection information received.
    Conn = 2,
    /// HELO received, or outside of a message after one.
    Helo = 3,
    /// MAIL received.
    Mail = 4,
    /// RCPT received.
    Rcpt = 5,
    /// DATA received.
    Data = 6,
    /// A header received.
    Hdrs = 7,
    /// End of headers received.
    Eohs = 8,
    /// Body chunk received.
    Body = 9,
    /// End of message received.
    Endm = 10,
    /// The SMTP connection ended, another one may follow.
    QuitNc = 14,
}

/// Number of the state an unknown command has in the reference, for log messages.
const UNKNOWN_STATE: u8 = 13;

const fn bits(states: &[State]) -> u16 {
    let mut set = 0;
    let mut i = 0;
    while i < states.len() {
        #[expect(clippy::indexing_slicing, reason = "const code has no iterators; i < len")]
        let state = states[i];
        set |= 1 << state as u8;
        i += 1;
    }
    set
}

/// States that may follow directly, as bit sets, by the number of the state before.
static SUCCESSORS: [u16; State::QuitNc as usize + 1] = {
    use State::{Body, Conn, Data, Endm, Eohs, Hdrs, Helo, Init, Mail, Opts, QuitNc, Rcpt};
    // A message without any header or body is legal, so both may be missing after DATA.
    let rows: [(State, &[State]); 12] = [
        (Init, &[Opts]),
        (Opts, &[Conn]),
        (Conn, &[Helo, Mail]),
        (Helo, &[Helo, Mail]),
        (Mail, &[Rcpt]),
        (Rcpt, &[Rcpt, Data, Hdrs, Eohs, Body, Endm]),
        (Data, &[Hdrs, Eohs, Body, Endm]),
        (Hdrs, &[Hdrs, Eohs]),
        (Eohs, &[Body, Endm]),
        (Body, &[Body, Endm]),
        (Endm, &[Mail]),
        (QuitNc, &[Conn]),
    ];
    let mut table = [0; State::QuitNc as usize + 1];
    let mut i = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while i < rows.len() {
        let (state, next) = rows[i];
        table[state as usize] = bits(next);
        i += 1;
    }
    table
};

impl State {
    /// The state a command leads to; `None` for those that lead to none.
    #[inline]
    #[must_use]
    pub fn after(command: Command) -> Option<State> {
        Some(match command {
            Command::Negotiate => State::Opts,
            Command::Connect => State::Conn,
            Command::Helo => State::Helo,
            Command::Mail => State::Mail,
            Command::Rcpt => State::Rcpt,
            Command::Data => State::Data,
            Command::Header => State::Hdrs,
            Command::Eoh => State::Eohs,
            Command::Body => State::Body,
            Command::Eom => State::Endm,
            _ => return None,
        })
    }

    fn from_number(number: u8) -> Option<State> {
        use State::{Body, Conn, Data, Endm, Eohs, Hdrs, Helo, Init, Mail, Opts, QuitNc, Rcpt};
        [Init, Opts, Conn, Helo, Mail, Rcpt, Data, Hdrs, Eohs, Body, Endm, QuitNc]
            .into_iter()
            .find(|state| *state as u8 == number)
    }

    /// States that may follow directly, as a bit set by number.
    #[inline]
    fn successors(self) -> u16 {
        SUCCESSORS.get(self as usize).copied().unwrap_or_default()
    }

    /// Whether a command that leads to `next` may follow without any stepping over: nearly all do.
    #[inline]
    #[must_use]
    pub fn leads_to(self, next: State) -> bool {
        self.successors() & (1 << next as u8) != 0
    }

    /// Whether the filter asked not to receive the command that leads here.
    fn skipped_by(self, protocol: u32) -> bool {
        let flag = match self {
            State::Conn => step::NOCONNECT,
            State::Helo => step::NOHELO,
            State::Mail => step::NOMAIL,
            State::Rcpt => step::NORCPT,
            State::Data => step::NODATA,
            State::Hdrs => step::NOHDRS,
            State::Eohs => step::NOEOH,
            State::Body => step::NOBODY,
            _ => 0,
        };
        protocol & flag != 0
    }

    /// Whether `next` may follow, directly or over states the filter asked to skip.
    fn reaches(self, next: State, protocol: u32) -> bool {
        let mut state = self;
        loop {
            if state.leads_to(next) {
                return true;
            }
            match State::from_number(state as u8 + 1).filter(|s| s.skipped_by(protocol)) {
                Some(skipped) => state = skipped,
                None => return false,
            }
        }
    }

    /// Whether a message's transaction is under way in this state.
    #[must_use]
    pub fn in_message(self) -> bool {
        (State::Mail..=State::Body).contains(&self)
    }

    /// Whether a command for `next` can only be the first of another message, once a message has
    /// got here: it is one that messages may begin with, and it does not go forward.
    #[must_use]
    pub fn is_before(self, next: State, protocol: u32) -> bool {
        let repeats = matches!(next, State::Rcpt | State::Hdrs | State::Body);
        (next < self || next == self && !repeats) && State::Helo.reaches(next, protocol)
    }

    /// Whether an unknown SMTP command can come now without breaking a message off.
    fn takes_unknown(self) -> bool {
        !matches!(self, State::Init | State::Data | State::Hdrs | State::Eohs | State::Body)
    }
}

/// What a command means in a given state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// The message under way, if any, is broken off first.
    pub reset: bool,
    /// The state to go to; `None` if the command can't be processed here.
    pub next: Option<State>,
}

/// Decides what a command that needs an answer means in a state.
///
/// Out of order, it breaks off the message under way, and is then judged from [`State::Helo`].
#[must_use]
pub fn transition(state: State, command: Command, protocol: u32) -> Transition {
    let Some(next) = State::after(command) else {
        let reset = !state.takes_unknown();
        return Transition { reset, next: Some(if reset { State::Helo } else { state }) };
    };
    if state.reaches(next, protocol) {
        return Transition { reset: false, next: Some(next) };
    }
    let next = State::Helo.reaches(next, protocol).then_some(next);
    Transition { reset: true, next }
}

/// The state's number that log messages give for a command in progress.
#[must_use]
pub fn log_number(command: Command, state: State) -> u8 {
    if command == Command::Unknown { UNKNOWN_STATE } else { state as u8 }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
