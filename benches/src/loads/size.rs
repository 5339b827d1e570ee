//! What a session takes of memory.

use super::idle::TO_EHLO;
use crate::client::held;
use crate::measure::{Bench, Load, Weight, lower, shared_script};
use crate::message::{Script, Shape};
use crate::probe;
use crate::server::Setup;
use crate::subject::Subject;
use c_tests::{Error, Result};

/// Headers of the message that a session is in.
const HEADERS: usize = 100;

/// Sessions that are open before any is counted: what is allocated once, or for the first, is there then.
const BEFORE: usize = 2_000;

/// Sessions that go through their steps side by side.
const GROUP: usize = 64;

/// Loads that weigh sessions.
pub(super) fn loads() -> Vec<Load> {
    vec![Load {
        name: "session-size".into(),
        title: "memory of one more session".into(),
        // The reference takes minutes for as many: each packet costs it a look at all sessions.
        subjects: &[Subject::Ours],
        metrics: vec![lower("idle", "bytes"), lower("in a message, after 100 headers", "bytes")],
        weight: Weight::Heavy,
        measure: Box::new(|bench, subject| {
            let script = shared_script(&Shape { headers: HEADERS, ..Shape::TYPICAL });
            let idle = size(bench, subject, &script, TO_EHLO, bench.pace.pick(8_000, 4_000, 50))?;
            let steps = to_end_of_headers(&script)?;
            let busy = size(bench, subject, &script, steps, bench.pace.pick(4_000, 2_000, 50))?;
            Ok(vec![idle, busy])
        }),
    }]
}

/// Steps up to and including the last header.
fn to_end_of_headers(script: &Script) -> Result<usize> {
    let end = script.steps.iter().position(|step| step.letter == b'N');
    end.ok_or_else(|| Error("the script has no end of headers".into()))
}

/// By how much the filter grows with `count` more sessions that have gone through these steps, for each.
fn size(
    bench: &Bench<'_>,
    subject: Subject,
    script: &Script,
    steps: usize,
    count: usize,
) -> Result<f64> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    let open = |count| held::open_together(&server.address, script, steps, count, GROUP);
    let _before = open(bench.pace.pick(BEFORE, BEFORE, 10))?;
    let before = probe::resident(server.pid())?;
    let _sessions = open(count)?;
    let grown = probe::resident(server.pid())?.saturating_sub(before);
    Ok(grown as f64 / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::script;

    #[test]
    fn sessions_are_weighed_before_the_end_of_headers() {
        let script = script(&Shape { headers: HEADERS, ..Shape::TYPICAL });
        let steps = &script.steps[..to_end_of_headers(&script).unwrap()];
        assert_eq!(steps.iter().filter(|step| step.letter == b'L').count(), HEADERS);
        assert!(steps.iter().all(|step| step.letter != b'N'));
    }
}
