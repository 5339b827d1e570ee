//! Replies in words.

use std::fmt;

use super::Reply;
use crate::wire::flags::{action, describe, protocol};
use crate::wire::text::{one_line, printable};

/// Stages by their numbers in symbol lists (`SMFIM_*`).
const STAGES: [&str; 7] = ["connect", "helo", "mail", "rcpt", "data", "eom", "eoh"];

/// The lists of macros that a milter asks for, in words.
fn lists(mut symbols: &[u8]) -> String {
    let mut out = String::new();
    while let Some((number, rest)) = symbols.split_first_chunk::<4>() {
        let number = u32::from_be_bytes(*number);
        let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
        let stage = usize::try_from(number).ok().and_then(|number| STAGES.get(number));
        let stage = stage.map_or_else(|| number.to_string(), |stage| (*stage).to_owned());
        out.push_str(&format!(", macros at {stage} \"{}\"", one_line(&rest[..end])));
        symbols = rest.get(end + 1..).unwrap_or_default();
    }
    out
}

/// One line for a person; bytes that are not text are escaped. With `#`, line feeds and tabs stay.
impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = f.alternate();
        let text = |bytes: &[u8]| if lines { printable(bytes) } else { one_line(bytes) };
        let with = |arguments: &Option<&[u8]>| match arguments {
            Some(arguments) => format!(" {}", text(arguments)),
            None => String::new(),
        };
        match self {
            Reply::Negotiate { version, actions, protocol: steps, symbols } => write!(
                f,
                "version {version}, actions {}, protocol {}{}",
                describe(*actions, action::NAMES),
                describe(*steps, protocol::NAMES),
                lists(symbols)
            ),
            Reply::Continue => f.write_str("continue"),
            Reply::Accept => f.write_str("accept"),
            Reply::Discard => f.write_str("discard"),
            Reply::Reject => f.write_str("reject"),
            Reply::Tempfail => f.write_str("tempfail"),
            Reply::Skip => f.write_str("skip"),
            Reply::Progress => f.write_str("progress"),
            Reply::Shutdown => f.write_str("shutdown"),
            Reply::ConnFail => f.write_str("connection failure"),
            Reply::ReplyCode(reply) => write!(f, "reply {}", text(reply)),
            Reply::AddHeader { name, value } => {
                write!(f, "add header {}: {}", text(name), text(value))
            }
            Reply::InsertHeader { index, name, value } => {
                let (name, value) = (text(name), text(value));
                write!(f, "insert header at {index} {name}: {value}")
            }
            Reply::ChangeHeader { index, name, value: [] } => {
                write!(f, "delete header {index} {}", text(name))
            }
            Reply::ChangeHeader { index, name, value } => {
                let (name, value) = (text(name), text(value));
                write!(f, "change header {index} {name}: {value}")
            }
            Reply::ChangeSender { address, arguments } => {
                write!(f, "change sender {}{}", text(address), with(arguments))
            }
            Reply::AddRecipient(address) => write!(f, "add recipient {}", text(address)),
            Reply::AddRecipientArgs { address, arguments } => {
                write!(f, "add recipient {}{}", text(address), with(arguments))
            }
            Reply::DeleteRecipient(address) => write!(f, "delete recipient {}", text(address)),
            Reply::Quarantine(reason) => write!(f, "quarantine: {}", text(reason)),
            Reply::ReplaceBody(part) => write!(f, "replace body, {} bytes", part.len()),
        }
    }
}
