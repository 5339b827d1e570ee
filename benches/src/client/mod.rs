//! The load generator: many MTA connections on few threads.
//!
//! It shares the machine with what it measures, so it does little: a thread waits with epoll,
//! compares what arrived with the bytes a script expects, and writes the next step. A run goes on
//! until it is stopped; figures are taken between [`Run::record`] and [`Run::finish`].

mod connection;
pub mod held;
mod outcome;
mod plan;
pub mod serial;
mod worker;

pub use outcome::{Outcome, micros};
use plan::Shared;
pub use plan::{Plan, THREADS};

use c_tests::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;

/// A run of the generator.
#[derive(Debug)]
pub struct Run {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<Outcome>>>,
}

impl Run {
    /// Begins to send.
    pub fn start(plan: &Plan) -> Result<Run> {
        let shared = Arc::new(Shared::default());
        let begin = Instant::now();
        let threads = (0..plan.threads.max(1))
            .map(|number| {
                let (plan, shared) = (plan.clone(), Arc::clone(&shared));
                std::thread::Builder::new()
                    .name(format!("client {number}"))
                    .spawn(move || {
                        let outcome = worker::work(&plan, &shared, number, begin);
                        if outcome.is_err() {
                            shared.stop.store(true, Ordering::Relaxed);
                        }
                        outcome
                    })
                    .map_err(|e| Error::new("start a thread", e))
            })
            .collect::<Result<_>>()?;
        Ok(Run { shared, threads })
    }

    /// Messages finished so far.
    pub fn messages(&self) -> u64 {
        self.shared.messages.load(Ordering::Relaxed)
    }

    /// Connections that have sent all their messages.
    pub fn complete(&self) -> u64 {
        self.shared.complete.load(Ordering::Relaxed)
    }

    /// Whether a connection has failed; [`Run::finish`] says how.
    pub fn failed(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Takes figures from now on.
    pub fn record(&self) {
        self.shared.recording.store(true, Ordering::Relaxed);
    }

    /// Ends the run, leaving connections where they are.
    pub fn finish(self) -> Result<Outcome> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut all = Outcome::new();
        for thread in self.threads {
            let outcome = thread.join().map_err(|_| Error("a client thread panicked".into()))??;
            all.merge(outcome);
        }
        Ok(all)
    }
}
