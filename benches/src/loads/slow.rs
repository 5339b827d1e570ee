//! Callbacks that block: does every session get a thread in time?

use super::busy::millis;
use super::last::LastCommand;
use crate::client::{Plan, Run};
use crate::measure::{Bench, Load, Metric, Weight, Window, higher, lower, shared_script};
use crate::message::Shape;
use crate::server::{Server, Setup};
use crate::subject::Subject;
use c_tests::{Error, Result};
use std::time::{Duration, Instant};

/// The epoll floor runs callbacks in its loops, where none may block.
const SUBJECTS: &[Subject] = &[Subject::Ours, Subject::Reference, Subject::Threads];

/// How long the callbacks of most of these loads take.
const CALLBACK: Duration = Duration::from_millis(50);

/// How long a load that waits for the end of callbacks waits at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Loads of callbacks that block.
pub(super) fn loads() -> Vec<Load> {
    let mut loads: Vec<Load> = [16, 64, 256, 1_000].map(fifty_millis).into();
    loads.push(six());
    loads.push(Load {
        name: "mixed".into(),
        title: "bursts of 800 short sessions beside 200 with callbacks of 5 s".into(),
        subjects: SUBJECTS,
        metrics: vec![lower("short sessions, longest wait", "ms"), lower("command p99", "ms")],
        weight: Weight::Heavy,
        measure: Box::new(mixed),
    });
    loads.push(Load {
        name: "shrink".into(),
        title: "12 s after a burst of 500 callbacks of 50 ms".into(),
        subjects: &Subject::LIBRARIES,
        metrics: vec![
            lower("threads in the burst", ""),
            lower("threads", ""),
            lower("RSS beyond start", "MB"),
            lower("virtual", "GiB"),
        ],
        weight: Weight::Long,
        measure: Box::new(shrink),
    });
    loads
}

fn metrics() -> Vec<Metric> {
    vec![
        higher("new connections, share of the ideal rate", "%"),
        higher("reused, share of the ideal rate", "%"),
        higher("all at once, share of the ideal rate", "%"),
        lower("new connections, longest wait", "ms"),
        lower("reused, longest wait", "ms"),
        lower("all at once, longest wait", "ms"),
        lower("connections starved", ""),
        lower("new connections, p99 of commands that do not block", "ms"),
    ]
}

/// Callbacks of 50 ms at the end of short messages.
fn fifty_millis(connections: usize) -> Load {
    Load {
        name: format!("slow-{connections}"),
        title: format!("50 ms callbacks, C={connections}"),
        subjects: SUBJECTS,
        metrics: metrics(),
        weight: if matches!(connections, 64 | 256) { Weight::Heavy } else { Weight::Long },
        measure: Box::new(move |bench, subject| {
            let windows = [(false, CALLBACK), (true, CALLBACK), (true, Duration::ZERO)]
                .into_iter()
                .map(|(reuse, spread)| blocked(bench, subject, connections, reuse, spread))
                .collect::<Result<Vec<_>>>()?;
            let ideal = connections as f64 / CALLBACK.as_secs_f64();
            let shares = windows.iter().map(|window| 100.0 * window.rate / ideal);
            let waits = windows.iter().map(|window| millis(window.outcome.longest));
            let starved: usize = windows.iter().map(|window| window.outcome.starved()).sum();
            let quick = windows[0].outcome.before_end(0.99) / 1e3;
            Ok(shares.chain(waits).chain([starved as f64, quick]).collect())
        }),
    }
}

fn blocked(
    bench: &Bench<'_>,
    subject: Subject,
    connections: usize,
    reuse: bool,
    spread: Duration,
) -> Result<Window> {
    let server = start_slow(bench, subject, CALLBACK)?;
    let script = shared_script(&Shape::SHORT);
    let plan = Plan { reuse, spread, ..Plan::new(&server.address, &script, connections) };
    // Figures of connections that begin all at once are about that beginning.
    let warmup = if spread.is_zero() { Duration::ZERO } else { bench.pace.warmup() };
    // Callbacks under way at the end of the window are not in the rate: a short one tells little.
    let window = bench.window.max(CALLBACK * bench.pace.pick(40, 20, 4));
    bench.watch_for(&server, &plan, warmup, window)
}

fn start_slow(bench: &Bench<'_>, subject: Subject, callback: Duration) -> Result<Server> {
    bench.start(subject, &Setup::PLAIN.with(&["-e", &callback.as_millis().to_string()]))
}

/// Six sessions at once whose callbacks take two seconds each.
fn six() -> Load {
    Load {
        name: "six".into(),
        title: "six sessions at once, 2 s callback each".into(),
        subjects: SUBJECTS,
        metrics: vec![lower("the last finishes after, callback times", "×")],
        weight: Weight::Heavy,
        measure: Box::new(|bench, subject| {
            let callback = Duration::from_millis(bench.pace.pick(2_000, 500, 50));
            let server = start_slow(bench, subject, callback)?;
            let ends = LastCommand::of(&server, 6)?;
            let begin = Instant::now();
            ends.send()?;
            ends.verdicts()?;
            Ok(vec![begin.elapsed().as_secs_f64() / callback.as_secs_f64()])
        }),
    }
}

/// Runs a plan until all connections have sent their messages.
fn to_the_end(plan: &Plan) -> Result<(Duration, crate::client::Outcome)> {
    let begin = Instant::now();
    let run = Run::start(plan)?;
    run.record();
    while run.complete() < plan.connections as u64 && !run.failed() {
        if begin.elapsed() > PATIENCE {
            let (done, all) = (run.complete(), plan.connections);
            run.finish()?;
            return Err(Error(format!("only {done} of {all} sessions finished within 60 s")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begin.elapsed();
    Ok((took, run.finish()?))
}

/// Short sessions in bursts while others block for seconds.
fn mixed(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let slow_ms = bench.pace.pick("5000", "1500", "200");
    let server = bench.start(subject, &Setup::PLAIN.with(&["-S", slow_ms]))?;
    let slow = shared_script(&Shape { helo: "slow.example.org", ..Shape::SHORT });
    let script = shared_script(&Shape::SHORT);
    let begin = Instant::now();
    let blocking = Run::start(&Plan::new(&server.address, &slow, 200))?;
    let burst = Plan { messages_each: Some(1), ..Plan::new(&server.address, &script, 800) };
    let (mut longest, mut p99) = (Duration::ZERO, 0.0_f64);
    // As long as the first callbacks block, and a little longer.
    let end = Duration::from_millis(slow_ms.parse().unwrap_or(0)) + Duration::from_millis(100);
    while begin.elapsed() < end {
        let (_, outcome) = to_the_end(&burst)?;
        longest = longest.max(outcome.longest);
        p99 = p99.max(outcome.command(0.99) / 1e3);
        std::thread::sleep(Duration::from_millis(100));
    }
    blocking.finish()?;
    Ok(vec![millis(longest), p99])
}

/// What is left of a burst when it is over.
fn shrink(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = start_slow(bench, subject, CALLBACK)?;
    let before = server.usage()?;
    let connections = bench.pace.pick(500, 500, 50);
    let script = shared_script(&Shape::SHORT);
    let plan = Plan { reuse: true, ..Plan::new(&server.address, &script, connections) };
    let run = Run::start(&plan)?;
    std::thread::sleep(bench.pace.pick(Duration::from_secs(2), Duration::from_secs(1), CALLBACK));
    let peak = server.usage()?;
    run.finish()?;
    let rest = Duration::from_secs(bench.pace.pick(12, 12, 0));
    std::thread::sleep(rest);
    let after = server.usage()?;
    Ok(vec![
        peak.threads as f64,
        after.threads as f64,
        after.resident.saturating_sub(before.resident) as f64 / 1e6,
        after.virt as f64 / f64::from(1 << 30),
    ])
}
