//! Who is in the pool: counts of threads and of the work that waits for them.

use std::collections::BTreeMap;

use crate::sys::thread::Thread;

/// The threads of a pool.
#[derive(Debug, Default)]
pub(super) struct Crew {
    /// Threads that exist, or are just being started.
    pub(super) live: usize,
    /// Threads that wait for work, or will when they have been started.
    pub(super) idle: usize,
    /// Work that no thread has taken yet.
    pub(super) queued: usize,
    next: u64,
    threads: BTreeMap<u64, Thread>,
    /// Threads that have nothing left to do but end.
    leaving: Vec<u64>,
    /// A thread could not be started, and none since.
    failing: bool,
    /// All threads are to leave; what is queued is for that.
    pub(super) dismissed: bool,
}

impl Crew {
    /// Whether a thread waits that no queued work counts on.
    pub(super) fn has_free(&self) -> bool {
        self.idle > self.queued
    }

    /// Whether work is queued that no thread is free for.
    pub(super) fn is_short(&self) -> bool {
        self.queued > self.idle
    }

    /// Counts a thread in that is about to be started and will wait for work; its number, unless
    /// there are `limit` threads already.
    pub(super) fn enlist(&mut self, limit: usize) -> Option<u64> {
        if self.live >= limit {
            return None;
        }
        self.live += 1;
        self.idle += 1;
        self.next += 1;
        Some(self.next)
    }

    /// As [`Crew::enlist`], if there is queued work that no thread is free for.
    pub(super) fn enlist_for_queue(&mut self, limit: usize) -> Option<u64> {
        let wanted = self.is_short() && !self.dismissed;
        wanted.then(|| self.enlist(limit)).flatten()
    }

    /// Takes in the handle of a thread that was enlisted and started.
    pub(super) fn started(&mut self, number: u64, thread: Thread) {
        self.failing = false;
        self.threads.insert(number, thread);
    }

    /// Counts a thread out that was enlisted but could not be started; whether that is the first one
    /// since a thread was started.
    pub(super) fn not_started(&mut self) -> bool {
        self.live -= 1;
        self.idle -= 1;
        !std::mem::replace(&mut self.failing, true)
    }

    /// Counts a thread out that does not wait for work and has nothing left to do but end.
    pub(super) fn retire(&mut self, number: u64) {
        self.live -= 1;
        self.leaving.push(number);
    }

    /// Threads that have nothing left to do but end, and were not taken out.
    pub(super) fn leaving(&self) -> usize {
        self.leaving.len()
    }

    /// Takes out the threads that have nothing left to do but end, to be joined.
    pub(super) fn take_leaving(&mut self) -> Vec<Thread> {
        let Crew { leaving, threads, .. } = self;
        let mut ended = Vec::new();
        leaving.retain(|number| match threads.remove(number) {
            Some(thread) => {
                ended.push(thread);
                false
            }
            // The thread that started it has not entered its handle yet.
            None => true,
        });
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::thread::spawn;

    #[test]
    fn there_are_as_many_threads_as_work_needs_up_to_the_limit() {
        let mut crew = Crew::default();
        assert!(!crew.has_free() && !crew.is_short());
        let one = crew.enlist(2).unwrap();
        assert!(crew.has_free(), "a thread that is being started will wait for work");
        crew.queued += 1;
        assert!(!crew.has_free() && !crew.is_short());
        crew.queued += 1;
        assert!(crew.is_short());
        assert_ne!(crew.enlist(2), Some(one));
        assert_eq!(crew.enlist(2), None);
        assert!(!crew.is_short());
    }

    #[test]
    fn a_failure_is_told_once_until_a_thread_was_started() {
        let mut crew = Crew::default();
        let fail = |crew: &mut Crew| {
            crew.enlist(9).unwrap();
            crew.not_started()
        };
        assert!(fail(&mut crew) && !fail(&mut crew));
        let number = crew.enlist(9).unwrap();
        crew.started(number, spawn("test", || {}).unwrap());
        assert!(fail(&mut crew));
        assert_eq!((crew.live, crew.idle), (1, 1));
    }

    #[test]
    fn a_thread_that_ends_before_its_handle_is_there_is_joined_later() {
        let mut crew = Crew::default();
        let number = crew.enlist(1).unwrap();
        crew.idle -= 1;
        crew.retire(number);
        assert_eq!(crew.live, 0);
        assert!(crew.take_leaving().is_empty());
        assert_eq!(crew.leaving(), 1, "it is waited for all the same");
        crew.started(number, spawn("test", || {}).unwrap());
        let ended = crew.take_leaving();
        assert_eq!((ended.len(), crew.leaving(), crew.take_leaving().len()), (1, 0, 0));
        ended.into_iter().for_each(Thread::join);
    }
}
