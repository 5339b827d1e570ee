//! What is counted rather than timed: system calls, and instructions in user space.

use crate::client::{Plan, Run, serial};
use crate::instructions::{self, Kind};
use crate::measure::{Bench, Load, Weight, lower, shared_script};
use crate::message::Shape;
use crate::server::Setup;
use crate::subject::Subject;
use crate::system_calls::{Counter, is_undisturbed};
use c_tests::Result;
use std::time::Duration;

/// Loads that count rather than time.
pub(super) fn loads() -> Vec<Load> {
    vec![
        Load {
            name: "syscalls".into(),
            title: "system calls".into(),
            subjects: &Subject::ALL,
            metrics: vec![lower("per message, C=1", ""), lower("per message, C=64", "")],
            weight: Weight::Close,
            measure: Box::new(|bench, subject| {
                Ok(vec![system_calls(bench, subject, 1)?, system_calls(bench, subject, 64)?])
            }),
        },
        Load {
            name: "instructions".into(),
            title: "user instructions per message".into(),
            subjects: &Subject::LIBRARIES,
            metrics: vec![
                lower("typical, library", ""),
                lower("typical, all", ""),
                lower("empty callbacks, reused, library", ""),
                lower("no replies, library", ""),
            ],
            weight: Weight::Heavy,
            measure: Box::new(|bench, subject| {
                let typical = instructions::per_message(bench, subject, Kind::Typical)?;
                let mut values = vec![typical.library, typical.all];
                for kind in [Kind::Reused, Kind::NoReplies] {
                    // The reference takes five seconds to end each run, and the targets are ours.
                    values.push(match subject {
                        Subject::Ours => instructions::per_message(bench, subject, kind)?.library,
                        _ => f64::NAN,
                    });
                }
                Ok(values)
            }),
        },
    ]
}

/// System calls of the server per message.
fn system_calls(bench: &Bench<'_>, subject: Subject, connections: usize) -> Result<f64> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    let counter = Counter::attach(&server)?;
    let script = shared_script(&Shape::TYPICAL);
    // A second's worth, or what takes some seconds under a tracer.
    let each = match is_undisturbed() {
        true => bench.pace.pick(160, 80, 1),
        false => bench.pace.pick(8, 4, 1),
    };
    let messages = match connections {
        1 => {
            let count = each * 16;
            serial::messages(&server.address, &script, count)?;
            count
        }
        _ => {
            let plan = Plan {
                reuse: true,
                messages_each: Some(each),
                ..Plan::new(&server.address, &script, connections)
            };
            let run = Run::start(&plan)?;
            while run.complete() < connections as u64 && !run.failed() {
                std::thread::sleep(Duration::from_millis(5));
            }
            run.finish()?;
            each * connections as u64
        }
    };
    Ok(counter.finish(server)? as f64 / messages as f64)
}
