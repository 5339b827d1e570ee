//! What is to be reached, and whether it was.

use crate::numbers::{number, spread};
use crate::results::Results;
use crate::subject::Subject;

/// How a target is judged, always by the median of the rounds.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Ours divided by the other subject's is at least this.
    RatioAtLeast(Subject, f64),
    /// Ours divided by the other subject's is at most this.
    RatioAtMost(Subject, f64),
    /// Ours is at least this.
    AtLeast(f64),
    /// Ours is at most this.
    AtMost(f64),
}

struct Target {
    load: &'static str,
    metric: &'static str,
    rule: Rule,
}

/// A target with what was measured.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What is to be reached.
    pub text: String,
    /// What was.
    pub measured: String,
    /// Whether that is enough.
    pub reached: bool,
}

use Rule::{AtLeast, AtMost, RatioAtLeast, RatioAtMost};
use Subject::{Epoll, Reference, Threads};

const fn target(load: &'static str, metric: &'static str, rule: Rule) -> Target {
    Target { load, metric, rule }
}

const UNEVENNESS: &str = "CPU of the busiest loop, of the least";
const NOT_BLOCKING: &str = "new connections, p99 of commands that do not block";

const TARGETS: &[Target] = &[
    target("c8", "messages", RatioAtLeast(Epoll, 0.85)),
    target("c64", "messages", RatioAtLeast(Epoll, 0.85)),
    target("c256", "messages", RatioAtLeast(Epoll, 0.85)),
    target("c64", "CPU per message", RatioAtMost(Epoll, 1.4)),
    target("c64-one", "CPU per message", RatioAtMost(Epoll, 0.93)),
    target("c1", "CPU per message", RatioAtMost(Epoll, 1.1)),
    target("c1", "CPU per message", RatioAtMost(Threads, 1.25)),
    target("c1", "CPU per message", RatioAtMost(Reference, 1.0)),
    target("c1", "message p50", RatioAtMost(Threads, 1.25)),
    target("c1", "message p50", RatioAtMost(Reference, 1.0)),
    target("level-64", UNEVENNESS, AtMost(1.15)),
    target("level-64", "message p99", RatioAtMost(Epoll, 1.1)),
    target("level-64", "supervisor's share of the CPU", AtMost(1.0)),
    target("level-256", UNEVENNESS, AtMost(1.15)),
    target("level-256", "message p99", RatioAtMost(Epoll, 1.1)),
    target("c8-tcp", "command p99", RatioAtMost(Threads, 1.25)),
    target("syscalls", "per message, C=1", AtMost(97.0)),
    target("syscalls", "per message, C=64", AtMost(80.0)),
    target("instructions", "typical, library", AtMost(28_000.0)),
    target("instructions", "empty callbacks, reused, library", AtMost(17_000.0)),
    target("instructions", "no replies, library", AtMost(9_000.0)),
    target("macros-1000", "a look-up", RatioAtMost(Reference, 1.0)),
    target("macros-3000", "a look-up", RatioAtMost(Reference, 1.0)),
    target("session-size", "idle", AtMost(620.0)),
    target("session-size", "in a message, after 100 headers", AtMost(1_000.0)),
    target("no-reply", "CPU per message", RatioAtMost(Epoll, 2.0)),
    target("connect", "sessions", RatioAtLeast(Epoll, 0.8)),
    target("bodies", "throughput", RatioAtLeast(Threads, 0.95)),
    target("pause-64", "messages", RatioAtLeast(Epoll, 0.8)),
    target("pause-64", "command p99", RatioAtMost(Epoll, 1.25)),
    target("pause-64", "CPU per message", RatioAtMost(Epoll, 1.25)),
    target("pause-1000", "messages", RatioAtLeast(Epoll, 0.8)),
    target("pause-1000", "command p99", RatioAtMost(Epoll, 1.25)),
    target("pause-1000", "CPU per message", RatioAtMost(Epoll, 1.25)),
    target("idle-10000", "threads", AtMost(8.0)),
    target("idle-10000", "RSS beyond start", AtMost(10.0)),
    target("idle-10000", "virtual", AtMost(0.5)),
    target("idle-15000", "threads", AtMost(8.0)),
    target("idle-15000", "RSS beyond start", AtMost(10.0)),
    target("idle-15000", "virtual", AtMost(0.5)),
    target("idle-active", "messages, share of those without idle", AtLeast(90.0)),
    target("idle-active", "command p99, share of that without idle", AtMost(110.0)),
    target("slow-16", "new connections, share of the ideal rate", AtLeast(95.0)),
    target("slow-16", "reused, share of the ideal rate", AtLeast(95.0)),
    target("slow-16", "all at once, share of the ideal rate", AtLeast(95.0)),
    target("slow-16", "connections starved", AtMost(0.0)),
    target("slow-16", "all at once, longest wait", AtMost(100.0)),
    target("slow-64", "new connections, share of the ideal rate", AtLeast(95.0)),
    target("slow-64", "reused, share of the ideal rate", AtLeast(95.0)),
    target("slow-64", "all at once, share of the ideal rate", AtLeast(95.0)),
    target("slow-64", "connections starved", AtMost(0.0)),
    target("slow-64", "all at once, longest wait", AtMost(100.0)),
    target("slow-256", "new connections, share of the ideal rate", AtLeast(95.0)),
    target("slow-256", "new connections, share of the ideal rate", RatioAtLeast(Threads, 0.98)),
    target("slow-256", NOT_BLOCKING, RatioAtMost(Threads, 1.25)),
    target("slow-256", "reused, share of the ideal rate", AtLeast(95.0)),
    target("slow-256", "all at once, share of the ideal rate", AtLeast(95.0)),
    target("slow-256", "connections starved", AtMost(0.0)),
    target("slow-256", "all at once, longest wait", AtMost(100.0)),
    target("slow-1000", "new connections, share of the ideal rate", RatioAtLeast(Threads, 1.0)),
    target("slow-1000", "reused, share of the ideal rate", RatioAtLeast(Threads, 1.0)),
    target("slow-1000", "all at once, share of the ideal rate", RatioAtLeast(Threads, 1.0)),
    target("slow-1000", "connections starved", AtMost(0.0)),
    target("slow-1000", "all at once, longest wait", RatioAtMost(Threads, 1.0)),
    target("six", "the last finishes after, callback times", AtMost(1.1)),
    target("drip", "threads", AtMost(8.0)),
    target("drip", "messages, share of undisturbed", AtLeast(90.0)),
    target("drip", "command p99, share of undisturbed", AtMost(110.0)),
    target("deadline", "cut after (4: not cut)", AtMost(2.0)),
    target("changes-tcp", "end of message p99", AtMost(10.0)),
    target("descriptors", "CPU burnt", AtMost(2.0)),
    target("descriptors", "log lines meanwhile", AtMost(1.0)),
    target("descriptors", "next reply after room was made", AtMost(10.0)),
    target("descriptors", "connections never answered", AtMost(0.0)),
    target("stop", "idle", AtMost(20.0)),
    target("stop", "1,000 sessions open", AtMost(100.0)),
    target("stop", "xxfi_close calls for them", AtLeast(1_000.0)),
    target("stop", "of 10 messages in hand, answered", AtLeast(10.0)),
];

/// Judges the targets whose loads were run.
pub fn check(results: &Results) -> Vec<Checked> {
    TARGETS.iter().filter_map(|target| check_one(results, target)).collect()
}

fn check_one(results: &Results, target: &Target) -> Option<Checked> {
    let load = results.loads.iter().find(|load| load.name == target.load)?;
    let metric = load.metric(target.metric)?;
    let unit = load.metrics[metric].unit;
    let (sign, wanted, other) = match target.rule {
        RatioAtLeast(other, wanted) => ("≥", wanted, Some(other)),
        RatioAtMost(other, wanted) => ("≤", wanted, Some(other)),
        AtLeast(wanted) => ("≥", wanted, None),
        AtMost(wanted) => ("≤", wanted, None),
    };
    let (values, text, unit) = match other {
        Some(other) => {
            let text = format!("{sign} {wanted} × {}", other.name());
            (load.ratios(other, metric), text, "×")
        }
        None => {
            (load.values(Subject::Ours, metric), format!("{sign} {} {unit}", number(wanted)), unit)
        }
    };
    let text = format!("{}: {} {text}", load.title, target.metric).trim_end().to_owned();
    let Some(s) = spread(&values) else {
        return Some(Checked { text, measured: "not measured".into(), reached: false });
    };
    let reached = if sign == "≥" { s.median >= wanted } else { s.median <= wanted };
    let measured = format!("{} {unit} ({}–{})", number(s.median), number(s.min), number(s.max));
    Some(Checked { text, measured, reached })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loads;

    #[test]
    fn every_target_names_a_load_and_its_metric() {
        let all = loads::all();
        for target in TARGETS {
            let load = all.iter().find(|load| load.name == target.load);
            let load = load.unwrap_or_else(|| panic!("no load {}", target.load));
            assert!(
                load.metrics.iter().any(|metric| metric.name == target.metric),
                "{} has no metric {:?}",
                target.load,
                target.metric
            );
            if let RatioAtLeast(other, _) | RatioAtMost(other, _) = target.rule {
                assert!(load.subjects.contains(&other), "{} does not measure it", target.load);
            }
        }
    }
}
