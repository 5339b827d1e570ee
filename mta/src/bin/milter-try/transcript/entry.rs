//! What is kept of the conversation for JSON.

use std::time::Duration;

use milter_mta::wire::Reply;

/// One command and what came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// Name of the command, `remark` for a remark.
    pub(crate) command: &'static str,
    /// Its arguments in words.
    pub(crate) text: String,
    /// What was sent, without the letter, if it is not UTF-8.
    pub(crate) bytes: Option<Vec<u8>>,
    /// Macros sent with it.
    pub(crate) macros: Pairs,
    /// The replies.
    pub(crate) replies: Vec<Said>,
    /// No reply was due.
    pub(crate) unanswered: bool,
    /// How long the milter took to reply.
    pub(crate) took: Duration,
    /// What the library has logged meanwhile.
    pub(crate) log: Vec<String>,
}

/// Names and values of macros.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A reply.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// In words, on one line.
    pub(crate) text: String,
    /// The text or value in it, if it is not UTF-8.
    pub(crate) bytes: Option<Vec<u8>>,
}

/// What must be kept beside a text, as it cannot be read back from it.
pub(crate) fn unless_text(bytes: &[u8]) -> Option<Vec<u8>> {
    std::str::from_utf8(bytes).is_err().then(|| bytes.to_vec())
}

/// The text or value in a reply.
pub(super) fn content<'a>(reply: &Reply<'a>) -> &'a [u8] {
    match *reply {
        Reply::ReplyCode(text) | Reply::Quarantine(text) => text,
        Reply::AddHeader { value, .. }
        | Reply::InsertHeader { value, .. }
        | Reply::ChangeHeader { value, .. } => value,
        Reply::ChangeSender { address, .. }
        | Reply::AddRecipient(address)
        | Reply::AddRecipientArgs { address, .. }
        | Reply::DeleteRecipient(address) => address,
        Reply::ReplaceBody(part) => part,
        _ => &[],
    }
}
