//! Rounds: every subject of a load in turn, again and again, so that each ratio compares neighbours
//! in time.

use crate::instructions::{self, Kind};
use crate::loads;
use crate::machine::Machine;
use crate::measure::{Bench, Load, Pace, Weight};
use crate::numbers::number;
use crate::options::Options;
use crate::report;
use crate::results::{LoadResult, Results};
use crate::subject::{Programs, Subject};
use c_tests::{Error, Result};
use std::time::Instant;

/// Measures the loads that were asked for.
pub fn run(options: &Options) -> Result<Results> {
    let programs = Programs::build()?;
    let window = options.window.unwrap_or(options.pace.window());
    let bench = Bench { programs: &programs, pace: options.pace, window };
    let loads = chosen(&options.only, options.pace)?;
    let mut results = Results {
        machine: Machine::here(),
        pace: options.pace,
        loads: Vec::new(),
        failures: Vec::new(),
    };
    let start = Instant::now();
    for (n, load) in loads.iter().enumerate() {
        eprintln!("[{}/{}] {}", n + 1, loads.len(), load.title);
        let wanted = |s: &Subject| options.subjects.is_empty() || options.subjects.contains(s);
        let subjects: Vec<Subject> = load.subjects.iter().copied().filter(wanted).collect();
        let rounds = options.rounds.unwrap_or(load.weight.rounds(options.pace));
        let (result, failures) = measure(&bench, load, &subjects, rounds, start);
        results.loads.push(result);
        results.failures.extend(failures);
        // A run that is interrupted leaves what it had.
        report::save(&results)?;
    }
    for failure in &results.failures {
        eprintln!("failed: {failure}");
    }
    Ok(results)
}

fn chosen(only: &[String], pace: Pace) -> Result<Vec<Load>> {
    let all = loads::all();
    if let Some(unknown) = only.iter().find(|o| !all.iter().any(|l| l.name.starts_with(*o))) {
        return Err(Error(format!("no load is called {unknown}; --list names them")));
    }
    let wanted = |load: &Load| match only {
        [] => !(load.weight == Weight::Long && pace == Pace::Quick),
        _ => only.iter().any(|o| load.name.starts_with(o)),
    };
    Ok(all.into_iter().filter(wanted).collect())
}

/// All rounds of one load; a subject that fails is left out of its round.
fn measure(
    bench: &Bench<'_>,
    load: &Load,
    subjects: &[Subject],
    rounds: usize,
    start: Instant,
) -> (LoadResult, Vec<String>) {
    let mut result = LoadResult {
        name: load.name.clone(),
        title: load.title.clone(),
        metrics: load.metrics.clone(),
        rounds: Vec::new(),
    };
    let mut failures = Vec::new();
    for round in 0..rounds {
        let mut values = Vec::new();
        for turn in 0..subjects.len() {
            // Another subject begins each round.
            let subject = subjects[(round + turn) % subjects.len()];
            match (load.measure)(bench, subject) {
                Ok(measured) => {
                    progress(load, round, subject, &measured, start);
                    values.push((subject, measured));
                }
                Err(error) => {
                    let failure = format!("{}, {}: {error}", load.name, subject.name());
                    eprintln!("  {failure}");
                    failures.push(failure);
                }
            }
        }
        result.rounds.push(values);
    }
    (result, failures)
}

fn progress(load: &Load, round: usize, subject: Subject, values: &[f64], start: Instant) {
    let figures: Vec<String> = load
        .metrics
        .iter()
        .zip(values)
        .map(|(metric, value)| format!("{} {}{}", metric.name, number(*value), metric.unit))
        .collect();
    let elapsed = start.elapsed().as_secs();
    let (round, name) = (round + 1, subject.name());
    eprintln!("  {elapsed:>5} s  round {round}  {name:<10} {}", figures.join(", "));
}

/// The text of the file that holds the limits of instructions, and why they are what they are.
const LIMITS: &str = include_str!("../instructions.limit");

/// Compares the instruction counts with their limits; `false` if one is above.
pub fn gate() -> Result<bool> {
    let programs = Programs::build()?;
    let mut within = true;
    for kind in Kind::ALL {
        let name = kind.name();
        let limit = limit(LIMITS, name).ok_or_else(|| {
            Error(format!("benches/instructions.limit has no line \"{name} NUMBER\""))
        })?;
        // The counts are the same for fewer messages, but for what the supervisor does meanwhile.
        let pace = if kind == Kind::Typical { Pace::Full } else { Pace::Quick };
        let bench = Bench { programs: &programs, pace, window: pace.window() };
        let counts = instructions::per_message(&bench, Subject::Ours, kind)?;
        let library = counts.library.round() as u64;
        println!("{name}: {library} user instructions per message inside the library, of {limit}");
        if library > limit {
            within = false;
            println!(
                "Above the limit. Make it cheaper; if what it buys is worth it, raise the limit in \
                 benches/instructions.limit and write the reason there."
            );
        }
    }
    Ok(within)
}

/// The number in the last line that begins with a name.
fn limit(text: &str, name: &str) -> Option<u64> {
    let number = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
    text.lines().rev().find_map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_limits_are_found() {
        for kind in Kind::ALL {
            assert!(limit(LIMITS, kind.name()).is_some());
        }
        assert_eq!(limit("# why\na 12\nb 13\n# because\na 34\n", "a"), Some(34));
        assert_eq!(limit("# a 5", "a"), None);
    }

    #[test]
    fn loads_are_chosen_by_the_beginning_of_their_names() {
        let names = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(|s| (*s).to_owned()).collect();
            chosen(&only, Pace::Full)
                .map(|loads| loads.into_iter().map(|l| l.name).collect::<Vec<_>>())
        };
        let all = names(&[]).unwrap();
        let unique: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(unique.len(), all.len(), "names are unique");
        assert_eq!(names(&["connect"]).unwrap(), ["connect"]);
        assert!(names(&["nothing"]).is_err());
    }
}
