//! Runs a milter without an MTA: starts it, plays messages, shows what it does to them.

mod interrupt;
mod json;
mod library;
mod milter;
mod options;
mod paint;
mod place;
mod play;
mod processes;
mod report;
mod run;
mod status;
mod text;
mod transcript;

use std::process::ExitCode;

use options::Request;
use text::put;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).collect();
    let result = match options::parse(arguments) {
        Ok(Request::Help) => {
            put(include_str!("help.txt"));
            return ExitCode::SUCCESS;
        }
        Ok(Request::Version) => {
            put(concat!("milter-try ", env!("CARGO_PKG_VERSION"), "\n"));
            return ExitCode::SUCCESS;
        }
        Ok(Request::Run(options)) => run::run(&options),
        Err(failure) => Err(failure),
    };
    match result {
        Ok(status) => ExitCode::from(status.code()),
        Err(failure) => {
            eprintln!("milter-try: {failure}");
            ExitCode::from(failure.status.code())
        }
    }
}
