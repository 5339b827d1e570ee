//! What a filter does wrong, where nothing ends and its author would not hear of it.
//!
//! Each kind is told once a session. An administrator can do little about them, and filters may always
//! have done so: `runtime/log.rs` sees to it that the log does not fill up with them.

use std::fmt::{Display, Formatter, Result};

use super::refused::{Refused, Wrong};
use crate::proto::codes::status;
use crate::proto::command::Command;
use crate::proto::names;
use crate::proto::reply::{LINE_MAX, LINES_MAX, ReplyError};

/// One thing that a filter does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// A function failed: its name, why, the data size limit in bytes.
    Refused(&'static str, Refused, usize),
    /// A reply was set whose first digit does not go with the result: its code.
    ReplyClass(i32, [u8; 3]),
    /// A header would have lines that are not its own: the function, whether because of its name.
    LineBreak(&'static str, bool),
    /// A result where silence was negotiated: the flag, the result.
    NotSilent(u32, i32),
    /// The private pointer is set when the session has ended.
    PrivateData,
}

impl Mistake {
    /// How many kinds there are; [`Mistake::kind`] is below it.
    pub const KINDS: usize = 8;

    /// A small number, for what is counted by kind; none if there is nothing to be told.
    #[must_use]
    pub fn kind(&self) -> Option<usize> {
        Some(match self {
            Mistake::Refused(_, Refused::Stage, _) => 0,
            Mistake::Refused(_, Refused::Right(_), _) => 1,
            Mistake::Refused(_, Refused::Argument(_) | Refused::TooLong(_), _) => 2,
            Mistake::Refused(_, Refused::Reply(ReplyError::Memory), _)
            | Mistake::Refused(_, Refused::Send | Refused::Late | Refused::Memory, _) => {
                return None;
            }
            Mistake::Refused(_, Refused::Reply(_) | Refused::AlreadySet, _) => 3,
            Mistake::ReplyClass(..) => 4,
            Mistake::LineBreak(..) => 5,
            Mistake::NotSilent(..) => 6,
            Mistake::PrivateData => 7,
        })
    }

    /// What is wrong, and what would be right.
    #[must_use]
    pub fn text(&self, callback: Option<Command>) -> String {
        let place = callback.map_or("outside of callbacks", Command::callback_name);
        let within = if callback.is_some() { "in " } else { "" };
        match self {
            Mistake::Refused(function, why, limit) => {
                format!("{function} failed {within}{place}: {}", Why(*why, *limit))
            }
            Mistake::ReplyClass(result, code) => format!(
                "{place} returned {} where the reply that was set has the code {}: a code that begins \
                 with {} goes with it; the MTA takes a text of its own",
                names::result(*result),
                String::from_utf8_lossy(code),
                if *result == status::REJECT { 5 } else { 4 }
            ),
            Mistake::LineBreak(function, name) => format!(
                "{function} {within}{place}: the {} of the header has a line break{}: what follows it \
                 becomes a line of its own in the message",
                if *name { "name" } else { "value" },
                if *name { "" } else { " without a blank or tab behind it" },
            ),
            Mistake::NotSilent(flag, result) => format!(
                "{place} returned {}, or is not set, where {} was negotiated: it has to be there and \
                 return SMFIS_NOREPLY",
                names::result(*result),
                names::steps(*flag)
            ),
            Mistake::PrivateData => "the private pointer was still set at the end of the session: \
                 xxfi_close has to free what it points to and call smfi_setpriv(ctx, NULL)"
                .to_owned(),
        }
    }
}

/// Why a call failed, with the data size limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why(pub Refused, pub usize);

impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Why(why, limit) = self;
        f.write_str(match why {
            Refused::Stage => "a message can be changed in xxfi_eom only",
            Refused::Right(action) => {
                return write!(
                    f,
                    "{} was not negotiated; the filter has to ask for it, in xxfi_flags or, if the \
                     MTA offers it, in xxfi_negotiate",
                    names::actions(*action)
                );
            }
            Refused::TooLong(bytes) => {
                return write!(f, "{bytes} bytes are more than the data size limit of {limit}");
            }
            Refused::Argument(wrong) => match wrong {
                Wrong::Name => "the name is NULL or empty",
                Wrong::Value => "the value is NULL",
                Wrong::Index => "the index is negative",
                Wrong::Address => "the address is NULL or empty",
                Wrong::Reason => "the reason is NULL or empty",
                Wrong::Body => "the length is negative, or the body is NULL",
                Wrong::Code => "the code is NULL",
                Wrong::List => "the list is NULL",
                Wrong::MacroStage => "there is no such SMFIM_ stage",
            },
            Refused::AlreadySet => "there is a list for this stage already",
            Refused::Reply(error) => match error {
                ReplyError::Code => "the code is not three digits of which the first is 4 or 5",
                ReplyError::EnhancedCode => "the enhanced code is none, such as 5.7.1",
                ReplyError::LineBreak => "the text has a line break; smfi_setmlreply takes lines",
                ReplyError::LineTooLong => {
                    return write!(f, "a line of the text has more than {LINE_MAX} bytes");
                }
                ReplyError::LineCount => return write!(f, "1 to {LINES_MAX} lines are needed"),
                ReplyError::Memory => "memory has run out",
            },
            Refused::Send => "the MTA can't be written to",
            Refused::Late => "the callback has run for too long (see LIBMILTER_CALLBACK_LIMIT)",
            Refused::Memory => "memory has run out",
        })
    }
}
