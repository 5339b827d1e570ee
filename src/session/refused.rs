//! Why a call of the filter fails.

use crate::proto::reply::ReplyError;

/// Why a call on a context failed; all become `MI_FAILURE` in C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// An argument is out of range or missing.
    Argument(Wrong),
    /// What is to be sent is over the data size limit: bytes, as far as they can be counted here.
    TooLong(u32),
    /// The session is not at the end of a message.
    Stage,
    /// The action was not negotiated.
    Right(u32),
    /// The MTA could not be written to.
    Send,
    /// The callback has run for too long, and its MTA has been answered.
    Late,
    /// A list for this stage is set already.
    AlreadySet,
    /// The reply breaks a rule.
    Reply(ReplyError),
    /// There is no memory for it.
    Memory,
}

/// The argument that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Name of a header: missing or empty.
    Name,
    /// Value of a header: missing.
    Value,
    /// Index of a header: negative.
    Index,
    /// Address: missing or empty.
    Address,
    /// Reason of a quarantine: missing or empty.
    Reason,
    /// Body: missing, or of negative length.
    Body,
    /// SMTP code: missing.
    Code,
    /// List of macros: missing.
    List,
    /// Stage of a list of macros: none there is.
    MacroStage,
}
