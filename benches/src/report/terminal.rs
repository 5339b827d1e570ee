//! The table for a terminal.

use super::cell::{cell, ratio_cell};
use crate::results::Results;
use crate::subject::Subject;
use crate::targets;
use std::fmt::Write;

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
