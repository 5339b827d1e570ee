//! Whether the loops are loaded alike: connections that are new all the time, and connections that stay.

use super::idle::open;
use crate::client::{Plan, micros};
use crate::measure::{Bench, Load, Metric, Weight, higher, lower, shared_script};
use crate::message::Shape;
use crate::probe::{self, Threads};
use crate::server::Setup;
use crate::subject::Subject;
use c_tests::Result;
use std::time::Duration;

/// The thread that called `smfi_main` supervises; the floor's first thread runs a loop.
const SUBJECTS: &[Subject] = &[Subject::Ours, Subject::Epoll];

/// Name of the library's threads that run loops and callbacks.
const POOL_THREAD: &str = "milter";

/// Loads of the loops, each with one for each core.
pub(super) fn loads() -> Vec<Load> {
    let mut loads: Vec<Load> = [(64, false), (256, false), (64, true), (256, true)]
        .into_iter()
        .map(|(connections, reuse)| {
            let stay = if reuse { ", connections reused" } else { "" };
            Load {
                name: format!("level-{connections}{}", if reuse { "-reuse" } else { "" }),
                title: format!("loops at C={connections}{stay}"),
                subjects: SUBJECTS,
                metrics: metrics(),
                weight: if reuse { Weight::Long } else { Weight::Close },
                measure: Box::new(move |bench, subject| {
                    measure(bench, subject, connections, reuse, 0)
                }),
            }
        })
        .collect();
    loads.push(Load {
        name: "level-idle".into(),
        title: "loops at C=16, connections reused, beside 10,000 idle".into(),
        subjects: SUBJECTS,
        metrics: metrics(),
        weight: Weight::Long,
        measure: Box::new(|bench, subject| {
            measure(bench, subject, 16, true, bench.pace.pick(10_000, 10_000, 100))
        }),
    });
    loads
}

fn metrics() -> Vec<Metric> {
    vec![
        higher("messages", "/s"),
        lower("CPU per message", "µs"),
        lower("CPU of the busiest loop, of the least", "×"),
        lower("threads that ran loops", ""),
        lower("supervisor's share of the CPU", "%"),
        lower("message p50", "ms"),
        lower("message p99", "ms"),
    ]
}

fn measure(
    bench: &Bench<'_>,
    subject: Subject,
    connections: usize,
    reuse: bool,
    idle: usize,
) -> Result<Vec<f64>> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    let _idle = open(&server, idle)?;
    let script = shared_script(&Shape::TYPICAL);
    let plan = Plan { reuse, ..Plan::new(&server.address, &script, connections) };
    let (warmup, length) = (bench.pace.warmup(), bench.window);
    let probe = || probe::threads(server.pid());
    let (window, [before, after]) = bench.watch_with(&server, &plan, warmup, length, probe)?;
    let used = Used::between(&before, &after, (subject == Subject::Ours).then_some(server.pid()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(vec![
        window.rate,
        window.cpu_each,
        used.unevenness(cores),
        used.served() as f64,
        used.supervisor_share(),
        micros(&window.outcome.messages, 0.5) / 1e3,
        micros(&window.outcome.messages, 0.99) / 1e3,
    ])
}

/// CPU time of threads over a window.
#[derive(Debug, PartialEq)]
struct Used {
    /// Of those that run loops.
    loops: Vec<Duration>,
    /// Of that which looks after them, if there is one.
    supervisor: Option<Duration>,
    all: Duration,
}

impl Used {
    /// With a `supervisor`, by its number, only threads of the library's pool run loops; without, all do.
    fn between(before: &Threads, after: &Threads, supervisor: Option<u32>) -> Used {
        let mut used = Used { loops: Vec::new(), supervisor: None, all: Duration::ZERO };
        for (number, (name, time)) in after {
            let since = before.get(number).map_or(Duration::ZERO, |(_, time)| *time);
            let time = time.saturating_sub(since);
            used.all += time;
            if supervisor == Some(*number) {
                used.supervisor = Some(time);
            } else if supervisor.is_none() || name == POOL_THREAD {
                used.loops.push(time);
            }
        }
        used
    }

    /// CPU time of the loop that has used most, in that of the one that has used least, of `loops`.
    ///
    /// A loop that was passed on is served by two threads, one after the other: what threads beyond the
    /// number of loops have used is added to whichever has least so far.
    fn unevenness(&self, loops: usize) -> f64 {
        let mut times = self.loops.clone();
        times.sort_unstable_by(|a, b| b.cmp(a));
        let passed_on = times.split_off(times.len().min(loops));
        for more in passed_on {
            if let Some(least) = times.iter_mut().min() {
                *least += more;
            }
        }
        match (times.iter().max(), times.iter().min()) {
            (Some(most), Some(least)) => most.as_secs_f64() / least.as_secs_f64(),
            _ => f64::NAN,
        }
    }

    /// Threads that have used a hundredth of the time, or more: if they are more than there are loops, some
    /// loop was passed on.
    fn served(&self) -> usize {
        self.loops.iter().filter(|time| **time * 100 >= self.all).count()
    }

    /// In percent; not a number if there is none.
    fn supervisor_share(&self) -> f64 {
        let share = |time: Duration| 100.0 * time.as_secs_f64() / self.all.as_secs_f64();
        self.supervisor.map_or(f64::NAN, share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(all: &[(u32, &str, u64)]) -> Threads {
        let entry = |(number, name, ms): &(u32, &str, u64)| {
            (*number, ((*name).to_owned(), Duration::from_millis(*ms)))
        };
        all.iter().map(entry).collect()
    }

    #[test]
    fn loops_and_supervisor_are_told_apart() {
        let before = threads(&[(1, "filter", 10), (2, "milter-signal", 1), (3, "milter", 100)]);
        let after = threads(&[
            (1, "filter", 15),
            (2, "milter-signal", 1),
            (3, "milter", 350),
            (4, "milter", 245),
        ]);
        let ours = Used::between(&before, &after, Some(1));
        assert_eq!(ours.loops, [Duration::from_millis(250), Duration::from_millis(245)]);
        assert!((ours.supervisor_share() - 1.0).abs() < 1e-9);
        let floor = Used::between(&before, &after, None);
        assert_eq!(floor.loops.len(), 4);
        assert!(floor.supervisor_share().is_nan());
    }

    #[test]
    fn a_loop_that_was_passed_on_is_one_loop() {
        let used = |ms: &[u64]| Used {
            loops: ms.iter().copied().map(Duration::from_millis).collect(),
            supervisor: None,
            all: Duration::from_secs(1),
        };
        let permille = |ms: &[u64]| (used(ms).unevenness(2) * 1000.0).round();
        assert_eq!(permille(&[400, 600]), 1500.0);
        assert_eq!(permille(&[100, 600, 300]), 1500.0);
        assert_eq!(permille(&[0, 600, 400, 0]), 1500.0);
        assert_eq!(permille(&[600]), 1000.0);
        assert!(used(&[]).unevenness(2).is_nan());
        assert_eq!(used(&[100, 600, 1, 300]).served(), 3);
    }
}
