//! What a milter asks for at the end of a message.

use crate::wire::Reply;

/// One requested change, with memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Add a header below all others.
    AddHeader {
        /// Name without colon.
        name: Vec<u8>,
        /// Value as sent.
        value: Vec<u8>,
    },
    /// Insert a header at a position, 0 being the top.
    InsertHeader {
        /// Position among all headers.
        index: u32,
        /// Name without colon.
        name: Vec<u8>,
        /// Value as sent.
        value: Vec<u8>,
    },
    /// Change, delete (empty value) or add the nth header of a name.
    ChangeHeader {
        /// Number among the headers of that name; 0 and 1 are the first.
        index: u32,
        /// Name without colon.
        name: Vec<u8>,
        /// Value as sent.
        value: Vec<u8>,
    },
    /// Replace the envelope sender.
    ChangeSender {
        /// New sender.
        address: Vec<u8>,
        /// ESMTP arguments.
        arguments: Option<Vec<u8>>,
    },
    /// Add a recipient.
    AddRecipient {
        /// New recipient.
        address: Vec<u8>,
        /// ESMTP arguments.
        arguments: Option<Vec<u8>>,
    },
    /// Delete a recipient.
    DeleteRecipient(Vec<u8>),
    /// Replace the body; the parts the milter sent are joined.
    ReplaceBody(Vec<u8>),
    /// Hold the message, for this reason.
    Quarantine(Vec<u8>),
}

impl Change {
    /// Takes the change out of a reply; `None` if it asks for none.
    #[must_use]
    pub fn from_reply(reply: &Reply<'_>) -> Option<Change> {
        Some(match *reply {
            Reply::AddHeader { name, value } => {
                Change::AddHeader { name: name.to_vec(), value: value.to_vec() }
            }
            Reply::InsertHeader { index, name, value } => {
                Change::InsertHeader { index, name: name.to_vec(), value: value.to_vec() }
            }
            Reply::ChangeHeader { index, name, value } => {
                Change::ChangeHeader { index, name: name.to_vec(), value: value.to_vec() }
            }
            Reply::ChangeSender { address, arguments } => Change::ChangeSender {
                address: address.to_vec(),
                arguments: arguments.map(<[u8]>::to_vec),
            },
            Reply::AddRecipient(address) => {
                Change::AddRecipient { address: address.to_vec(), arguments: None }
            }
            Reply::AddRecipientArgs { address, arguments } => Change::AddRecipient {
                address: address.to_vec(),
                arguments: arguments.map(<[u8]>::to_vec),
            },
            Reply::DeleteRecipient(address) => Change::DeleteRecipient(address.to_vec()),
            Reply::ReplaceBody(part) => Change::ReplaceBody(part.to_vec()),
            Reply::Quarantine(reason) => Change::Quarantine(reason.to_vec()),
            _ => return None,
        })
    }

    /// Appends to a list of changes, joining the parts of a new body.
    pub fn collect(self, changes: &mut Vec<Change>) {
        if let Change::ReplaceBody(part) = &self {
            let started = changes.iter_mut().find_map(|change| match change {
                Change::ReplaceBody(body) => Some(body),
                _ => None,
            });
            if let Some(body) = started {
                body.extend_from_slice(part);
                return;
            }
        }
        changes.push(self);
    }
}
