//! Carrying out changes as an MTA does.

use super::eml::with_crlf;
use super::{Address, Change, Envelope, Header, Message};

/// Carries out `changes` in their order and returns remarks on those without effect.
///
/// * An added header goes below all others.
/// * An inserted header goes to its position in the list as it is then; beyond the end means last.
/// * The nth header of a name is counted from 1, in the list as it is then; 0 means 1. An empty
///   value deletes it. If there is no such header, a non-empty value adds one.
/// * An added recipient that is one already stays one; deleting a stranger changes nothing.
/// * A new body replaces the old one; its lines get CRLF ends.
///
/// `leading_space` says whether HDR_LEADSPC was agreed: without it values get a blank in front.
pub fn apply(
    changes: &[Change],
    envelope: &mut Envelope,
    message: &mut Message,
    leading_space: bool,
) -> Vec<String> {
    let mut remarks = Vec::new();
    for change in changes {
        let remark = match change {
            Change::AddHeader { name, value } => {
                let header = Header::from_wire(name, value, leading_space);
                message.headers.push(header);
                None
            }
            Change::InsertHeader { index, name, value } => {
                let header = Header::from_wire(name, value, leading_space);
                let last = message.headers.len();
                let at = usize::try_from(*index).map_or(last, |at| at.min(last));
                message.headers.insert(at, header);
                None
            }
            Change::ChangeHeader { index, name, value } => {
                change_header(message, *index, name, value, leading_space)
            }
            Change::ChangeSender { address, arguments } => {
                envelope.sender = address_from(address, arguments.as_deref());
                None
            }
            Change::AddRecipient { address, arguments } => {
                add_recipient(envelope, address_from(address, arguments.as_deref()))
            }
            Change::DeleteRecipient(address) => delete_recipient(envelope, address),
            Change::ReplaceBody(body) => {
                message.body = with_crlf(body);
                None
            }
            Change::Quarantine(_) => None,
        };
        remarks.extend(remark);
    }
    remarks
}

fn change_header(
    message: &mut Message,
    index: u32,
    name: &[u8],
    value: &[u8],
    leading_space: bool,
) -> Option<String> {
    let nth = usize::try_from(index.max(1)).unwrap_or(usize::MAX);
    let place = message
        .headers
        .iter()
        .enumerate()
        .filter(|(_, header)| header.name.eq_ignore_ascii_case(name))
        .nth(nth - 1)
        .map(|(place, _)| place);
    match (place, value.is_empty()) {
        (Some(place), true) => {
            message.headers.remove(place);
            None
        }
        (Some(place), false) => {
            // The name keeps the spelling it has in the message.
            let old = std::mem::take(&mut message.headers[place].name);
            message.headers[place] = Header::from_wire(&old, value, leading_space);
            None
        }
        (None, true) => Some(format!("no {}. header \"{}\" to delete", nth, name.escape_ascii())),
        (None, false) => {
            let header = Header::from_wire(name, value, leading_space);
            message.headers.push(header);
            None
        }
    }
}

fn add_recipient(envelope: &mut Envelope, recipient: Address) -> Option<String> {
    if envelope.recipients.iter().any(|old| old.is(&recipient.address)) {
        return Some(format!("{} is a recipient already", recipient.address));
    }
    envelope.recipients.push(recipient);
    None
}

fn delete_recipient(envelope: &mut Envelope, address: &[u8]) -> Option<String> {
    let address = String::from_utf8_lossy(address);
    let before = envelope.recipients.len();
    envelope.recipients.retain(|old| !old.is(&address));
    if envelope.recipients.len() == before {
        return Some(format!("{address} is no recipient, so it cannot be deleted"));
    }
    None
}

/// An address with arguments as the milter sent them.
fn address_from(address: &[u8], arguments: Option<&[u8]>) -> Address {
    let mut parsed = Address::parse(&String::from_utf8_lossy(address));
    if let Some(arguments) = arguments {
        let text = String::from_utf8_lossy(arguments);
        parsed.arguments.extend(text.split_ascii_whitespace().map(str::to_owned));
    }
    parsed
}
