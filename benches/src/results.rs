//! The figures of a run, as they were measured.

use crate::machine::Machine;
use crate::measure::{Metric, Pace};
use crate::subject::Subject;

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
    /// Rounds, each with the subjects' values in the order of the metrics; what is not a number is not there.
    pub rounds: Vec<Vec<(Subject, Vec<f64>)>>,
}

impl LoadResult {
    /// A subject's values of a metric, one for each round in which it has one.
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
    values.get(metric).copied().filter(|value| !value.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::higher;

    #[test]
    fn ratios_compare_values_of_the_same_round() {
        let round = |ours, epoll| vec![(Subject::Epoll, vec![epoll]), (Subject::Ours, vec![ours])];
        let result = LoadResult {
            name: "x".into(),
            title: "x".into(),
            metrics: vec![higher("m", "/s")],
            rounds: vec![
                round(1.0, 2.0),
                vec![(Subject::Ours, vec![5.0])],
                round(3.0, 2.0),
                round(4.0, f64::NAN),
            ],
        };
        assert_eq!(result.ratios(Subject::Epoll, 0), [0.5, 1.5]);
        assert_eq!(result.values(Subject::Ours, 0), [1.0, 5.0, 3.0, 4.0]);
        assert_eq!(result.values(Subject::Epoll, 0), [2.0, 2.0]);
        assert_eq!(result.metric("m"), Some(0));
        assert_eq!(result.metric("n"), None);
    }
}
