//! Connections that are open and say nothing, alone and beside clients that are active.

use super::busy::pausing_plan;
use crate::client::held;
use crate::measure::{Bench, Load, Weight, higher, lower, shared_script};
use crate::message::Shape;
use crate::server::{Server, Setup};
use crate::subject::Subject;
use c_tests::Result;
use std::os::fd::OwnedFd;

/// Steps of a session up to and including EHLO: what an idle SMTP connection has sent.
pub(super) const TO_EHLO: usize = 3;

/// The thread floor is left out where the kernel's default limit of memory maps is in its way.
const WITHOUT_THREADS: &[Subject] = &[Subject::Ours, Subject::Reference, Subject::Epoll];

/// Loads of idle connections.
pub(super) fn loads() -> Vec<Load> {
    vec![
        idle(10_000, &Subject::ALL, Weight::Heavy),
        idle(15_000, WITHOUT_THREADS, Weight::Long),
        Load {
            name: "idle-active".into(),
            title: "10,000 idle and 64 clients that pause 5 ms".into(),
            subjects: &Subject::ALL,
            metrics: vec![
                higher("messages", "/s"),
                lower("command p99", "µs"),
                higher("messages, share of those without idle", "%"),
                lower("command p99, share of that without idle", "%"),
            ],
            weight: Weight::Long,
            measure: Box::new(beside_idle),
        },
    ]
}

/// Opens connections that have sent their EHLO.
pub(super) fn open(server: &Server, count: usize) -> Result<Vec<OwnedFd>> {
    held::open_idle(&server.address, &shared_script(&Shape::TYPICAL), TO_EHLO, count)
}

fn idle(count: usize, subjects: &'static [Subject], weight: Weight) -> Load {
    Load {
        name: format!("idle-{count}"),
        title: format!("{count} idle"),
        subjects,
        metrics: vec![
            lower("threads", ""),
            lower("RSS beyond start", "MB"),
            lower("virtual", "GiB"),
        ],
        weight,
        measure: Box::new(move |bench, subject| {
            let server = bench.start(subject, &Setup::PLAIN)?;
            let before = server.usage()?;
            let _idle = open(&server, bench.pace.pick(count, count, 200))?;
            let after = server.usage()?;
            Ok(vec![
                after.threads as f64,
                after.resident.saturating_sub(before.resident) as f64 / 1e6,
                after.virt as f64 / f64::from(1 << 30),
            ])
        }),
    }
}

fn beside_idle(bench: &Bench<'_>, subject: Subject) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    let plan = pausing_plan(&server.address, 64, 5);
    let alone = bench.watch(&server, &plan)?;
    let _idle = open(&server, bench.pace.pick(10_000, 10_000, 200))?;
    let beside = bench.watch(&server, &plan)?;
    let p99 = |window: &crate::measure::Window| window.outcome.command(0.99);
    Ok(vec![
        beside.rate,
        p99(&beside),
        100.0 * beside.rate / alone.rate,
        100.0 * p99(&beside) / p99(&alone),
    ])
}
