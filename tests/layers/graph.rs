//! Who uses whom, and the circles in it.

use std::collections::{BTreeMap, BTreeSet};

/// Each file with those that it uses.
pub(crate) type Graph = BTreeMap<String, BTreeSet<String>>;

/// Groups of files that reach each other, each with the arrows between its files.
pub(crate) fn circles(graph: &Graph) -> Vec<(BTreeSet<String>, Vec<String>)> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        graph.keys().map(|file| (file, reach(graph, file))).collect();
    let mut found = Vec::new();
    let mut seen: BTreeSet<&String> = BTreeSet::new();
    for (file, below) in &reached {
        if seen.contains(file) || !below.contains(file) {
            continue;
        }
        let back = |other: &&String| reached.get(*other).is_some_and(|there| there.contains(file));
        let circle: BTreeSet<String> = below.iter().copied().filter(back).cloned().collect();
        seen.extend(reached.keys().copied().filter(|other| circle.contains(*other)));
        let arrows = circle.iter().flat_map(|from| {
            let inside = graph[from].intersection(&circle);
            inside.map(move |to| format!("{from} uses {to}"))
        });
        found.push((circle.clone(), arrows.collect()));
    }
    found
}

fn reach<'a>(graph: &'a Graph, from: &'a String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut pending = vec![from];
    while let Some(file) = pending.pop() {
        for to in graph.get(file).into_iter().flatten() {
            if reached.insert(to) {
                pending.push(to);
            }
        }
    }
    reached
}
