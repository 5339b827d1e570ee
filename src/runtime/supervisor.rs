//! The thread that called `smfi_main`: takes loops from blocked threads, and stops the run.

mod stopping;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::desk::{self, Desk};
use super::linger::Flow;
use super::lost::Lost;
use super::options::{CHECK_BUSY, CHECK_IDLE};
use super::placement::Placement;
use super::pool::Employer;
use super::readings::page;
use super::run::Run;
use super::stop::Level;
use super::wake_up::WAKER_KEY;
use super::watchdog::Watchdog;
use crate::session::Filter;
use crate::sys::clock::Time;
use crate::sys::poller::{Events, Poller, Ready, Timeout, Watch};

/// Time between two looks at the loops. A turn seen in two looks is taken for blocked.
const TICK: Duration = Duration::from_millis(1);
/// The same while no callback blocks, nor seems to: most filters never need the supervisor, which should cost
/// them little. A look takes its own time, and the owner of a loop out of its stride.
const TICK_UNBLOCKED: Duration = Duration::from_millis(4);
/// Looks after which none does.
const UNBLOCKED_LOOKS: u32 = 250;
/// Looks after which a turn is taken for blocked although its thread could run: it computes for
/// long, or the system has no processor for it. A new owner would hardly fare better.
const BUSY_LOOKS: u32 = 10;
/// Looks without any turn before the supervisor sleeps until one begins.
const QUIET_TICKS: u32 = 16;
/// Time between two tries to start a thread for which there is work.
const SHORT_OF_THREADS: Duration = Duration::from_millis(100);
/// Time between two looks at threads that are about to end: at first, and at most. Nothing tells when
/// what the filter has registered for a thread's end is over.
const ENDING_MIN: Duration = Duration::from_millis(1);
const ENDING_MAX: Duration = Duration::from_secs(60);

/// Looks after the loops of a run.
pub(super) struct Supervisor<F> {
    run: Arc<Run<F>>,
    poller: Poller,
    events: Events,
    /// The turn each loop was in at the last look, and in how many looks before that.
    seen: Vec<(u64, u32)>,
    placement: Placement,
    /// Looks since there was last a turn.
    quiet: u32,
    /// Looks since a loop was last taken from its thread.
    unblocked: u32,
    /// A turn was seen twice whose thread could run.
    suspects: bool,
    flow: Flow,
    /// When it has last looked whether descriptors are lost.
    checked: Time,
    /// How long the clock of deadlines can do without a look.
    beat: Option<Duration>,
    /// How many threads are about to end, and the time until the next look at them.
    ending: (usize, Duration),
    watchdog: Watchdog,
    /// Where statistics are given, if somebody wants them.
    desk: Option<Desk>,
}

impl<F: Filter + 'static> Supervisor<F> {
    pub(super) fn new(run: Arc<Run<F>>, desk: Option<Desk>) -> io::Result<Supervisor<F>> {
        let poller = Poller::new()?;
        if let Some(waker) = run.service.lifecycle.control.waker() {
            poller.add(waker, WAKER_KEY, Watch::Level)?;
        }
        let seen = vec![(0, 0); run.loops.len()];
        let (manager, log) = (run.service.options.manager.clone(), Arc::clone(&run.service.log));
        Ok(Supervisor {
            run,
            poller,
            events: Events::default(),
            seen,
            placement: Placement::default(),
            quiet: 0,
            unblocked: 0,
            suspects: false,
            flow: Flow::default(),
            checked: Time::now(),
            // A session that begins before the first wait ends that at once.
            beat: None,
            ending: (0, ENDING_MIN),
            watchdog: Watchdog::new(manager, log),
            desk,
        })
    }

    /// Works until there is nothing left to supervise.
    pub(super) fn run(mut self) {
        let control = self.run.service.lifecycle.control;
        self.watchdog.ready();
        self.wait_until(None, |_| control.level() > Level::Run);
        self.stop();
    }

    /// Supervises until a condition holds; `false` if the time is over before.
    fn wait_until(
        &mut self,
        deadline: Option<Instant>,
        mut done: impl FnMut(&Run<F>) -> bool,
    ) -> bool {
        while !done(&self.run) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return false;
            }
            self.wait(left);
            self.look();
        }
        true
    }

    /// Waits for the next look, or for news.
    fn wait(&mut self, left: Option<Duration>) {
        let (watchdog, desk) = (self.watchdog.keep_alive(), self.attend());
        let timeout = self.tick().unwrap_or_else(|| self.timeout([left, watchdog, desk]));
        if let Err(error) = self.poller.wait(&mut self.events, &Timeout::new(Some(timeout))) {
            let lost = (!self.poller.is_intact()).then_some(Lost::Supervisor);
            self.run.service.lifecycle.cannot_wait(&error, lost);
        }
        if self.events.ready().any(|ready| ready.key() == WAKER_KEY) {
            if let Some(waker) = self.run.service.lifecycle.control.waker() {
                waker.clear();
            }
        }
        self.run.parked.unpark();
        self.beat = self.run.service.lifecycle.keep_time();
    }

    /// The time until the next look while there are turns; nothing else needs one much earlier.
    fn tick(&self) -> Option<Duration> {
        if self.quiet >= QUIET_TICKS {
            self.run.parked.park();
            if !self.run.loops.iter().any(|l| l.turn.look().1) {
                return None;
            }
        }
        let soon = self.suspects || self.unblocked < UNBLOCKED_LOOKS;
        Some(if soon { TICK } else { TICK_UNBLOCKED })
    }

    /// The time until the next look else, given what others ask for.
    #[cold]
    fn timeout(&self, others: [Option<Duration>; 3]) -> Duration {
        let ending = (self.ending.0 > 0).then_some(self.ending.1);
        let short = self.run.pool.is_short() || self.run.has_vacancy();
        let retry = short.then_some(SHORT_OF_THREADS);
        let callbacks = self.run.service.callbacks.as_ref().and_then(|c| c.next_look());
        let callbacks = callbacks.map(|at| Time::now().until(at));
        let own = [retry, ending, self.beat, callbacks].into_iter().flatten();
        own.chain(others.into_iter().flatten()).fold(CHECK_IDLE, Duration::min)
    }

    /// Gives statistics to those who ask for them; how long until it is to be looked again.
    fn attend(&mut self) -> Option<Duration> {
        let desk = self.desk.as_mut()?;
        let keys = self.events.ready().map(Ready::key).filter(|key| *key >= desk::FIRST_KEY);
        desk.attend(&self.poller, keys, &mut |path, out| page(&self.run, path, out));
        desk.patience()
    }

    /// Looks at each loop, and passes on those whose thread is blocked.
    fn look(&mut self) {
        let (before, pause) = self.ending;
        let ending = self.run.pool.join_ended();
        let pause = if ending > before { ENDING_MIN } else { (pause * 2).min(ENDING_MAX) };
        self.ending = (ending, pause);
        self.run.reinforce();
        self.unblocked = self.unblocked.saturating_add(1);
        if let Some(callbacks) = &self.run.service.callbacks {
            callbacks.look();
        }
        let mut busy = false;
        self.suspects = false;
        for (index, event_loop) in self.run.loops.iter().enumerate() {
            let (turn, in_turn) = event_loop.turn.look();
            let Some(seen) = self.seen.get_mut(index) else { continue };
            let (before, looks) = *seen;
            busy |= in_turn || before != turn;
            let looks = if before == turn { looks + 1 } else { 0 };
            *seen = (turn, looks);
            if !in_turn || looks == 0 {
                continue;
            }
            if looks < BUSY_LOOKS && event_loop.owner.could_run() {
                self.suspects = true;
                continue;
            }
            if event_loop.turn.end(turn) {
                self.unblocked = 0;
                let detach = |output: &_| self.run.service.lifecycle.detach(output);
                if let Some(output) = event_loop.let_go(detach) {
                    output.hold_no_more();
                    // If it waits for its MTA, that tells nothing of others.
                    let slow = output.callback().filter(|_| !output.is_awaited());
                    if let Some(command) = slow {
                        self.run.service.estimates.blocked(command);
                    }
                }
            }
        }
        self.placement.look(&self.run);
        self.flow.note(self.run.service.lifecycle.served());
        self.quiet = if busy { 0 } else { self.quiet.saturating_add(1) };
        self.check();
    }

    /// Looks whether the filter has closed descriptors of the run: when it has fallen quiet, since a
    /// callback may have, and else once in a while.
    fn check(&mut self) {
        let interval = if self.quiet > QUIET_TICKS { CHECK_IDLE } else { CHECK_BUSY };
        let now = Time::now();
        if self.quiet != QUIET_TICKS && self.checked.until(now) < interval {
            return;
        }
        self.checked = now;
        if let Some(desk) = &mut self.desk {
            desk.check();
        }
        let lost = self.run.find_lost();
        if let Some(lost) = lost.or((!self.poller.is_intact()).then_some(Lost::Supervisor)) {
            self.run.service.lifecycle.lose(lost);
        }
    }
}
