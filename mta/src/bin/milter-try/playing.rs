//! Messages played to a milter that accepts, and what that comes to.

use std::cell::RefCell;

use milter_mta::mail::Envelope;
use milter_mta::session::{Outcome, SmtpReply, Verdict};
use milter_mta::{Client, ConnSpec};
use serde_json::Value;

use crate::log::LogFile;
use crate::milter::system;
use crate::options::Options;
use crate::output::put;
use crate::play::{self, Broken, Job, Record};
use crate::status::{Failure, Status};
use crate::transcript::{Sink, Times, Transcript};
use crate::{deliver, json, mails, report};

/// Messages and envelope.
pub(crate) fn job(options: &Options) -> Result<Job, Failure> {
    let recipients: Vec<&str> = options.rcpt.iter().map(String::as_str).collect();
    Ok(Job {
        profile: options.profile,
        client: options.client.clone(),
        helo: options.helo.clone(),
        macros: options.macros.clone(),
        envelope: Envelope::new(&options.from, &recipients),
        mails: mails::read(options.files.iter().map(AsRef::as_ref))?,
        count: options.count,
        keep: options.json || options.deliver.is_some(),
        conversations: options.conversations,
    })
}

/// What has been played.
pub(crate) struct Played {
    pub(crate) records: Vec<Record>,
    /// For the JSON document.
    pub(crate) sessions: Vec<Value>,
    /// The log, as far as it has not been shown.
    pub(crate) log: Option<LogFile>,
}

/// Plays one session, and shows it as it goes.
pub(crate) fn one(options: &Options, job: &Job, client: Client, log: Option<LogFile>) -> Played {
    let print = !options.quiet && !options.json;
    if print {
        put(&remarks(job));
    }
    let sink = if print { Sink::Output } else { Sink::Nowhere };
    let transcript = RefCell::new(Transcript::new(sink, options.json, log));
    let mut last = String::new();
    let mut each = |index: usize, outcome: &Outcome, times: &Times| {
        let text = report::outcome(job, index, outcome, times);
        if index + 1 == job.messages() {
            // After the end of the conversation.
            last = text;
        } else if print {
            put(&format!("{text}\n"));
        }
    };
    let mut record = play::session(job, 0, client, &transcript, &mut each);
    if print {
        put(&last);
    }
    let transcript = transcript.into_inner();
    let (entries, log) = transcript.into_parts();
    record.entries = entries;
    let sessions = match options.json {
        true => vec![json::session(job, &record)],
        false => Vec::new(),
    };
    Played { records: vec![record], sessions, log }
}

/// Plays many sessions at once, and sums up what they came to.
pub(crate) fn many(
    options: &Options,
    job: &Job,
    spec: &ConnSpec,
    client: Client,
    log: Option<LogFile>,
) -> Result<Played, Failure> {
    let records = play::many(job, options.sessions, spec, client, options.quiet)?;
    if !options.quiet && !options.json {
        for (number, record) in records.iter().enumerate().filter(|_| job.conversations) {
            put(&format!("Session {}\n\n{}\n", number + 1, record.conversation));
        }
        put(&report::summary(&records));
    }
    let sessions = match options.json {
        true => records.iter().map(|record| json::session(job, record)).collect(),
        false => Vec::new(),
    };
    Ok(Played { records, sessions, log })
}

/// What is odd about the files.
fn remarks(job: &Job) -> String {
    let mut out = String::new();
    for remark in job.mails.iter().flat_map(|mail| &mail.remarks) {
        report::words(&mut out, "Remark", remark);
    }
    if out.is_empty() { out } else { out + "\n" }
}

/// Writes the message that goes on its way, if it does.
pub(crate) fn write_delivered(
    options: &Options,
    job: &Job,
    record: &Record,
) -> Result<(), Failure> {
    let delivered = record.outcomes.first().and_then(|outcome| outcome.delivered.as_ref());
    let (Some(file), Some((_, message))) = (&options.deliver, delivered) else {
        return Ok(());
    };
    std::fs::write(file, deliver::bytes(job.mail(0), message))
        .map_err(|error| system(&format!("write the message {}", file.display()), &error))
}

/// The exit status, or what broke.
pub(crate) fn judge(job: &Job, records: &[Record]) -> Result<Status, Failure> {
    let broken: Vec<&Broken> = records.iter().filter_map(|record| record.broken.as_ref()).collect();
    let Some(first) = broken.first() else {
        if records.iter().any(|record| record.left_open) {
            eprintln!("milter-try: the milter did not close the connection after QUIT");
        }
        let outcomes = records.iter().flat_map(|record| &record.outcomes);
        let worst = outcomes.map(|outcome| outcome.verdict).max();
        return Ok(Status::Verdict(worst.unwrap_or(Verdict::Accept)));
    };
    let mut message = match broken.len() {
        1 if records.len() == 1 => first.to_string(),
        count => format!("{count} of {} sessions failed, the first {first}", records.len()),
    };
    let mut status = Status::Protocol;
    match first {
        Broken::Connect(_) => status = Status::Unavailable,
        Broken::Session(error) => {
            let reply = SmtpReply::tempfailed(job.profile.mta);
            message.push_str(&format!("\nAn MTA tells the client: {reply}"));
            if error.is_timeout() {
                message.push_str("\nIf the milter needs longer, give --timeout.");
            }
        }
    }
    Err(Failure::new(status, message))
}
