//! How long the milter took, stage by stage.

use std::time::{Duration, Instant};

use crate::text::duration;

/// Time spent waiting for replies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    /// Name of the command, how many there were, and the time for all of them, in their order.
    pub(crate) stages: Vec<(&'static str, usize, Duration)>,
    /// Command that waits for its reply, and since when.
    waiting: Option<(&'static str, Instant)>,
}

impl Times {
    /// A command goes out.
    pub(super) fn sent(&mut self, command: &'static str) {
        self.waiting = Some((command, Instant::now()));
        match self.stages.iter_mut().find(|(known, ..)| *known == command) {
            Some((_, count, _)) => *count += 1,
            None => self.stages.push((command, 1, Duration::ZERO)),
        }
    }

    /// A reply has come; gives the time since the command or the reply before.
    pub(super) fn received(&mut self) -> Duration {
        let Some((command, since)) = &mut self.waiting else {
            return Duration::ZERO;
        };
        let now = Instant::now();
        let took = now - std::mem::replace(since, now);
        if let Some((_, _, sum)) = self.stages.iter_mut().find(|(known, ..)| known == command) {
            *sum += took;
        }
        took
    }

    /// All of it.
    pub(crate) fn total(&self) -> Duration {
        self.stages.iter().map(|(_, _, sum)| *sum).sum()
    }

    /// Adds those of another session.
    pub(crate) fn add(&mut self, other: &Times) {
        for (command, count, sum) in &other.stages {
            match self.stages.iter_mut().find(|(known, ..)| known == command) {
                Some(stage) => {
                    stage.1 += count;
                    stage.2 += *sum;
                }
                None => self.stages.push((command, *count, *sum)),
            }
        }
    }

    /// In words: in all, and by stage; of several commands of a kind also how many they were.
    pub(crate) fn in_words(&self) -> String {
        let replied = self.stages.iter().filter(|(_, _, sum)| !sum.is_zero());
        let stages: Vec<String> = replied
            .map(|(command, count, sum)| match count {
                1 => format!("{command} {}", duration(*sum)),
                _ => format!("{command} {} ({count})", duration(*sum)),
            })
            .collect();
        format!("{} in all: {}", duration(self.total()), stages.join(", "))
    }
}
