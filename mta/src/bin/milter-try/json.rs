//! The `--json` document.
//!
//! One object: `status` (exit status), `error` (null or text), `milter`, and `sessions`. Each
//! session has `negotiation`, `conversation` (only if there is one session), `messages` and
//! `error`. Text that is not UTF-8 is shown with the replacement character.

use serde_json::{Value, json};

use milter_mta::Agreement;
use milter_mta::mail::{Address, Change, Envelope};
use milter_mta::session::Outcome;
use milter_mta::wire::flags::{action, describe, protocol};

use crate::play::{Job, Record};
use crate::report::diffs;
use crate::transcript::Entry;

/// What is known of the milter's process.
#[derive(Debug, Default)]
pub(crate) struct MilterFacts {
    pub(crate) socket: String,
    pub(crate) command: Vec<String>,
    pub(crate) library: Option<String>,
    pub(crate) ending: Option<String>,
    pub(crate) output: Option<String>,
}

/// The whole document.
pub(crate) fn document(
    status: u8,
    error: Option<&str>,
    milter: &MilterFacts,
    sessions: Vec<Value>,
) -> String {
    let document = json!({
        "status": status,
        "error": error,
        "milter": {
            "socket": milter.socket,
            "command": milter.command,
            "library": milter.library,
            "ending": milter.ending,
            "output": milter.output,
        },
        "sessions": sessions,
    });
    format!("{document:#}\n")
}

/// One session.
pub(crate) fn session(job: &Job, record: &Record, conversation: &[Entry]) -> Value {
    let messages = record.outcomes.iter().enumerate();
    let messages: Vec<Value> =
        messages.map(|(index, outcome)| message(job, index, outcome)).collect();
    json!({
        "negotiation": record.agreement.as_ref().map(negotiation),
        "conversation": conversation.iter().map(entry).collect::<Vec<_>>(),
        "messages": messages,
        "error": record.broken.as_ref().map(ToString::to_string),
    })
}

fn negotiation(agreement: &Agreement) -> Value {
    let symbols = agreement.symbols.iter();
    let symbols: Vec<Value> =
        symbols.map(|(stage, names)| json!({"stage": stage, "names": text(names)})).collect();
    json!({
        "version": agreement.version,
        "actions": agreement.actions,
        "action_names": describe(agreement.actions, action::NAMES),
        "protocol": agreement.protocol,
        "protocol_names": describe(agreement.protocol, protocol::NAMES),
        "symbols": symbols,
    })
}

fn entry(entry: &Entry) -> Value {
    let macros = entry.macros.iter();
    let macros: serde_json::Map<String, Value> =
        macros.map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "command": entry.command,
        "text": entry.text,
        "macros": macros,
        "replies": entry.replies,
        "unanswered": entry.unanswered,
    })
}

fn message(job: &Job, index: usize, outcome: &Outcome) -> Value {
    let (envelope_diff, message_diff) = diffs(job, index, outcome);
    let recipients = outcome.recipients.iter();
    let recipients: Vec<Value> = recipients
        .map(|place| {
            json!({
                "recipient": place.recipient.to_string(),
                "refused": place.refused.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    let delivered = outcome.delivered.as_ref().map(|(after, message)| {
        json!({
            "envelope": envelope(after),
            "message": text(&message.to_bytes()),
        })
    });
    json!({
        "name": job.mail(index).name,
        "queue_id": outcome.queue_id,
        "verdict": outcome.verdict.name(),
        "stage": outcome.stage.name(),
        "reply": {"code": outcome.reply.code, "lines": outcome.reply.lines},
        "quarantine": outcome.quarantine_reason(),
        "recipients": recipients,
        "changes": outcome.changes.iter().map(change).collect::<Vec<_>>(),
        "remarks": outcome.remarks,
        "envelope": envelope(&job.envelope),
        "delivered": delivered,
        "envelope_diff": envelope_diff,
        "message_diff": message_diff,
    })
}

fn envelope(envelope: &Envelope) -> Value {
    json!({
        "sender": envelope.sender.to_string(),
        "recipients": envelope.recipients.iter().map(Address::to_string).collect::<Vec<_>>(),
    })
}

fn change(change: &Change) -> Value {
    let maybe = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(text);
    match change {
        Change::AddHeader { name, value } => {
            json!({"kind": "add_header", "name": text(name), "value": text(value)})
        }
        Change::InsertHeader { index, name, value } => json!({
            "kind": "insert_header", "index": index, "name": text(name), "value": text(value),
        }),
        Change::ChangeHeader { index, name, value } => json!({
            "kind": "change_header", "index": index, "name": text(name), "value": text(value),
        }),
        Change::ChangeSender { address, arguments } => json!({
            "kind": "change_sender", "address": text(address), "arguments": maybe(arguments),
        }),
        Change::AddRecipient { address, arguments } => json!({
            "kind": "add_recipient", "address": text(address), "arguments": maybe(arguments),
        }),
        Change::DeleteRecipient(address) => {
            json!({"kind": "delete_recipient", "address": text(address)})
        }
        Change::ReplaceBody(body) => json!({"kind": "replace_body", "bytes": body.len()}),
        Change::Quarantine(reason) => json!({"kind": "quarantine", "reason": text(reason)}),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
