//! What a session tells the operator, and in which words.

use super::mistake::Mistake;
use super::slow::Slow;
use crate::proto::address::AddressError;
use crate::proto::command::Command;
use crate::proto::foreign;
use crate::proto::frame::FrameError;
use crate::proto::negotiate::NegotiateError;
use crate::proto::state::State;

/// How grave a report is; the names are those of syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something is wrong but was dealt with.
    Warning,
    /// Worth knowing.
    Info,
}

/// One thing an operator should know about a session.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Report<'a> {
    /// The bytes received are no packet: why, those that have arrived.
    Frame(FrameError, &'a [u8]),
    /// No command has this letter.
    UnknownCommand(u8),
    /// A command's payload breaks its rules.
    Malformed(Command, &'static str),
    /// The address of a connect packet can't be used.
    Address(AddressError),
    /// A command the MTA must not send now.
    OutOfOrder(Command, State),
    /// Negotiation failed.
    Negotiate(NegotiateError),
    /// What that means, and what would help.
    Unsuited(NegotiateError),
    /// The filter does something wrong, in this callback.
    Mistake(Mistake, Option<Command>),
    /// A callback returned what is no status; whether no reply is sent, as was promised.
    Unlisted(Command, i32, bool),
    /// A callback replied though the filter promised silence: state number, result.
    PromiseBroken(u8, i32),
    /// A callback returned NOREPLY though the filter had not promised silence.
    Unpromised(Command),
    /// A callback other than `xxfi_body` returned SKIP.
    SkipOutsideBody(Command),
    /// A reply is over the data size limit: its letter, bytes of payload, bytes allowed.
    ReplyTooLong(u8, usize, usize),
    /// The filter did not clear its private pointer.
    PrivateData,
    /// The MTA closed the connection in the middle of a message.
    LostInMessage,
    /// The MTA was silent for too long: seconds, and whether within a packet.
    ReadTimeout(i64, bool),
    /// The MTA did not take a response in time: seconds.
    WriteTimeout(i64),
    /// Reading failed.
    Read(&'a std::io::Error),
    /// Writing failed.
    Write(&'a std::io::Error),
    /// A callback has ended its thread, and with it the session.
    ThreadEnded(Command),
    /// The system has no memory for what the session needs.
    NoMemory,
    /// A callback takes long, or has.
    Slow(&'a Slow<'a>),
    /// A bug in this library was contained: what panicked.
    Panic(&'a str),
}

impl Report<'_> {
    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Report::PrivateData
            | Report::Unpromised(_)
            | Report::SkipOutsideBody(_)
            | Report::ReadTimeout(..)
            | Report::WriteTimeout(_)
            | Report::Write(_) => Severity::Warning,
            Report::LostInMessage | Report::Mistake(..) => Severity::Info,
            Report::Slow(slow) if slow.is_over() => Severity::Info,
            Report::Slow(_) => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The text of the log line, without the filter's name.
    #[must_use]
    pub fn text(&self, session: u64) -> String {
        let in_session = |text: String| format!("session {session}: {text}");
        match self {
            // These four have the reference's form, for those who match on it.
            Report::Negotiate(error) => format!("st_optionneg[{session}]: {error}"),
            Report::Address(error) => format!("connect[{session}]: {}", address_error(*error)),
            Report::PromiseBroken(state, result) => {
                format!("milter claimed not to reply in state {state} but did anyway {result}")
            }
            Report::PrivateData => "private data not NULL".to_owned(),
            Report::Read(error) => {
                format!("mi_rd_cmd: read returned -1: {error} (session {session})")
            }
            Report::Unsuited(error) => in_session(error.explanation().unwrap_or_default()),
            Report::Mistake(mistake, callback) => in_session(mistake.text(*callback)),
            Report::Frame(error, bytes) => in_session(match foreign::spoken(bytes) {
                Some(speaks) => format!(
                    "the peer {speaks}, which is not the milter protocol; closing the connection"
                ),
                None => format!("{error}; closing the connection"),
            }),
            Report::UnknownCommand(letter) => in_session(format!(
                "command '{}' is not known; closing the connection",
                letter.escape_ascii()
            )),
            Report::Malformed(command, why) => {
                in_session(format!("malformed {command:?} command: {why}; closing the connection"))
            }
            Report::OutOfOrder(command, state) => in_session(format!(
                "{command:?} command can't follow in state {} ({state:?}); closing the connection",
                *state as u8
            )),
            Report::Unlisted(command, result, silent) => in_session(format!(
                "{} returned {result}, which is no SMFIS_ value; taken as {}",
                command.callback_name(),
                if *silent { "SMFIS_NOREPLY" } else { "SMFIS_TEMPFAIL" }
            )),
            Report::Unpromised(command) => in_session(format!(
                "{} returned SMFIS_NOREPLY, which was not negotiated; taken as SMFIS_CONTINUE",
                command.callback_name()
            )),
            Report::SkipOutsideBody(command) => in_session(format!(
                "{} returned SMFIS_SKIP, which only xxfi_body may; taken as SMFIS_CONTINUE",
                command.callback_name()
            )),
            Report::ReplyTooLong(letter, size, limit) => in_session(format!(
                "reply '{}' of {size} bytes is larger than the data size limit of {limit}; closing \
                 the connection",
                letter.escape_ascii()
            )),
            Report::LostInMessage => {
                in_session("the MTA closed the connection in the middle of a message".to_owned())
            }
            Report::ReadTimeout(seconds, within) => in_session(format!(
                "no {} from the MTA within {seconds} s; closing the connection",
                if *within { "complete packet" } else { "command" }
            )),
            Report::WriteTimeout(seconds) => in_session(format!(
                "the MTA did not take a response within {seconds} s; closing the connection"
            )),
            Report::Write(error) => in_session(format!("write to the MTA failed: {error}")),
            Report::ThreadEnded(command) => in_session(format!(
                "{} has ended its thread (pthread_exit or cancellation), and with it the session",
                command.callback_name()
            )),
            Report::Slow(slow) => in_session(slow.text()),
            Report::NoMemory => in_session("memory has run out; closing the connection".to_owned()),
            Report::Panic(what) => in_session(format!(
                "internal error: {what}; the MTA gets a temporary failure, please report this bug"
            )),
        }
    }
}

fn address_error(error: AddressError) -> String {
    match error {
        AddressError::Truncated => "host or address is not terminated".to_owned(),
        AddressError::WrongLength(family, len) => format!("wrong len {family} >= {len}"),
        AddressError::Inet => "inet_aton failed".to_owned(),
        AddressError::Inet6 => "mi_inet_pton failed".to_owned(),
        AddressError::PathTooLong => "path too long".to_owned(),
        AddressError::Family(family) => format!("unknown family {}", family as i8),
    }
}
