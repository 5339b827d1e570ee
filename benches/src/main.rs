//! The command; see the library for how it works.

use c_tests::{Error, Result};
use milter_bench::{options, report, run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::process::ExitCode;

fn main() -> ExitCode {
    match options::parse().and_then(|options| options.map_or(Ok(true), |o| work(&o))) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("milter-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line asks for; `false` if a load or the gate has failed.
fn work(options: &options::Options) -> Result<bool> {
    raise_descriptor_limit()?;
    if options.gate {
        return run::gate();
    }
    let results = run::run(options)?;
    print!("{}", report::text(&results));
    eprintln!("raw figures: {}", report::save(&results)?.display());
    if options.publish {
        report::publish(&results)?;
    }
    Ok(results.failures.is_empty())
}

/// Some loads hold fifteen thousand connections; what is measured inherits the limit.
fn raise_descriptor_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .map_err(|e| Error::new("raise the limit of open files", e))
}
