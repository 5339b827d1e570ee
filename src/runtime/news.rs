//! Log lines that would tell the same again and again: one a minute.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

use crate::sys::clock::Time;

/// Time between two such lines.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many lines were left out before one, to be written at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Untold(pub(super) u64);

impl Display for Untold {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            0 => Ok(()),
            cases => write!(f, "; {cases} more such cases since the last line"),
        }
    }
}

/// Lines of one kind.
#[derive(Debug)]
pub(super) struct News {
    after: Option<Time>,
    /// Since the last one.
    untold: u64,
}

impl Default for News {
    fn default() -> News {
        News::new()
    }
}

impl News {
    pub(super) const fn new() -> News {
        News { after: None, untold: 0 }
    }

    /// Takes how many lines there would have been since the last one.
    pub(super) fn take_untold(&mut self) -> u64 {
        std::mem::take(&mut self.untold)
    }

    /// Whether there is to be a line, and how many there would have been since the last one.
    pub(super) fn admit(&mut self, now: Time) -> Option<Untold> {
        if self.after.is_some_and(|after| now < after) {
            self.untold += 1;
            return None;
        }
        self.after = now.after(INTERVAL);
        Some(Untold(self.take_untold()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute_tells_how_many_there_would_have_been() {
        let (mut news, start) = (News::default(), Time::now());
        assert_eq!(news.admit(start), Some(Untold(0)));
        assert_eq!([news.admit(start), news.admit(start)], [None, None]);
        let later = start.after(INTERVAL).unwrap();
        assert_eq!([news.admit(later), news.admit(later)], [Some(Untold(2)), None]);
        assert_eq!(
            [Untold(0), Untold(2)].map(|untold| untold.to_string()),
            ["", "; 2 more such cases since the last line"]
        );
    }
}
