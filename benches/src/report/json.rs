//! The raw figures: every value of every round.

use crate::results::Results;
use crate::subject::Subject;
use crate::targets;
use serde_json::{Value, json};

/// The document.
pub(super) fn document(results: &Results) -> String {
    let machine = &results.machine;
    let loads: Vec<Value> = results
        .loads
        .iter()
        .map(|load| {
            let metrics: Vec<Value> = load
                .metrics
                .iter()
                .enumerate()
                .map(|(n, metric)| {
                    let subjects = Subject::ALL
                        .map(|subject| (subject.name().to_owned(), json!(load.values(subject, n))));
                    json!({
                        "metric": metric.name,
                        "unit": metric.unit,
                        "rounds": serde_json::Map::from_iter(subjects),
                    })
                })
                .collect();
            json!({"load": load.name, "title": load.title, "metrics": metrics})
        })
        .collect();
    let targets: Vec<Value> = targets::check(results)
        .into_iter()
        .map(|t| json!({"target": t.text, "measured": t.measured, "reached": t.reached}))
        .collect();
    let document = json!({
        "machine": {
            "cpu": machine.cpu,
            "cores": machine.cores,
            "memory_gib": machine.memory,
            "kernel": machine.kernel,
        },
        "commit": machine.commit,
        "time": machine.time,
        "pace": format!("{:?}", results.pace).to_lowercase(),
        "loads": loads,
        "targets": targets,
        "failures": results.failures,
    });
    format!("{document:#}\n")
}
