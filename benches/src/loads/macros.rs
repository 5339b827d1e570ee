//! Sessions with many macros: what a look-up costs.

use crate::client::serial;
use crate::measure::{Bench, Load, Weight, lower, shared_script};
use crate::message::Shape;
use crate::numbers::spread;
use crate::server::Setup;
use crate::subject::Subject;
use c_tests::{Error, Result};

/// One load for each number of macros.
pub(super) fn loads() -> Vec<Load> {
    [1_000, 3_000].into_iter().map(many).collect()
}

/// The filter looks up each of them once, at the end of each message.
fn many(count: usize) -> Load {
    Load {
        name: format!("macros-{count}"),
        title: format!("{count} macros of a session"),
        subjects: &Subject::LIBRARIES,
        metrics: vec![
            lower("a look-up", "ns"),
            lower("the first look-up", "µs"),
            lower("CPU per message without look-ups", "µs"),
        ],
        weight: Weight::Close,
        measure: Box::new(move |bench, subject| {
            let (first, others) = look_ups(bench, subject, count)?;
            let each = (first + others) / count as f64;
            Ok(vec![each, first / 1e3, message(bench, subject, count)?])
        }),
    }
}

/// Nanoseconds of CPU of the first look-up of a message, and of all others together.
fn look_ups(bench: &Bench<'_>, subject: Subject, count: usize) -> Result<(f64, f64)> {
    let server = bench.start(subject, &Setup::PLAIN.with(&["-m", &count.to_string()]))?;
    let script = shared_script(&Shape { macros: count, ..Shape::SHORT });
    serial::messages(&server.address, &script, bench.pace.pick(60, 20, 2))?;
    let lines = server.log_lines()?;
    let told: Option<Vec<_>> = lines.iter().map(|line| read(line, count)).collect();
    let told = told.ok_or_else(|| Error(format!("not all look-ups succeed: {lines:?}")))?;
    let median = |values: Vec<f64>| spread(&values).map_or(f64::NAN, |s| s.median);
    let (first, others) = told.into_iter().unzip();
    Ok((median(first), median(others)))
}

/// What the filter says of one message.
fn read(line: &str, count: usize) -> Option<(f64, f64)> {
    let rest = line.strip_prefix(&format!("{count} look-ups: first "))?;
    let (first, others) = rest.strip_suffix(" ns")?.split_once(" ns, others ")?;
    Some((first.parse().ok()?, others.parse().ok()?))
}

/// Microseconds of CPU of a message.
fn message(bench: &Bench<'_>, subject: Subject, count: usize) -> Result<f64> {
    let server = bench.start(subject, &Setup::PLAIN.with(&["-i"]))?;
    let shape = Shape { macros: count, unchanged: true, ..Shape::SHORT };
    let script = shared_script(&shape);
    let messages: u64 = bench.pace.pick(300, 60, 2);
    let warmup = messages.div_ceil(10);
    serial::messages(&server.address, &script, warmup)?;
    let cpu = server.cpu_time()?;
    serial::messages(&server.address, &script, messages)?;
    Ok((server.cpu_time()? - cpu).as_secs_f64() * 1e6 / messages as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_says_is_read() {
        assert_eq!(read("12 look-ups: first 5 ns, others 70 ns", 12), Some((5.0, 70.0)));
        assert_eq!(read("11 look-ups: first 5 ns, others 70 ns", 12), None);
        assert_eq!(read("something else", 12), None);
    }
}
