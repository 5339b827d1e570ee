//! One client: the latency of each command and message, and what a message costs. And filter and load on
//! one processor.

use crate::client::{Plan, micros, serial};
use crate::measure::{Bench, Load, Weight, higher, lower, shared_script};
use crate::message::Shape;
use crate::server::{Pinned, Setup};
use crate::subject::Subject;
use c_tests::Result;
use std::time::Instant;

/// The CPU that both sides share.
const CPU: usize = 0;

/// Loads of a single client, or of a single processor.
pub(super) fn loads() -> Vec<Load> {
    vec![
        Load {
            name: "c1".into(),
            title: "C=1, both sides on one CPU".into(),
            subjects: &Subject::ALL,
            metrics: vec![
                higher("messages", "/s"),
                lower("CPU per message", "µs"),
                lower("command p50", "µs"),
                lower("command p90", "µs"),
                lower("command p99", "µs"),
                lower("message p50", "µs"),
                lower("message p90", "µs"),
                lower("message p99", "µs"),
            ],
            weight: Weight::Close,
            measure: Box::new(single),
        },
        Load {
            name: "c64-one".into(),
            title: "C=64, both sides on one CPU".into(),
            subjects: &Subject::ALL,
            metrics: vec![
                higher("messages", "/s"),
                lower("CPU per message", "µs"),
                lower("message p99", "ms"),
            ],
            weight: Weight::Close,
            measure: Box::new(one_processor),
        },
        Load {
            name: "startup".into(),
            title: "start-up".into(),
            subjects: &Subject::ALL,
            metrics: vec![lower("until it accepts", "ms")],
            weight: Weight::Light,
            measure: Box::new(|bench, subject| {
                let server = bench.start(subject, &Setup::PLAIN)?;
                Ok(vec![server.started_in.as_secs_f64() * 1e3])
            }),
        },
        Load {
            name: "changes-tcp".into(),
            title: "C=1 over TCP loopback".into(),
            subjects: &Subject::ALL,
            metrics: vec![lower("end of message p50", "ms"), lower("end of message p99", "ms")],
            weight: Weight::Light,
            measure: Box::new(changes),
        },
    ]
}

fn single(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup { cpu: Some(CPU), ..Setup::PLAIN })?;
    let _pinned = Pinned::to(CPU)?;
    let script = shared_script(&Shape::TYPICAL);
    serial::until(&server.address, &script, Instant::now() + bench.pace.warmup())?;
    let (begin, cpu) = (Instant::now(), server.cpu_time()?);
    let (count, outcome) = serial::until(&server.address, &script, begin + bench.window)?;
    let (took, cpu) = (begin.elapsed(), server.cpu_time()? - cpu);
    let mut values =
        vec![count as f64 / took.as_secs_f64(), cpu.as_secs_f64() * 1e6 / count as f64];
    for histogram in [&outcome.commands, &outcome.messages] {
        values.extend([0.5, 0.9, 0.99].map(|quantile| micros(histogram, quantile)));
    }
    Ok(values)
}

/// Nothing runs beside the filter then, so its CPU time does not depend on what the other core does.
fn one_processor(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup { cpu: Some(CPU), ..Setup::PLAIN })?;
    // The generator's threads are started by this one.
    let _pinned = Pinned::to(CPU)?;
    let script = shared_script(&Shape::TYPICAL);
    let plan = Plan { threads: 1, ..Plan::new(&server.address, &script, 64) };
    let window = bench.watch(&server, &plan)?;
    let p99 = micros(&window.outcome.messages, 0.99) / 1e3;
    Ok(vec![window.rate, window.cpu_each, p99])
}

/// The end of a message is the command that is answered with several packets: whether they leave
/// at once shows in its latency.
fn changes(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup { tcp: true, ..Setup::PLAIN })?;
    let script = shared_script(&Shape { headers: 1, ..Shape::SHORT });
    let count = bench.pace.pick(40, 15, 3);
    let outcome = serial::messages(&server.address, &script, count)?;
    let ends = &outcome.ends;
    Ok([0.5, 0.99].map(|quantile| micros(ends, quantile) / 1e3).to_vec())
}
