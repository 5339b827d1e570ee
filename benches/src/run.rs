//! Rounds: every subject of a load in turn, again and again, so that each ratio compares neighbours
//! in time.

use crate::instructions;
use crate::loads;
use crate::measure::{Bench, Load, Metric, Pace, Weight};
use crate::options::Options;
use crate::report::{self, Machine};
use crate::subject::{Programs, Subject};
use c_tests::{Error, Result};
use std::time::Instant;

/// All figures of a run.
#[derive(Debug)]
pub struct Results {
    /// Where it ran.
    pub machine: Machine,
    /// How thorough it was.
    pub pace: Pace,
    /// In the order of the loads.
    pub loads: Vec<LoadResult>,
    /// What could not be measured, and why.
    pub failures: Vec<String>,
}

/// The figures of one load.
#[derive(Debug)]
pub struct LoadResult {
    /// Name of the load.
    pub name: String,
    /// What it is.
    pub title: String,
    /// Its metrics.
    pub metrics: Vec<Metric>,
    /// Rounds, each with the subjects' values in the order of the metrics.
    pub rounds: Vec<Vec<(Subject, Vec<f64>)>>,
}

impl LoadResult {
    /// A subject's values of a metric, one for each round.
    pub fn values(&self, subject: Subject, metric: usize) -> Vec<f64> {
        self.rounds.iter().filter_map(|round| value(round, subject, metric)).collect()
    }

    /// A metric of ours divided by that of another subject of the same round.
    pub fn ratios(&self, other: Subject, metric: usize) -> Vec<f64> {
        self.rounds
            .iter()
            .filter_map(|round| {
                let ours = value(round, Subject::Ours, metric)?;
                let theirs = value(round, other, metric)?;
                (theirs > 0.0).then(|| ours / theirs)
            })
            .collect()
    }

    /// The place of a metric.
    pub fn metric(&self, name: &str) -> Option<usize> {
        self.metrics.iter().position(|metric| metric.name == name)
    }
}

fn value(round: &[(Subject, Vec<f64>)], subject: Subject, metric: usize) -> Option<f64> {
    let (_, values) = round.iter().find(|(s, _)| *s == subject)?;
    values.get(metric).copied()
}

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
        let rounds = options.rounds.unwrap_or(match load.weight {
            Weight::Light => options.pace.pick(7, 2, 1),
            Weight::Heavy | Weight::Long => options.pace.pick(5, 1, 1),
        });
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
        .map(|(metric, value)| format!("{} {}{}", metric.name, report::number(*value), metric.unit))
        .collect();
    let elapsed = start.elapsed().as_secs();
    let (round, name) = (round + 1, subject.name());
    eprintln!("  {elapsed:>5} s  round {round}  {name:<10} {}", figures.join(", "));
}

/// The text of the file that holds the limit of instructions, and why it is what it is.
const LIMIT: &str = include_str!("../instructions.limit");

/// Compares the instruction count with its limit; `false` if it is above.
pub fn gate() -> Result<bool> {
    let limit = limit(LIMIT).ok_or_else(|| {
        Error("benches/instructions.limit has no line with a number of instructions".into())
    })?;
    let programs = Programs::build()?;
    let pace = Pace::Full;
    let bench = Bench { programs: &programs, pace, window: pace.window() };
    let counts = instructions::per_message(&bench, Subject::Ours)?;
    let library = counts.library.round() as u64;
    println!("{library} user instructions per message inside the library; the limit is {limit}");
    if library > limit {
        println!(
            "Above the limit. Make it cheaper; if what it buys is worth it, raise the limit in \
             benches/instructions.limit and write the reason there."
        );
    }
    Ok(library <= limit)
}

/// The last line that is a number.
fn limit(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| line.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::higher;

    #[test]
    fn the_recorded_limit_is_found() {
        assert!(limit(LIMIT).is_some());
        assert_eq!(limit("# why\n12\n# because\n34\n"), Some(34));
        assert_eq!(limit("# none"), None);
    }

    #[test]
    fn ratios_compare_values_of_the_same_round() {
        let round = |ours, epoll| vec![(Subject::Epoll, vec![epoll]), (Subject::Ours, vec![ours])];
        let result = LoadResult {
            name: "x".into(),
            title: "x".into(),
            metrics: vec![higher("m", "/s")],
            rounds: vec![round(1.0, 2.0), vec![(Subject::Ours, vec![5.0])], round(3.0, 2.0)],
        };
        assert_eq!(result.ratios(Subject::Epoll, 0), [0.5, 1.5]);
        assert_eq!(result.values(Subject::Ours, 0), [1.0, 5.0, 3.0]);
        assert_eq!(result.metric("m"), Some(0));
        assert_eq!(result.metric("n"), None);
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
