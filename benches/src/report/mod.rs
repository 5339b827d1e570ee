//! What becomes of the figures: a table on the terminal, raw figures as JSON, a page with a chart.

mod chart;
mod json;
mod machine;
mod page;

pub use machine::Machine;

use crate::run::{LoadResult, Results};
use crate::subject::Subject;
use crate::targets;
use c_tests::{Error, Result, paths};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Smallest, middle and largest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Middle; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

/// The spread of some values; `None` if there are none.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    Some(Spread { min, median, max })
}

/// A number with three significant digits or so, thousands separated.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 || v == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (n, c) in whole.chars().enumerate() {
        let left = whole.len() - n;
        if n > 0 && left % 3 == 0 && c != '-' && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(c);
    }
    grouped + fraction
}

/// The median of a subject's values.
pub fn cell(load: &LoadResult, subject: Subject, metric: usize) -> String {
    spread(&load.values(subject, metric)).map_or("–".into(), |s| number(s.median))
}

/// Ratio of ours to another subject: median, then minimum and maximum.
pub fn ratio_cell(load: &LoadResult, other: Subject, metric: usize) -> String {
    spread(&load.ratios(other, metric))
        .map_or("–".into(), |s| format!("{:.2} ({:.2}–{:.2})", s.median, s.min, s.max))
}

/// The table for a terminal, and the targets.
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", results.machine);
    let _ = writeln!(
        out,
        "{:<44}{:>10}{:>10}{:>10}{:>10}  {:>18}{:>18}{:>18}",
        "median",
        "ours",
        "reference",
        "threads",
        "epoll",
        "ours/reference",
        "ours/threads",
        "ours/epoll"
    );
    for load in &results.loads {
        let _ = writeln!(out, "{} [{}]", load.title, load.name);
        for (n, metric) in load.metrics.iter().enumerate() {
            let _ = write!(out, "{:<44}", format!("  {} {}", metric.name, metric.unit));
            for subject in Subject::ALL {
                let _ = write!(out, "{:>10}", cell(load, subject, n));
            }
            let _ = write!(out, "  ");
            for other in [Subject::Reference, Subject::Threads, Subject::Epoll] {
                let _ = write!(out, "{:>18}", ratio_cell(load, other, n));
            }
            let _ = writeln!(out);
        }
    }
    let _ = writeln!(out, "\ntargets");
    for checked in targets::check(results) {
        let mark = if checked.reached { "reached" } else { "MISSED " };
        let _ = writeln!(out, "  {mark}  {}: {}", checked.text, checked.measured);
    }
    out
}

/// Keeps the raw figures and the chart below the target directory; the file of the figures.
pub fn save(results: &Results) -> Result<PathBuf> {
    let dir = paths::target()?.join("bench");
    let file = dir.join(format!("{}.json", results.machine.time));
    write(&file, &json::document(results))?;
    write(&dir.join("chart.svg"), &chart::svg(results))?;
    Ok(file)
}

/// Puts the figures into the documentation.
pub fn publish(results: &Results) -> Result<()> {
    let docs = paths::workspace().join("docs");
    write(&docs.join("performance/raw.json"), &json::document(results))?;
    write(&docs.join("performance/chart.svg"), &chart::svg(results))?;
    let page = docs.join("performance.md");
    let old = fs::read_to_string(&page).map_err(|e| Error::new(page.display(), e))?;
    write(&page, &page::update(&old, results)?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| Error::new(dir.display(), e))?;
    }
    fs::write(path, text).map_err(|e| Error::new(path.display(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_found() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0 }));
    }

    #[test]
    fn numbers_are_short_and_grouped() {
        let cases = [
            (0.0, "0.00"),
            (0.1234, "0.123"),
            (1.5, "1.50"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.0, "1,234"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
