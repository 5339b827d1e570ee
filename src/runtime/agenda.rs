//! What is to be done about a callback, and when.

use std::time::Duration;

use super::patience::Patience;
use crate::session::Due;

/// What is to be done next about a callback, by how long it has run then.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Agenda {
    warn: Option<Duration>,
    progress: Option<Duration>,
    limit: Option<Duration>,
}

/// What is to be done about a callback now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Todo {
    pub(super) warn: bool,
    pub(super) progress: bool,
    pub(super) limit: bool,
}

impl Agenda {
    /// For a callback that begins.
    pub(super) fn new(patience: &Patience, due: Due) -> Agenda {
        Agenda {
            warn: patience.warn,
            progress: patience.progress.filter(|_| due == Due::Verdict),
            limit: patience.limit.filter(|_| due != Due::Nothing),
        }
    }

    /// How long it will have run when something is to be done.
    pub(super) fn next(&self) -> Option<Duration> {
        [self.warn, self.progress, self.limit].into_iter().flatten().min()
    }

    /// Takes what is to be done about a callback that has run for so long. While something is being sent to
    /// the MTA, which is a sign of life, a limit waits.
    pub(super) fn take(&mut self, patience: &Patience, took: Duration, sending: bool) -> Todo {
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= took);
        let todo = Todo {
            warn: is_due(self.warn),
            progress: is_due(self.progress) && !sending && !is_due(self.limit),
            limit: is_due(self.limit) && !sending,
        };
        while is_due(self.warn) {
            self.warn = self.warn.and_then(|at| at.checked_mul(2));
        }
        if is_due(self.progress) {
            self.progress = patience.progress.and_then(|pause| took.checked_add(pause));
        }
        if todo.limit {
            (self.progress, self.limit) = (None, None);
        }
        todo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Todo = Todo { warn: false, progress: false, limit: false };
    const WARN: Todo = Todo { warn: true, ..NOTHING };
    const PROGRESS: Todo = Todo { progress: true, ..NOTHING };
    const LIMIT: Todo = Todo { limit: true, ..NOTHING };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn patience(warn: u64, progress: u64, limit: u64) -> Patience {
        let [warn, progress, limit] = [warn, progress, limit].map(|n| (n > 0).then(|| seconds(n)));
        Patience { warn, progress, limit }
    }

    /// What is done when, if it is looked at that often.
    fn done(patience: Patience, due: Due, looks: impl Iterator<Item = u64>) -> Vec<(u64, Todo)> {
        let mut agenda = Agenda::new(&patience, due);
        let all = looks.map(|at| (at, agenda.take(&patience, seconds(at), false)));
        all.filter(|(_, todo)| *todo != NOTHING).collect()
    }

    #[test]
    fn warnings_come_at_growing_intervals() {
        let done = done(patience(3, 0, 0), Due::Nothing, 1..50);
        assert_eq!(done, [3, 6, 12, 24, 48].map(|at| (at, WARN)));
    }

    /// Whoever comes late warns once.
    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let warned = done(patience(3, 0, 0), Due::Reply, [20, 23, 24].into_iter());
        assert_eq!(warned, [(20, WARN), (24, WARN)]);
        let told = done(patience(0, 3, 0), Due::Verdict, [20, 22, 23].into_iter());
        assert_eq!(told, [(20, PROGRESS), (23, PROGRESS)]);
    }

    #[test]
    fn the_mta_hears_of_progress_until_it_is_answered() {
        let looks = || 1..60;
        let expected = [(10, PROGRESS), (20, PROGRESS), (25, LIMIT)];
        assert_eq!(done(patience(0, 10, 25), Due::Verdict, looks()), expected);
        assert_eq!(done(patience(0, 10, 25), Due::Reply, looks()), [(25, LIMIT)]);
        assert_eq!(done(patience(0, 10, 25), Due::Silence, looks()), [(25, LIMIT)]);
        assert_eq!(done(patience(0, 10, 25), Due::Nothing, looks()), []);
    }

    #[test]
    fn a_limit_waits_while_something_is_sent() {
        let patience = patience(0, 2, 3);
        let mut agenda = Agenda::new(&patience, Due::Verdict);
        assert_eq!(agenda.take(&patience, seconds(5), true), NOTHING);
        assert_eq!(agenda.next(), Some(seconds(3)));
        assert_eq!(agenda.take(&patience, seconds(6), false), LIMIT);
        assert_eq!(agenda.next(), None);
    }
}
