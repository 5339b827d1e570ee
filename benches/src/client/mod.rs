//! The load generator: many MTA connections on few threads.
//!
//! It shares the machine with what it measures, so it does little: a thread waits with epoll,
//! compares what arrived with the bytes a script expects, and writes the next step. A run goes on
//! until it is stopped; figures are taken between [`Run::record`] and [`Run::finish`].

mod connection;
pub mod held;
pub mod serial;
mod worker;

use crate::message::Script;
use crate::server::Address;
use c_tests::{Error, Result};
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What all connections of a run do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the filter listens.
    pub address: Address,
    /// What is sent, and what is expected.
    pub script: Arc<Script>,
    /// Connections at any time.
    pub connections: usize,
    /// Send message after message on one connection rather than one on each.
    pub reuse: bool,
    /// How long the SMTP client pauses before each of its commands.
    pub pause: Duration,
    /// Connections begin one after the other over this time.
    pub spread: Duration,
    /// Threads of the generator.
    pub threads: usize,
    /// Messages after which a connection does nothing more; `None`: no end.
    pub messages_each: Option<u64>,
}

impl Plan {
    /// Connections that are busy all the time, each with a new connection per message.
    pub fn new(address: &Address, script: &Arc<Script>, connections: usize) -> Plan {
        Plan {
            address: address.clone(),
            script: Arc::clone(script),
            connections,
            reuse: false,
            pause: Duration::ZERO,
            spread: Duration::ZERO,
            threads: connections.min(THREADS),
            messages_each: None,
        }
    }
}

/// Threads of the generator for loads with enough connections.
///
/// Two, as on the machine the targets were set on: one cannot keep a fast server busy.
pub const THREADS: usize = 2;

/// What the threads of a run share.
#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    recording: AtomicBool,
    messages: AtomicU64,
    /// Connections that have sent all their messages.
    complete: AtomicU64,
}

/// Latencies of one run, and how evenly its connections were served.
#[derive(Debug)]
pub struct Outcome {
    /// From the write of a command to its complete reply, in nanoseconds.
    pub commands: Histogram<u64>,
    /// From connecting, or from MAIL on a connection in use, to the verdict, in nanoseconds.
    pub messages: Histogram<u64>,
    /// The same for the end of a message, which is answered with changes.
    pub ends: Histogram<u64>,
    /// The longest wait for a reply, waits that have not ended included.
    pub longest: Duration,
    /// Messages of each connection.
    pub each: Vec<u64>,
}

impl Outcome {
    fn new() -> Outcome {
        Outcome {
            commands: histogram(),
            messages: histogram(),
            ends: histogram(),
            longest: Duration::ZERO,
            each: Vec::new(),
        }
    }

    fn merge(&mut self, other: Outcome) {
        // Both were made by `histogram`, so one has room for the other.
        let _fits = self.commands.add(&other.commands);
        let _fits = self.messages.add(&other.messages);
        let _fits = self.ends.add(&other.ends);
        self.longest = self.longest.max(other.longest);
        self.each.extend(other.each);
    }

    /// Connections that finished no message while recording.
    pub fn starved(&self) -> usize {
        self.each.iter().filter(|n| **n == 0).count()
    }

    /// A quantile of the commands' latencies in microseconds; if no command was answered, how long
    /// one has waited.
    pub fn command(&self, quantile: f64) -> f64 {
        match self.commands.is_empty() {
            true => self.longest.as_secs_f64() * 1e6,
            false => micros(&self.commands, quantile),
        }
    }
}

/// Nanoseconds from 1 µs to 60 s, to 1 %.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 2).expect("constant bounds are valid")
}

/// A quantile in microseconds.
pub fn micros(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

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
