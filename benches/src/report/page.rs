//! The part of docs/performance.md that the runner writes.

use super::cell::{cell, ratio_cell};
use crate::results::Results;
use crate::subject::Subject;
use crate::targets;
use c_tests::{Error, Result};
use std::fmt::Write;

const BEGIN: &str = "<!-- figures: written by milter-bench -->\n";
const END: &str = "<!-- end of figures -->\n";

/// Puts the figures between the two marks of the page.
pub(super) fn update(old: &str, results: &Results) -> Result<String> {
    let parts = old
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
    let Some((before, after)) = parts else {
        return Err(Error(format!(
            "docs/performance.md lacks the lines {:?} and {:?} between which figures go",
            BEGIN.trim(),
            END.trim()
        )));
    };
    Ok(format!("{before}{BEGIN}{}{END}{after}", figures(results)))
}

fn figures(results: &Results) -> String {
    let mut out = String::new();
    let rounds = || results.loads.iter().map(|load| load.rounds.len());
    let (fewest, most) = (rounds().min().unwrap_or(0), rounds().max().unwrap_or(0));
    let _ = writeln!(out, "\nMeasured on: {}. {fewest} to {most} rounds.\n", results.machine);
    let _ = writeln!(out, "### Targets\n\n| target | median (range) | |\n|---|---|---|");
    for checked in targets::check(results) {
        let mark = if checked.reached { "reached" } else { "**missed**" };
        let _ = writeln!(out, "| {} | {} | {mark} |", checked.text, checked.measured);
    }
    let _ = writeln!(
        out,
        "\n### Figures\n\n\
         Medians of all rounds; the last three columns divide ours by the other of the same round: \
         median (smallest–largest).\n\n\
         | load | figure | ours | reference | threads | epoll | ours/reference | ours/threads | \
         ours/epoll |\n|---|---|--:|--:|--:|--:|--:|--:|--:|"
    );
    for load in &results.loads {
        for (n, metric) in load.metrics.iter().enumerate() {
            let title = if n == 0 { load.title.as_str() } else { "" };
            let figure = format!("{} {}", metric.name, metric.unit);
            let _ = write!(out, "| {title} | {} |", figure.trim());
            for subject in Subject::ALL {
                let _ = write!(out, " {} |", cell(load, subject, n));
            }
            for other in [Subject::Reference, Subject::Threads, Subject::Epoll] {
                let _ = write!(out, " {} |", ratio_cell(load, other, n));
            }
            let _ = writeln!(out);
        }
    }
    for failure in &results.failures {
        let _ = writeln!(out, "\nNot measured: {}", failure.replace('\n', " "));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::measure::{Pace, lower};
    use crate::results::LoadResult;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let results = Results {
            machine: Machine::here(),
            pace: Pace::Full,
            loads: vec![LoadResult {
                name: "syscalls".into(),
                title: "system calls".into(),
                metrics: vec![lower("per message, C=64", "")],
                rounds: vec![vec![(Subject::Ours, vec![70.0])], vec![(Subject::Ours, vec![90.0])]],
            }],
            failures: Vec::new(),
        };
        let old = format!("# Title\n{BEGIN}old\n{END}after\n");
        let new = update(&old, &results).unwrap();
        assert!(new.starts_with(&format!("# Title\n{BEGIN}")) && new.ends_with("after\n"));
        assert!(!new.contains("old"));
        assert!(
            new.contains(
                "| system calls: per message, C=64 ≤ 80.0 | 80.0  (70.0–90.0) | reached |"
            )
        );
        assert_eq!(update(&new, &results).unwrap(), new);
        assert!(update("# Title\n", &results).is_err());
    }
}
