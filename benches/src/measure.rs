//! How a load is measured: what it is given, and what it gives back.

use crate::client::{Outcome, Plan, Run};
use crate::message::{Script, Shape, script};
use crate::server::{Server, Setup};
use crate::subject::{Programs, Subject};
use c_tests::Result;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// For figures that are published.
    Full,
    /// For a look while developing, some three minutes in all.
    Quick,
    /// Only whether each load works.
    Smoke,
}

impl Pace {
    /// Time before figures are taken: caches, pools and estimates settle.
    pub fn warmup(self) -> Duration {
        Duration::from_millis(match self {
            Pace::Full => 250,
            Pace::Quick => 120,
            Pace::Smoke => 10,
        })
    }

    /// Time in which figures are taken.
    pub fn window(self) -> Duration {
        Duration::from_millis(match self {
            Pace::Full => 1_000,
            Pace::Quick => 350,
            Pace::Smoke => 50,
        })
    }

    /// One of three, for what is counted rather than timed.
    pub fn pick<T>(self, full: T, quick: T, smoke: T) -> T {
        match self {
            Pace::Full => full,
            Pace::Quick => quick,
            Pace::Smoke => smoke,
        }
    }
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// One figure of a load.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name, unique in its load.
    pub name: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Which way it is better.
    pub better: Better,
}

/// A figure that should be high.
pub const fn higher(name: &'static str, unit: &'static str) -> Metric {
    Metric { name, unit, better: Better::Higher }
}

/// A figure that should be low.
pub const fn lower(name: &'static str, unit: &'static str) -> Metric {
    Metric { name, unit, better: Better::Lower }
}

/// What a load is given.
#[derive(Clone, Copy, Debug)]
pub struct Bench<'a> {
    /// The compiled programs.
    pub programs: &'a Programs,
    /// How thorough.
    pub pace: Pace,
    /// Time in which figures are taken.
    pub window: Duration,
}

/// How long a load takes, and how many rounds it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Seconds.
    Light,
    /// Seconds, with a target that is near to what is reached: more rounds than others.
    Close,
    /// Tens of seconds: one round in a quick run.
    Heavy,
    /// Not in a quick run at all, unless it was asked for by name.
    Long,
}

impl Weight {
    /// Rounds of a load.
    pub fn rounds(self, pace: Pace) -> usize {
        match self {
            Weight::Close => pace.pick(9, 2, 1),
            Weight::Light => pace.pick(5, 2, 1),
            Weight::Heavy => pace.pick(5, 1, 1),
            Weight::Long => pace.pick(3, 1, 1),
        }
    }
}

/// What measures one subject under one load: a value for each metric.
pub type Measure = Box<dyn Fn(&Bench<'_>, Subject) -> Result<Vec<f64>>>;

/// A load of the suite.
pub struct Load {
    /// Name for the command line and the raw output.
    pub name: String,
    /// What it is, in a table.
    pub title: String,
    /// What can be measured with it.
    pub subjects: &'static [Subject],
    /// Its figures.
    pub metrics: Vec<Metric>,
    /// How much of its time a quick run gives it.
    pub weight: Weight,
    /// Values of the metrics, in their order.
    pub measure: Measure,
}

/// What one window of a run showed.
#[derive(Debug)]
pub struct Window {
    /// Messages a second.
    pub rate: f64,
    /// CPU of the filter process per message, in microseconds.
    pub cpu_each: f64,
    /// CPU of the filter process, as a share of one core.
    pub cpu_share: f64,
    /// Latencies and fairness.
    pub outcome: Outcome,
}

impl Bench<'_> {
    /// Starts a subject.
    pub fn start(&self, subject: Subject, setup: &Setup) -> Result<Server> {
        Server::start(self.programs, subject, setup)
    }

    /// Runs a plan against a server, and takes figures after the warm-up.
    pub fn watch(&self, server: &Server, plan: &Plan) -> Result<Window> {
        self.watch_for(server, plan, self.pace.warmup(), self.window)
    }

    /// The same with given times; the warm-up is never shorter than the start of all connections.
    pub fn watch_for(
        &self,
        server: &Server,
        plan: &Plan,
        warmup: Duration,
        window: Duration,
    ) -> Result<Window> {
        let (window, [(), ()]) = self.watch_with(server, plan, warmup, window, || Ok(()))?;
        Ok(window)
    }

    /// The same, with what a probe finds at the beginning and at the end of the window.
    pub fn watch_with<T>(
        &self,
        server: &Server,
        plan: &Plan,
        warmup: Duration,
        window: Duration,
        probe: impl Fn() -> Result<T>,
    ) -> Result<(Window, [T; 2])> {
        let run = Run::start(plan)?;
        let outcome = (|| {
            settle(&run, plan.spread + warmup);
            run.record();
            let before = probe()?;
            let (begin, cpu, messages) = (Instant::now(), server.cpu_time()?, run.messages());
            settle(&run, window);
            let took = begin.elapsed().as_secs_f64();
            let messages = (run.messages() - messages) as f64;
            let cpu = (server.cpu_time()? - cpu).as_secs_f64();
            Ok((messages, took, cpu, [before, probe()?]))
        })();
        // A client's error says more than that the server is gone.
        let finished = run.finish()?;
        let (messages, took, cpu, probed) = outcome?;
        let window = Window {
            rate: messages / took,
            cpu_each: cpu / messages.max(1.0) * 1e6,
            cpu_share: cpu / took,
            outcome: finished,
        };
        Ok((window, probed))
    }
}

/// Waits for a time, or until the run has failed.
fn settle(run: &Run, time: Duration) {
    const STEP: Duration = Duration::from_millis(50);
    let end = Instant::now() + time;
    while !run.failed() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(STEP));
    }
}

/// The script of a shape, to be shared by connections.
pub fn shared_script(shape: &Shape) -> Arc<Script> {
    Arc::new(script(shape))
}
