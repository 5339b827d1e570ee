//! The command line.

use crate::measure::Pace;
use crate::subject::Subject;
use c_tests::{Error, Result};
use std::time::Duration;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// How thorough.
    pub pace: Pace,
    /// Loads to run, by the beginning of their names; empty for all.
    pub only: Vec<String>,
    /// Subjects to measure; empty for all.
    pub subjects: Vec<Subject>,
    /// Rounds; `None`: what the pace says.
    pub rounds: Option<usize>,
    /// Length of a window; `None`: what the pace says.
    pub window: Option<Duration>,
    /// Only compare the instruction count with its limit.
    pub gate: bool,
    /// Write the results into docs/ too.
    pub publish: bool,
}

const USAGE: &str = "\
usage: milter-bench [options]

Measures this library, Debian's and two floor programs under the same loads in turn, and prints
what they reach, the ratios of each round, and which targets are reached. Takes about half an hour.

  --quick            short windows and few rounds: some three minutes, for a look
  --smoke            a moment of each load, to see that it works; figures mean nothing
  --only LOAD        only loads whose names begin so (may be repeated); --list names them
  --rounds N         rounds of each load
  --window MS        how long figures are taken each time
  --subject NAME     only ours, reference, threads or epoll (may be repeated)
  --callgrind-gate   only count instructions per message, and fail above the recorded limit
  --publish          also write docs/performance.md, its chart and its raw figures
  --list             names of the loads
  --help             this text
";

/// Reads the command line; `None` if it asked for information that has been printed.
pub fn parse() -> Result<Option<Options>> {
    use lexopt::prelude::{Long, Short, ValueExt};
    let fail = |e: lexopt::Error| Error(format!("{e}; see --help"));
    let mut options = Options {
        pace: Pace::Full,
        only: Vec::new(),
        subjects: Vec::new(),
        rounds: None,
        window: None,
        gate: false,
        publish: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next().map_err(fail)? {
        match argument {
            Long("quick") => options.pace = Pace::Quick,
            Long("smoke") => options.pace = Pace::Smoke,
            Long("only") => {
                options.only.push(parser.value().and_then(|v| v.string()).map_err(fail)?);
            }
            Long("subject") => {
                let name = parser.value().and_then(|v| v.string()).map_err(fail)?;
                let subject = Subject::from_name(&name);
                options
                    .subjects
                    .push(subject.ok_or_else(|| {
                        Error(format!("no subject is called {name}; see --help"))
                    })?);
            }
            Long("rounds") => {
                options.rounds = Some(parser.value().and_then(|v| v.parse()).map_err(fail)?);
            }
            Long("window") => {
                let millis = parser.value().and_then(|v| v.parse()).map_err(fail)?;
                options.window = Some(Duration::from_millis(millis));
            }
            Long("callgrind-gate") => options.gate = true,
            Long("publish") => options.publish = true,
            Long("list") => {
                for load in crate::loads::all() {
                    println!("{:<18} {}", load.name, load.title);
                }
                return Ok(None);
            }
            Long("help") | Short('h') => {
                print!("{USAGE}");
                return Ok(None);
            }
            other => return Err(fail(other.unexpected())),
        }
    }
    Ok(Some(options))
}
