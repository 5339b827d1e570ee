//! The thread that called `smfi_main`: takes loops from blocked threads, and stops the run.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::lost::{LOST_PAUSE, Lost};
use super::pool::Work;
use super::shared::{Phase, Shared};
use super::stop::Level;
use crate::session::Filter;
use crate::sys::log::Priority;
use crate::sys::poller::{Events, Poller, Timeout};
use crate::sys::thread::StateView;

/// Time between two looks at the loops. A turn seen in two looks is taken for blocked.
const TICK: Duration = Duration::from_millis(1);
/// Looks after which a turn is taken for blocked although its thread could run: it computes for
/// long, or the system has no processor for it. A new owner would hardly fare better.
const BUSY_LOOKS: u32 = 10;
/// Looks without any turn before the supervisor sleeps until one begins.
const QUIET_TICKS: u32 = 16;
/// Time between two looks whether the filter has closed descriptors of the run: while there is traffic,
/// and at most. The reference looked at its socket as often.
const CHECK_BUSY: Duration = Duration::from_secs(1);
const CHECK_IDLE: Duration = Duration::from_secs(5);
/// Time between two tries to start a thread for which there is work.
const SHORT_OF_THREADS: Duration = Duration::from_millis(100);
/// How long messages in hand may take to be finished after a stop. The reference returned within
/// 5 s, so that is what service managers are used to.
const GRACE: Duration = Duration::from_secs(5);
/// How long callbacks may take to return after that.
const LEAVE_BEHIND: Duration = Duration::from_secs(5);

/// Looks after the loops of a run.
pub(super) struct Supervisor<F> {
    shared: Arc<Shared<F>>,
    poller: Poller,
    events: Events,
    /// The turn each loop was in at the last look, and in how many looks before that.
    seen: Vec<(u64, u32)>,
    quiet: u32,
    /// When it has last looked whether descriptors are lost.
    checked: Instant,
}

impl<F: Filter + 'static> Supervisor<F> {
    pub(super) fn new(shared: Arc<Shared<F>>) -> io::Result<Supervisor<F>> {
        let poller = Poller::new()?;
        if let Some(waker) = shared.control.waker() {
            poller.add(waker, 0, false)?;
        }
        let seen = vec![(0, 0); shared.loops.len()];
        Ok(Supervisor {
            shared,
            poller,
            events: Events::default(),
            seen,
            quiet: 0,
            checked: Instant::now(),
        })
    }

    /// Works until there is nothing left to supervise.
    pub(super) fn run(mut self) {
        let control = self.shared.control;
        self.wait_until(None, |_| control.level() > Level::Run);
        let word = if control.level() == Level::Stop { "terminating" } else { "aborting" };
        if self.shared.options.debug > 0 {
            self.shared.log.status(Priority::Debug, word);
        }
        self.shared.close_listener();
        if control.level() == Level::Stop {
            self.drain();
        }
        self.shared.enter_phase(Phase::Abort);
        self.reclaim();
        self.wait_until(Some(LEAVE_BEHIND), |shared| shared.sessions() == 0);
        let left_behind = self.report_left_behind() + self.shared.unreachable().count();
        self.shared.enter_phase(Phase::Over);
        self.shared.pool.dismiss();
        // Threads stuck in a callback are not waited for. Others are, with sessions that were just
        // accepted or wait for a thread: they end without any callback.
        let ended = self.wait_until(Some(LEAVE_BEHIND), |s| s.pool.live() <= left_behind);
        if !ended {
            let threads = self.shared.pool.live();
            self.warn(&format!("{threads} threads have not ended and are left behind"));
        }
        self.shared.pool.join_leaving();
    }

    /// Lets messages in hand be finished, within the grace and unless asked to end at once.
    fn drain(&mut self) {
        let control = self.shared.control;
        self.shared.enter_phase(Phase::Drain);
        let drained = self.wait_until(Some(GRACE), |shared| {
            shared.sessions() == 0 || control.level() == Level::Abort
        });
        if !drained {
            let sessions = self.shared.sessions();
            self.warn(&format!(
                "{sessions} sessions are still open {} s after the stop; breaking off",
                GRACE.as_secs()
            ));
        }
    }

    /// Ends the sessions of loops whose owners wait and can't be woken to do it.
    fn reclaim(&self) {
        for event_loop in self.shared.unreachable() {
            while let Some(connection) = event_loop.reclaim(&self.shared) {
                self.shared.dispatch(Work::End(connection));
            }
        }
    }

    fn warn(&self, text: &str) {
        self.shared.log.line(Priority::Warning, text);
    }

    /// Logs callbacks that have not returned; how many that are, each with a thread.
    fn report_left_behind(&self) -> usize {
        let mut count = 0;
        for output in self.shared.detached().iter().filter(|output| !output.has_ended()) {
            let Some(callback) = output.callback() else { continue };
            let text = format!(
                "session {}: {} has not returned and is left behind; xxfi_close is not called",
                output.session,
                callback.callback_name()
            );
            self.shared.log.line(Priority::Error, &text);
            count += 1;
        }
        count
    }

    /// Supervises until a condition holds; `false` if the time is over before.
    fn wait_until(&mut self, limit: Option<Duration>, done: impl Fn(&Shared<F>) -> bool) -> bool {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        while !done(&self.shared) {
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
        let mut timeout = Some(TICK);
        if self.quiet >= QUIET_TICKS {
            // SeqCst: see `Turn::begin`.
            self.shared.supervisor_parked.store(true, Ordering::SeqCst);
            if !self.shared.loops.iter().any(|l| l.turn.look().1) {
                timeout = None;
            }
        }
        let retry = self.shared.pool.is_short().then_some(SHORT_OF_THREADS);
        let timeout = [timeout, left, retry].into_iter().flatten().min();
        let timeout = timeout.map_or(CHECK_IDLE, |timeout| timeout.min(CHECK_IDLE));
        if self.poller.wait(&mut self.events, &Timeout::new(Some(timeout))).is_err() {
            self.shared.lose(Lost::Supervisor);
            std::thread::sleep(LOST_PAUSE);
        }
        if self.events.keys().next().is_some() {
            if let Some(waker) = self.shared.control.waker() {
                waker.clear();
            }
        }
        self.shared.supervisor_parked.store(false, Ordering::Relaxed);
    }

    /// Looks at each loop, and passes on those whose thread is blocked.
    fn look(&mut self) {
        // Here and not on a loop's thread, since a thread that ends first runs what the filter has
        // registered for that.
        self.shared.pool.join_leaving();
        self.shared.reinforce();
        let mut busy = false;
        for (index, event_loop) in self.shared.loops.iter().enumerate() {
            let (turn, in_turn) = event_loop.turn.look();
            let Some(seen) = self.seen.get_mut(index) else { continue };
            let (before, looks) = *seen;
            busy |= in_turn || before != turn;
            let looks = if before == turn { looks + 1 } else { 0 };
            *seen = (turn, looks);
            if !in_turn || looks == 0 {
                continue;
            }
            let computes = || event_loop.owner.lock().as_ref().is_some_and(StateView::could_run);
            if looks < BUSY_LOOKS && computes() {
                continue;
            }
            if event_loop.turn.end(turn) {
                let detach = |output: &_| self.shared.detach(output);
                if let Some(output) = event_loop.let_go(detach) {
                    output.hold_no_more();
                    if let Some(command) = output.callback() {
                        self.shared.estimates.blocked(command);
                    }
                }
                self.shared.dispatch(Work::Loop(index));
            }
        }
        self.quiet = if busy { 0 } else { self.quiet.saturating_add(1) };
        self.check();
    }

    /// Looks whether the filter has closed descriptors of the run: when it has fallen quiet, since a
    /// callback may have, and else once in a while.
    fn check(&mut self) {
        let interval = if self.quiet > QUIET_TICKS { CHECK_IDLE } else { CHECK_BUSY };
        if self.quiet != QUIET_TICKS && self.checked.elapsed() < interval {
            return;
        }
        self.checked = Instant::now();
        let lost = self.shared.find_lost();
        if let Some(lost) = lost.or((!self.poller.is_intact()).then_some(Lost::Supervisor)) {
            self.shared.lose(lost);
        }
    }
}
