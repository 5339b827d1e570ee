//! Clients that send as fast as they are answered, and clients that pause.

use crate::client::Plan;
use crate::measure::{Load, Metric, Weight, higher, lower, shared_script};
use crate::message::{Shape, connect_and_quit};
use crate::server::Setup;
use crate::subject::Subject;
use std::sync::Arc;
use std::time::Duration;

fn rate_and_cpu() -> Vec<Metric> {
    vec![higher("messages", "/s"), lower("CPU per message", "µs")]
}

/// Loads of busy clients.
pub(super) fn loads() -> Vec<Load> {
    let mut loads = Vec::new();
    for connections in [8, 64, 256] {
        loads.push(typical(connections, false, false));
    }
    for connections in [8, 64, 256] {
        loads.push(typical(connections, true, false));
    }
    loads.push(typical(8, false, true));
    loads.push(typical(64, false, true));
    loads.push(typical(64, true, true));
    loads.push(no_reply());
    loads.push(connects());
    loads.push(bodies());
    loads.push(pausing(64, 5));
    loads.push(pausing(1_000, 20));
    loads.push(short_messages());
    loads
}

/// Typical messages from clients that do not pause.
fn typical(connections: usize, reuse: bool, tcp: bool) -> Load {
    let mut name = format!("c{connections}");
    let mut title = format!("C={connections}");
    if tcp {
        name += "-tcp";
        title += ", TCP";
    }
    if reuse {
        name += "-reuse";
        title += ", connections reused";
    }
    Load {
        name,
        title,
        subjects: &Subject::ALL,
        metrics: [rate_and_cpu(), vec![lower("command p99", "µs")]].concat(),
        weight: if (connections, reuse, tcp) == (8, false, true) {
            Weight::Close
        } else {
            Weight::Light
        },
        measure: Box::new(move |bench, subject| {
            let server = bench.start(subject, &Setup { tcp, ..Setup::PLAIN })?;
            let script = shared_script(&Shape::TYPICAL);
            let plan = Plan { reuse, ..Plan::new(&server.address, &script, connections) };
            let window = bench.watch(&server, &plan)?;
            Ok(vec![window.rate, window.cpu_each, window.outcome.command(0.99)])
        }),
    }
}

/// Messages without replies but the last, as Postfix sends them, on connections that stay.
fn no_reply() -> Load {
    Load {
        name: "no-reply".into(),
        title: "no replies but the last, pipelined, C=8 reused".into(),
        subjects: &Subject::ALL,
        metrics: rate_and_cpu(),
        weight: Weight::Light,
        measure: Box::new(|bench, subject| {
            let server = bench.start(subject, &Setup::PLAIN.with(&["-n"]))?;
            let script = shared_script(&Shape { no_reply: true, ..Shape::TYPICAL });
            let plan = Plan { reuse: true, ..Plan::new(&server.address, &script, 8) };
            let window = bench.watch(&server, &plan)?;
            Ok(vec![window.rate, window.cpu_each])
        }),
    }
}

/// Sessions without a message.
fn connects() -> Load {
    Load {
        name: "connect".into(),
        title: "connect, negotiate, quit at C=64".into(),
        subjects: &Subject::ALL,
        metrics: vec![higher("sessions", "/s"), lower("CPU per session", "µs")],
        weight: Weight::Light,
        measure: Box::new(|bench, subject| {
            let server = bench.start(subject, &Setup::PLAIN)?;
            let plan = Plan::new(&server.address, &Arc::new(connect_and_quit()), 64);
            let window = bench.watch(&server, &plan)?;
            Ok(vec![window.rate, window.cpu_each])
        }),
    }
}

/// Large bodies.
fn bodies() -> Load {
    const SIZE: usize = 1 << 20;
    Load {
        name: "bodies".into(),
        title: "1 MiB bodies, C=4".into(),
        subjects: &Subject::ALL,
        metrics: vec![higher("throughput", "MB/s")],
        weight: Weight::Light,
        measure: Box::new(|bench, subject| {
            let server = bench.start(subject, &Setup::PLAIN)?;
            let script = shared_script(&Shape { body: SIZE, ..Shape::TYPICAL });
            let window = bench.watch(&server, &Plan::new(&server.address, &script, 4))?;
            Ok(vec![window.rate * SIZE as f64 / 1e6])
        }),
    }
}

/// Clients that pause before each of their seven SMTP commands.
fn pausing(connections: usize, millis: u64) -> Load {
    Load {
        name: format!("pause-{connections}"),
        title: format!("{connections} clients that pause {millis} ms"),
        subjects: &Subject::ALL,
        metrics: vec![
            higher("messages", "/s"),
            lower("CPU per message", "µs"),
            lower("command p50", "µs"),
            lower("command p99", "µs"),
        ],
        weight: Weight::Light,
        measure: Box::new(move |bench, subject| {
            let server = bench.start(subject, &Setup::PLAIN)?;
            let plan = pausing_plan(&server.address, connections, millis);
            let window = bench.watch(&server, &plan)?;
            Ok(vec![
                window.rate,
                window.cpu_each,
                window.outcome.command(0.5),
                window.outcome.command(0.99),
            ])
        }),
    }
}

/// Clients that pause, beginning one after the other.
pub(super) fn pausing_plan(
    address: &crate::server::Address,
    connections: usize,
    millis: u64,
) -> Plan {
    let pause = Duration::from_millis(millis);
    // One message takes seven pauses; over that time the clients are spread.
    let spread = 7 * pause;
    Plan { pause, spread, ..Plan::new(address, &shared_script(&Shape::TYPICAL), connections) }
}

/// Many connections at once that stay busy with short messages: does each get its turn?
fn short_messages() -> Load {
    Load {
        name: "busy-128".into(),
        title: "128 connections at once that stay busy, short messages".into(),
        subjects: &Subject::ALL,
        metrics: vec![higher("messages", "/s"), lower("longest wait", "ms")],
        weight: Weight::Light,
        measure: Box::new(|bench, subject| {
            let server = bench.start(subject, &Setup::PLAIN)?;
            let script = shared_script(&Shape::SHORT);
            let plan = Plan { reuse: true, ..Plan::new(&server.address, &script, 128) };
            let window = bench.watch(&server, &plan)?;
            Ok(vec![window.rate, millis(window.outcome.longest)])
        }),
    }
}

/// A time in milliseconds.
pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
