//! Runs a milter without an MTA: starts it, plays messages, shows what it does to them.

mod check;
mod configured;
mod deliver;
mod interrupt;
mod json;
mod library;
mod loaded;
mod log;
mod mails;
mod milter;
mod options;
mod output;
mod paint;
mod place;
mod play;
mod playing;
mod processes;
mod recording;
mod replaying;
mod report;
mod run;
mod status;
mod text;
mod transcript;
mod watch;
mod written;

use std::path::Path;
use std::process::ExitCode;

use milter_mta::capture::anonymize;

use json::MilterFacts;
use options::Request;
use output::put;
use status::{Failure, Status};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let (json, checks) = (options::wants_json(&arguments), options::wants_check(&arguments));
    let result = match options::parse(arguments) {
        Ok(Request::Help) => {
            put(include_str!("help.txt"));
            Ok(0)
        }
        Ok(Request::Version) => {
            put(concat!("milter-try ", env!("CARGO_PKG_VERSION"), "\n"));
            Ok(0)
        }
        Ok(Request::Anonymize(file)) => anonymized(&file),
        Ok(Request::Library(wanted)) => library::describe(&wanted).map(|text| {
            put(&text);
            0
        }),
        Ok(Request::Watch(watch)) => watch::watch(&watch),
        Ok(Request::Run(options)) => run::run(&options).map(Status::code),
        Err(failure) if checks => {
            let (status, line) = check::misunderstood(&failure);
            put(&line);
            Ok(status.code())
        }
        Err(failure) => {
            if json {
                let (code, text) = (failure.status.code(), Some(failure.message.as_str()));
                put(&json::document(code, text, &MilterFacts::default(), Vec::new(), None));
            }
            Err(failure)
        }
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("milter-try: {failure}");
            ExitCode::from(failure.status.code())
        }
    }
}

/// Prints a capture without names and contents.
fn anonymized(file: &Path) -> Result<u8, Failure> {
    let capture = recording::read(file)?;
    output::put_bytes(&anonymize(&capture).to_bytes());
    Ok(0)
}
