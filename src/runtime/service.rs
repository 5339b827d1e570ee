//! What every session of a run is served with.

use std::sync::Arc;

use super::estimates::Estimates;
use super::guests::Guests;
use super::lifecycle::Lifecycle;
use super::log::Log;
use super::options::Options;
use super::output::OutputSettings;
use super::running::Callbacks;
use super::stop::Control;
use super::tally::{Refusal, Tally};
use super::trace::Trace;
use crate::proto::command::Command;
use crate::session::Filter;

/// The filter, its settings, and how far its run has come: all that a session sees of the run.
pub(super) struct Service<F> {
    pub(super) filter: F,
    pub(super) options: Options,
    pub(super) log: Arc<Log>,
    pub(super) output_settings: Arc<OutputSettings>,
    pub(super) estimates: Estimates,
    pub(super) lifecycle: Lifecycle,
    pub(super) guests: Guests,
    pub(super) trace: Option<Arc<Trace>>,
    /// The callbacks that are under way, if somebody wants to know them.
    pub(super) callbacks: Option<Arc<Callbacks>>,
    /// Numbers, if somebody wants to know them.
    pub(super) tally: Option<Arc<Tally>>,
}

impl<F: Filter> Service<F> {
    pub(super) fn new(
        filter: F,
        options: Options,
        log: Arc<Log>,
        control: &'static Control,
        trace: Option<Trace>,
    ) -> Service<F> {
        let output_settings = Arc::new(OutputSettings {
            log: Arc::clone(&log),
            debug: options.debug,
            limit: options.limits().packet,
        });
        let lifecycle = Lifecycle::new(control, Arc::clone(&log), options.beat());
        let estimates = Estimates::default();
        let guests = Guests::new(options.allowance, Arc::clone(&log));
        let trace = trace.map(Arc::new);
        let tally = options.counted.then(|| Arc::new(Tally::new()));
        let callbacks = options.callbacks_are_known();
        let callbacks = callbacks.then(|| Arc::new(Callbacks::new(options.patience, control)));
        Service {
            filter,
            options,
            log,
            output_settings,
            estimates,
            lifecycle,
            guests,
            trace,
            callbacks,
            tally,
        }
    }

    /// Counts something that was refused.
    #[cold]
    pub(super) fn count_refusal(&self, why: Refusal) {
        if let Some(tally) = &self.tally {
            tally.refuse(why);
        }
    }

    /// Whether a command's callback is too slow to run in a loop.
    #[inline]
    pub(super) fn hands_over(&self, command: Command) -> bool {
        self.estimates.is_slow(command) && self.filter.serves(command)
    }
}
