//! The order of the files within `src/runtime`.

use crate::modules::graph_of;

/// From the top down: a file uses files of rows below its own only.
const ROWS: &[&[&str]] = &[
    // Only shows what others see of the layer.
    &["mod"],
    // One run, from the first thread to the last.
    &["serve"],
    // What the threads do: those of the pool, and the one that called `smfi_main`, to the end of the run.
    &["supervisor/stopping"],
    &["supervisor", "work"],
    // What a run looks like to whoever asks.
    &["readings"],
    // The owner of a loop: waits, serves, accepts, keeps deadlines. Which loops have one.
    &["drive", "placement"],
    // Connections come in; sessions are served outside of loops.
    &["accept", "spare"],
    // The loops, the pool and the listener of one run, put together; where a session is placed.
    &["run"],
    &["balance", "entrance", "own_thread"],
    // Sessions leave it.
    &["event_loop/leaving"],
    // A poller and the sessions it watches; a turn whatever its callbacks do.
    &["conduct", "event_loop"],
    // The sessions of a loop, and the thread that owns it; what a turn is for.
    &["errand", "job", "owner", "slots"],
    // Bytes in; packets taken apart, callbacks called.
    &["receive"],
    &["packets"],
    // A session with its socket.
    &["connection"],
    // What every session is served with.
    &["service"],
    // Phase, count of sessions, why the run ends; threads for any kind of work.
    &["guests", "lifecycle", "pool"],
    // What is done about callbacks that take long; a session whose callbacks are known.
    &["overdue"],
    // Those who listen to a session: a trace; whoever counts; whoever wants to know the callbacks that are
    // under way.
    &["attended", "counted", "traced"],
    &["running"],
    &["subject"],
    // What is held back for an MTA, or not read by it.
    &["output/sending"],
    // The way back to the MTA, and into a trace; the thread that waits for signals; who gives statistics.
    &["desk", "output", "signals", "trace", "watchdog"],
    &["exposition", "inquirer", "trace_capture", "trace_json", "trace_text"],
    &[
        "agenda",
        "batch",
        "crew",
        "deadlines",
        "estimates",
        "held",
        "inquiry",
        "log",
        "lost",
        "moment",
        "options",
        "partial",
        "stop",
        "tally",
        "tenure",
        "turn",
        "wake_up",
        "way",
    ],
    // Plain data of which others consist.
    &["allowance", "histogram", "linger", "message", "news", "patience", "slots/ticket"],
];

/// Path of a file from the root of the package, with its name in the table.
fn file(name: &str) -> String {
    format!("src/runtime/{name}.rs")
}

fn row(path: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.iter().any(|name| file(name) == path))
}

#[test]
fn files_of_the_runtime_use_only_those_below() {
    let graph = graph_of("src");
    let mut offenders = Vec::new();
    for (from, uses) in graph.iter().filter(|(from, _)| from.starts_with("src/runtime/")) {
        let Some(here) = row(from) else {
            offenders.push(format!("{from} is in no row of the table"));
            continue;
        };
        for to in uses {
            if row(to).is_some_and(|there| there <= here) {
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
