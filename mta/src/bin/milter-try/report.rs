//! The report for a person.

use std::collections::BTreeMap;
use std::fmt::Write;

use milter_mta::session::{Outcome, SmtpReply, Stage, Verdict};
use milter_mta::wire::text::printable;

use crate::paint::{self, Paint, paint};
use crate::play::{Job, Record};
use crate::text::diff;
use crate::transcript::Times;
use crate::transcript::layout::WIDTH;

/// Columns for labels.
const LABEL: usize = 11;

/// Puts a line with a label on the left.
pub(crate) fn line(out: &mut String, label: &str, text: &str) {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let label = paint(Paint::Name, &format!("{label:<LABEL$}"));
    let _ = writeln!(out, "{label}{first}");
    for more in lines {
        let _ = writeln!(out, "{:LABEL$}{more}", "");
    }
}

/// Puts text with a label on the left, broken between words.
pub(crate) fn words(out: &mut String, label: &str, text: &str) {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(last) = lines.last_mut() {
            if LABEL + last.chars().count() + 1 + word.chars().count() > WIDTH && !last.is_empty() {
                lines.push(word.to_owned());
            } else {
                last.push_str(if last.is_empty() { "" } else { " " });
                last.push_str(word);
            }
        }
    }
    line(out, label, &lines.join("\n"));
}

/// Verdict, reply, refused recipients and remarks, and the changes.
pub(crate) fn outcome(job: &Job, index: usize, outcome: &Outcome, times: &Times) -> String {
    let mut out = String::from("\n");
    if job.messages() > 1 {
        let (number, all) = (index + 1, job.messages());
        let text = format!("{number} of {all}: {}", job.mail(index).name);
        line(&mut out, "Message", &text);
    }
    line(&mut out, "Verdict", &paint(colour(outcome.verdict), &verdict(outcome)));
    line(&mut out, "Reply", &reply_text(&outcome.reply));
    for place in &outcome.recipients {
        if let Some(reply) = &place.refused {
            let text = format!("{}: {}", place.recipient.address, reply_text(reply));
            line(&mut out, "Refused", &text);
        }
    }
    for remark in &outcome.remarks {
        line(&mut out, "Remark", &printable(remark.as_bytes()));
    }
    if !times.total().is_zero() {
        words(&mut out, "Time", &times.in_words());
    }
    let (envelope, message) = diffs(job, index, outcome);
    match &outcome.delivered {
        None => line(&mut out, "Changes", "not delivered"),
        Some((after, _)) => {
            if envelope.is_empty() && message.is_empty() {
                line(&mut out, "Changes", "none");
            } else {
                let _ = write!(out, "\n{}{}", paint::diff(&envelope), paint::diff(&message));
            }
            if after.recipients.is_empty() {
                line(&mut out, "Remark", "no recipient is left: the MTA drops the message");
            }
        }
    }
    out
}

fn colour(verdict: Verdict) -> Paint {
    match verdict {
        Verdict::Accept => Paint::Good,
        Verdict::Quarantine => Paint::Change,
        Verdict::Reject | Verdict::Tempfail | Verdict::Discard => Paint::Bad,
    }
}

fn verdict(outcome: &Outcome) -> String {
    let mut text = format!("{} ({})", outcome.verdict, at(outcome.stage));
    if let Some(reason) = outcome.quarantine_reason() {
        let _ = write!(text, ": {}", printable(reason.as_bytes()));
    }
    text
}

/// A stage in words.
fn at(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "when the client connected",
        Stage::Helo => "at HELO",
        Stage::Mail => "at MAIL FROM",
        Stage::Rcpt => "at RCPT TO",
        Stage::Data => "at DATA",
        Stage::Header => "at a header",
        Stage::EndOfHeaders => "at the end of the headers",
        Stage::Body => "at a part of the body",
        Stage::EndOfMessage => "at the end of the message",
        Stage::Unknown => "at an unknown command",
    }
}

pub(crate) fn reply_text(reply: &SmtpReply) -> String {
    printable(reply.to_string().as_bytes())
}

/// The differences in envelope and message; empty if there are none or nothing is delivered.
pub(crate) fn diffs(job: &Job, index: usize, outcome: &Outcome) -> (String, String) {
    let Some((envelope, message)) = &outcome.delivered else {
        return (String::new(), String::new());
    };
    let mail = job.mail(index);
    let before = job.envelope.to_string();
    let after = envelope.to_string();
    let names = ("envelope", "envelope after the milter");
    let envelope = diff(before.as_bytes(), after.as_bytes(), names);
    let after_name = format!("{} after the milter", mail.name);
    let names = (mail.name.as_str(), after_name.as_str());
    let (before, after) = (mail.message.to_bytes(), message.to_bytes());
    (envelope, diff(&before, &after, names))
}

/// What many sessions came to: how often each verdict and each error.
pub(crate) fn summary(records: &[Record]) -> String {
    let mut verdicts: BTreeMap<(Verdict, String), usize> = BTreeMap::new();
    let mut errors: BTreeMap<String, usize> = BTreeMap::new();
    let mut times = Times::default();
    for record in records {
        for outcome in &record.outcomes {
            let reply = match outcome.verdict {
                Verdict::Reject | Verdict::Tempfail => {
                    reply_text(&outcome.reply).replace('\n', " | ")
                }
                _ => String::new(),
            };
            *verdicts.entry((outcome.verdict, reply)).or_default() += 1;
        }
        record.times.iter().for_each(|more| times.add(more));
        if let Some(broken) = &record.broken {
            *errors.entry(broken.to_string()).or_default() += 1;
        }
    }
    let mut out = String::new();
    let messages: usize = verdicts.values().sum();
    let text = format!("{} at once, {messages} messages", records.len());
    line(&mut out, "Sessions", &text);
    for ((verdict, reply), count) in &verdicts {
        line(&mut out, "Verdict", format!("{count:>6} x {verdict}  {reply}").trim_end());
    }
    for (error, count) in &errors {
        line(&mut out, "Failed", &format!("{count:>6} x {error}"));
    }
    if !times.total().is_zero() {
        words(&mut out, "Time", &times.in_words());
    }
    out
}
