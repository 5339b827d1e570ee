//! The `--json` document.
//!
//! One object: `status` (exit status), `error` (null or text), `milter`, `sessions` and `replay`.
//! Each session has `negotiation`, `conversation`, `messages` and `error`. Beside a text whose bytes
//! are not UTF-8, and which has the replacement character for some, stands `NAME_base64`.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use milter_mta::Agreement;
use milter_mta::mail::{Address, Change, Envelope};
use milter_mta::session::Outcome;
use milter_mta::wire::flags::{action, describe, protocol};

use crate::loaded::Loaded;
use crate::play::{Job, Record};
use crate::report::diffs;
use crate::text::base64;
use crate::transcript::{Entry, Said, Times, unless_text};
use crate::written::Written;

/// What is known of the milter's process.
#[derive(Debug, Default)]
pub(crate) struct MilterFacts {
    pub(crate) socket: String,
    pub(crate) command: Vec<String>,
    /// The library that it is to run with.
    pub(crate) wanted: Option<PathBuf>,
    pub(crate) loaded: Loaded,
    pub(crate) ending: Option<String>,
    pub(crate) output: Option<Written>,
    /// What the library logged after the last command.
    pub(crate) log: Vec<String>,
}

/// The whole document.
pub(crate) fn document(
    status: u8,
    error: Option<&str>,
    milter: &MilterFacts,
    sessions: Vec<Value>,
    replay: Option<Value>,
) -> String {
    let document = json!({
        "status": status,
        "error": error,
        "milter": facts(milter),
        "sessions": sessions,
        "replay": replay,
    });
    format!("{document:#}\n")
}

fn facts(milter: &MilterFacts) -> Value {
    let library = Some(&milter.loaded.library).filter(|library| !library.is_empty());
    let mut out = object(json!({
        "socket": milter.socket,
        "command": milter.command,
        "library": library,
        "library_version": milter.loaded.version,
        "ending": milter.ending,
        "output": Value::Null,
        "output_left_out": milter.output.as_ref().map(|output| output.left_out),
        "log": milter.log,
    }));
    if let Some(output) = &milter.output {
        put(&mut out, "output", &output.bytes);
    }
    Value::Object(out)
}

/// One session.
pub(crate) fn session(job: &Job, record: &Record) -> Value {
    let messages = record.outcomes.iter().zip(&record.times).enumerate();
    let messages: Vec<Value> =
        messages.map(|(index, (outcome, times))| message(job, index, outcome, times)).collect();
    json!({
        "negotiation": record.agreement.as_ref().map(negotiation),
        "conversation": record.entries.iter().map(entry).collect::<Vec<_>>(),
        "messages": messages,
        "error": record.broken.as_ref().map(ToString::to_string),
    })
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Puts bytes as text, and beside it in base64 where that is needed.
fn put(out: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    out.insert(name.to_owned(), json!(text(bytes)));
    put_bytes(out, name, unless_text(bytes).as_deref());
}

fn put_bytes(out: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    if let Some(bytes) = bytes {
        out.insert(format!("{name}_base64"), json!(base64(bytes)));
    }
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
    let (mut macros, mut coded) = (Map::new(), Map::new());
    for (name, value) in &entry.macros {
        macros.insert(text(name), json!(text(value)));
        if let Some(bytes) = unless_text(value) {
            coded.insert(text(name), json!(base64(&bytes)));
        }
    }
    let replies: Vec<&str> = entry.replies.iter().map(|said| said.text.as_str()).collect();
    let mut out = object(json!({
        "command": entry.command,
        "text": entry.text,
        "macros": macros,
        "replies": replies,
        "unanswered": entry.unanswered,
        "seconds": entry.took.as_secs_f64(),
        "log": entry.log,
    }));
    put_bytes(&mut out, "text", entry.bytes.as_deref());
    if !coded.is_empty() {
        out.insert("macros_base64".to_owned(), Value::Object(coded));
    }
    if entry.replies.iter().any(|said| said.bytes.is_some()) {
        let replies = entry.replies.iter().map(|Said { bytes, .. }| bytes.as_deref().map(base64));
        out.insert("replies_base64".to_owned(), json!(replies.collect::<Vec<_>>()));
    }
    Value::Object(out)
}

fn message(job: &Job, index: usize, outcome: &Outcome, times: &Times) -> Value {
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
        let mut out = object(json!({"envelope": envelope(after)}));
        put(&mut out, "message", &message.to_bytes());
        Value::Object(out)
    });
    let stages = times.stages.iter();
    let stages: Map<String, Value> =
        stages.map(|(stage, _, took)| ((*stage).to_owned(), json!(took.as_secs_f64()))).collect();
    let remarks = job.mail(index).remarks.iter().chain(&outcome.remarks).collect::<Vec<_>>();
    json!({
        "name": job.mail(index).name,
        "queue_id": outcome.queue_id,
        "verdict": outcome.verdict.name(),
        "stage": outcome.stage.name(),
        "reply": {"code": outcome.reply.code, "lines": outcome.reply.lines},
        "quarantine": outcome.quarantine_reason(),
        "recipients": recipients,
        "changes": outcome.changes.iter().map(change).collect::<Vec<_>>(),
        "remarks": remarks,
        "seconds": times.total().as_secs_f64(),
        "stage_seconds": stages,
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
    let kind = |kind: &str| object(json!({"kind": kind}));
    let header = |name: &str, index: Option<u32>, header: &[u8], value: &[u8]| {
        let mut out = kind(name);
        if let Some(index) = index {
            out.insert("index".to_owned(), json!(index));
        }
        put(&mut out, "name", header);
        put(&mut out, "value", value);
        out
    };
    let address = |name: &str, address: &[u8]| {
        let mut out = kind(name);
        put(&mut out, "address", address);
        out
    };
    let with_arguments = |name: &str, bytes: &[u8], arguments: &Option<Vec<u8>>| {
        let mut out = address(name, bytes);
        out.insert("arguments".to_owned(), Value::Null);
        if let Some(arguments) = arguments {
            put(&mut out, "arguments", arguments);
        }
        out
    };
    Value::Object(match change {
        Change::AddHeader { name, value } => header("add_header", None, name, value),
        Change::InsertHeader { index, name, value } => {
            header("insert_header", Some(*index), name, value)
        }
        Change::ChangeHeader { index, name, value } => {
            header("change_header", Some(*index), name, value)
        }
        Change::ChangeSender { address, arguments } => {
            with_arguments("change_sender", address, arguments)
        }
        Change::AddRecipient { address, arguments } => {
            with_arguments("add_recipient", address, arguments)
        }
        Change::DeleteRecipient(bytes) => address("delete_recipient", bytes),
        Change::ReplaceBody(body) => object(json!({"kind": "replace_body", "bytes": body.len()})),
        Change::Quarantine(reason) => {
            let mut out = kind("quarantine");
            put(&mut out, "reason", reason);
            out
        }
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
