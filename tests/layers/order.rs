//! The order of the files within `src/runtime`.

use crate::graph::circles;
use crate::modules::graph_of;
use std::collections::BTreeSet;

/// Files that still need each other. The list may only become shorter.
const KNOT: &[&str] = &[
    "accept",
    "connection",
    "drive",
    "event_loop",
    "lost",
    "own_thread",
    "pool",
    "shared",
    "slots",
];

/// From the top down: a file uses files of rows below its own only. Those of the knot also use
/// each other.
const ROWS: &[&[&str]] = &[
    // Only shows what others see of the layer.
    &["mod"],
    // One run, from the first thread to the last.
    &["serve"],
    &["receive", "supervisor"],
    KNOT,
    &["output", "signals"],
    &["crew", "deadlines", "estimates", "log", "options", "partial", "stop", "turn"],
];

/// Path of a file from the root of the package, with its name in the table.
fn file(name: &str) -> String {
    format!("src/runtime/{name}.rs")
}

/// The files of the knot.
pub(crate) fn knot() -> BTreeSet<String> {
    KNOT.iter().map(|name| file(name)).collect()
}

fn row(path: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.iter().any(|name| file(name) == path))
}

#[test]
fn files_of_the_runtime_use_only_those_below() {
    let graph = graph_of("src");
    let mut offenders = Vec::new();
    let knot = knot();
    for (from, uses) in graph.iter().filter(|(from, _)| from.starts_with("src/runtime/")) {
        let Some(here) = row(from) else {
            offenders.push(format!("{from} is in no row of the table"));
            continue;
        };
        for to in uses {
            let both = knot.contains(from) && knot.contains(to);
            if row(to).is_some_and(|there| there <= here) && !both {
                offenders.push(format!("{from} uses {to}, which is not below it"));
            }
        }
    }
    for name in ROWS.iter().flat_map(|row| row.iter()) {
        if !graph.contains_key(&file(name)) {
            offenders.push(format!("{} is in the table, but is no file", file(name)));
        }
    }
    assert!(offenders.is_empty(), "{}", offenders.join("\n"));
}

#[test]
fn the_knot_names_only_files_that_are_in_it() {
    let tied: BTreeSet<String> =
        circles(&graph_of("src")).into_iter().flat_map(|(files, _)| files).collect();
    let free: Vec<String> = knot().difference(&tied).cloned().collect();
    assert!(free.is_empty(), "no longer in a circle, take them off the list: {free:?}");
}
