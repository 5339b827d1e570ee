//! What designs cost by themselves, without a library around them.

use crate::client::Plan;
use crate::measure::{Load, Weight, higher, lower, shared_script};
use crate::message::Shape;
use crate::server::Setup;
use crate::subject::Subject;

/// The designs that were compared. All three are measured in turn in each round, so that the figures
/// stand in one column of the table.
const DESIGNS: [Subject; 3] = [Subject::Epoll, Subject::OneShot, Subject::HandOff];

/// One load for each number of clients.
pub(super) fn loads() -> Vec<Load> {
    [1, 8, 64, 256].into_iter().map(designs).collect()
}

fn designs(connections: usize) -> Load {
    Load {
        name: format!("design-{connections}"),
        title: format!("designs at C={connections}"),
        subjects: &[Subject::Epoll],
        metrics: vec![
            higher("loops: messages", "/s"),
            lower("loops: CPU per message", "µs"),
            higher("one-shot poller: messages", "/s"),
            lower("one-shot poller: CPU per message", "µs"),
            higher("hand-off: messages", "/s"),
            lower("hand-off: CPU per message", "µs"),
        ],
        weight: Weight::Long,
        measure: Box::new(move |bench, _| {
            let script = shared_script(&Shape::TYPICAL);
            let mut figures = Vec::new();
            for design in DESIGNS {
                let server = bench.start(design, &Setup::PLAIN)?;
                let plan = Plan::new(&server.address, &script, connections);
                let window = bench.watch(&server, &plan)?;
                figures.extend([window.rate, window.cpu_each]);
            }
            Ok(figures)
        }),
    }
}
