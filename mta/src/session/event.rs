//! What an observer hears, and what a reply means.

use super::smtp::SmtpReply;
use crate::wire::{Command, Reply};

/// What an observer hears.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A command goes out; macros are commands too.
    Sent(&'a Command<'a>),
    /// A reply has come in.
    Received(&'a Reply<'a>),
    /// The command just sent gets no reply, as agreed.
    Unanswered,
    /// The milter does something odd that does not end the session.
    Remark(&'a str),
}

/// What a reply means for the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Continue,
    /// Ask no more.
    Accept,
    /// Drop the message silently.
    Discard,
    /// No more of this kind.
    Skip,
    /// Tell the client this.
    Refuse(SmtpReply),
}
