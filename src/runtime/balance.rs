//! Which loop a session is placed in.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::tenure::Tenure;

/// Places sessions in turn, unless a loop has more of them than the others, or there is only this one.
///
/// How many sessions a loop has tells little of its load where most of them wait, or are over soon; in turn
/// alone would not see that those of one loop stay. Of six rules compared this one was level under each load;
/// see docs/architecture.md.
#[derive(Debug, Default)]
pub(super) struct Balance {
    placed: AtomicUsize,
}

impl Balance {
    /// Chooses one of the loops, by number: what is known of their threads, and how many sessions they have.
    /// `None` if there is none that has a thread or may get one.
    ///
    /// `home` is the one that the session comes from. It keeps it if it has no other: another one would only
    /// have to be woken.
    pub(super) fn choose(
        &self,
        loops: impl ExactSizeIterator<Item = (Tenure, usize)> + Clone,
        home: usize,
    ) -> Option<usize> {
        if loops.clone().nth(home) == Some((Tenure::Owned, 0)) {
            return Some(home);
        }
        // Relaxed: two that come at once may well be placed alike.
        let placed = self.placed.fetch_add(1, Ordering::Relaxed);
        let count = loops.len();
        let open = loops.enumerate().filter(|(_, (tenure, _))| *tenure != Tenure::Parked);
        let fewest = open.clone().map(|(_, (_, sessions))| sessions).min()?;
        let room = fewest + fewest / 8 + 8;
        // 0 for the loop whose turn it is, then as they follow.
        let turn = |n: usize| (n + count - placed % count) % count;
        let best = open.min_by_key(|(n, (tenure, sessions))| (*tenure, *sessions > room, turn(*n)));
        best.map(|(n, _)| n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Tenure::{Owned, Parked, Promised, Vacant};

    /// Choices from a home that has sessions.
    fn chosen(loops: &[(Tenure, usize)], times: usize) -> Vec<Option<usize>> {
        let balance = Balance::default();
        (0..times).map(|_| balance.choose(loops.iter().copied(), usize::MAX)).collect()
    }

    #[test]
    fn loops_have_their_turns() {
        let even = [(Owned, 5), (Owned, 12), (Owned, 0)];
        assert_eq!(chosen(&even, 5), [Some(0), Some(2), Some(2), Some(0), Some(2)]);
        let even = [(Owned, 5), (Owned, 8), (Owned, 0)];
        assert_eq!(chosen(&even, 5), [Some(0), Some(1), Some(2), Some(0), Some(1)]);
        let many = [(Owned, 1_000), (Owned, 1_133)];
        assert_eq!(chosen(&many, 3), [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn a_loop_without_sessions_keeps_what_it_accepts() {
        let balance = Balance::default();
        let choose = |loops: [(Tenure, usize); 2], home| {
            let choices = [(); 3].map(|()| balance.choose(loops.into_iter(), home));
            choices.map(Option::unwrap)
        };
        assert_eq!(choose([(Owned, 0), (Owned, 0)], 1), [1, 1, 1]);
        assert_eq!(choose([(Owned, 0), (Owned, 5)], 0), [0, 0, 0]);
        assert_eq!(choose([(Owned, 1), (Owned, 0)], 0), [0, 1, 0]);
        assert_eq!(choose([(Parked, 0), (Owned, 5)], 0), [1, 1, 1]);
        assert_eq!(choose([(Vacant, 0), (Owned, 5)], 0), [1, 1, 1]);
    }

    #[test]
    fn a_loop_that_has_more_is_passed_over() {
        let many = [(Owned, 1_134), (Owned, 1_000)];
        assert_eq!(chosen(&many, 3), [Some(1), Some(1), Some(1)]);
        // All but the one with fewest.
        let many = [(Owned, 20), (Owned, 9), (Owned, 0)];
        assert_eq!(chosen(&many, 3), [Some(2), Some(2), Some(2)]);
    }

    #[test]
    fn a_loop_with_a_thread_comes_first() {
        assert_eq!(chosen(&[(Vacant, 0), (Owned, 90)], 2), [Some(1), Some(1)]);
        assert_eq!(chosen(&[(Vacant, 0), (Promised, 90)], 2), [Some(1), Some(1)]);
        // Nor do the sessions of one that is parked count, which has none.
        let parked = [(Parked, 0), (Owned, 50), (Owned, 52)];
        assert_eq!(chosen(&parked, 3), [Some(1), Some(1), Some(2)]);
        assert_eq!(chosen(&[(Parked, 0)], 1), [None]);
    }
}
