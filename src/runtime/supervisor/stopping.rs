//! How a run comes to its end, phase by phase.

use std::time::Instant;

use super::{ENDING_MIN, Supervisor};
use crate::runtime::accept::accept_rest;
use crate::runtime::lifecycle::Phase;
use crate::runtime::linger::LINGER;
use crate::runtime::pool::Employer;
use crate::runtime::run::Work;
use crate::runtime::stop::Level;
use crate::session::Filter;
use crate::sys::clock;
use crate::sys::log::Priority;

impl<F: Filter + 'static> Supervisor<F> {
    /// Ends what was asked to end, within its bounds.
    pub(super) fn stop(&mut self) {
        let control = self.run.service.lifecycle.control;
        // It looks often at first, as after a callback that has blocked.
        self.unblocked = 0;
        self.watchdog.stopping();
        if let Some(tally) = &self.run.service.tally {
            tally.stop();
        }
        let word = if control.level() == Level::Stop { "terminating" } else { "aborting" };
        if self.run.service.options.debug > 0 {
            self.run.service.log.status(Priority::Debug, word);
        }
        if control.level() == Level::Stop {
            accept_rest(&self.run);
        }
        self.run.entrance.close(&self.run.loops);
        let began = Instant::now();
        let options = &self.run.service.options;
        let [drain, callbacks, all] =
            [options.drain_limit(), options.callback_limit(), options.stop_limit];
        // A phase that begins late, as the process could not run for a while, has its share all the same.
        let deadline =
            |limit, share| Some(began.checked_add(limit)?.max(Instant::now().checked_add(share)?));
        if control.level() == Level::Stop {
            self.linger(began);
        }
        if control.level() == Level::Stop {
            self.drain(began, began.checked_add(drain));
        }
        self.run.enter_phase(Phase::Abort);
        self.reclaim();
        self.wait_until(deadline(callbacks, callbacks - drain), |run| {
            run.service.lifecycle.each_detached(|output| output.break_off());
            run.service.lifecycle.sessions() == 0
        });
        let left_behind = self.report_left_behind() + self.run.unreachable().count();
        self.run.enter_phase(Phase::Over);
        clock::beat(|| None);
        self.run.pool.dismiss();
        let all = deadline(all, all - callbacks);
        // Threads stuck in a callback are not waited for. Others are, with sessions that were just
        // accepted or wait for a thread: they end without any callback.
        self.wait_until(all, |s| s.pool.live() <= left_behind);
        let threads = self.run.pool.live().saturating_sub(left_behind);
        let mut ending = 0;
        // The last one has said so, and may take a moment: nothing else wakes this thread.
        self.ending = (1, ENDING_MIN);
        self.wait_until(all, |s| {
            ending = s.pool.join_ended();
            ending == 0
        });
        if threads + ending > 0 {
            let threads = threads + ending;
            self.warn(&format!("{threads} threads have not ended and are left behind"));
        }
    }

    /// Lets MTAs go on that are in the middle of a conversation, until none of them says anything more.
    fn linger(&mut self, began: Instant) {
        let control = self.run.service.lifecycle.control;
        self.run.enter_phase(Phase::Linger);
        let end = began + LINGER.min(self.run.service.options.drain_limit() / 2);
        self.flow.note(self.run.service.lifecycle.served());
        let mut quiet = self.flow.quiet(began);
        loop {
            let now = Instant::now();
            let over = self.wait_until(Some(end.min(now + quiet.time())), |run| {
                run.service.lifecycle.sessions() == 0 || control.level() == Level::Abort
            });
            let answers = self.run.service.lifecycle.answers();
            if over || quiet.is_over(answers) || Instant::now() >= end {
                return;
            }
        }
    }

    /// Lets messages in hand be finished, within the grace and unless asked to end at once.
    fn drain(&mut self, began: Instant, deadline: Option<Instant>) {
        let control = self.run.service.lifecycle.control;
        self.run.enter_phase(Phase::Drain);
        let drained = self.wait_until(deadline, |run| {
            run.service.lifecycle.sessions() == 0 || control.level() == Level::Abort
        });
        if !drained {
            let sessions = self.run.service.lifecycle.sessions();
            let after = began.elapsed().as_secs();
            self.warn(&format!(
                "{sessions} sessions are still open {after} s after the stop; breaking off"
            ));
        }
    }

    /// Ends the sessions of loops whose owners wait and can't be woken to do it.
    fn reclaim(&self) {
        for event_loop in self.run.unreachable() {
            while let Some(connection) = event_loop.reclaim(self.run.service.lifecycle.phase()) {
                self.run.dispatch(Work::End(connection));
            }
        }
    }

    fn warn(&self, text: &str) {
        self.run.service.log.line(Priority::Warning, text);
    }

    /// Logs callbacks that have not returned; how many that are, each with a thread.
    fn report_left_behind(&self) -> usize {
        let mut count = 0;
        let service = &self.run.service;
        service.lifecycle.each_detached(|output| {
            let Some(callback) = output.callback().filter(|_| !output.has_ended()) else { return };
            let text = format!(
                "session {}: {} has not returned and is left behind; xxfi_close is not called",
                output.session,
                callback.callback_name()
            );
            service.log.line(Priority::Error, &text);
            count += 1;
        });
        count
    }
}
