//! Log lines: the filter's name in front, and no floods.

use std::time::{Duration, Instant};

use crate::proto::printable::quote;
use crate::session::{Report, Severity};
use crate::sys::jitter::Mutex;
use crate::sys::log::{Priority, write};

/// Length of the window that log lines caused by peers are counted in.
const WINDOW: Duration = Duration::from_secs(10);
/// Lines caused by peers in one window, at most.
const LINES_PER_WINDOW: u32 = 200;

/// The system log, seen by one filter.
#[derive(Debug)]
pub struct Log {
    name: String,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    start: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Window {
    /// Whether a line may be written now, and how many were left out before it.
    fn admit(&mut self, now: Instant) -> (bool, u64) {
        let mut left_out = 0;
        if self.start.is_none_or(|start| now.saturating_duration_since(start) >= WINDOW) {
            left_out = self.suppressed;
            *self = Window { start: Some(now), lines: 0, suppressed: 0 };
        }
        self.lines += 1;
        let admitted = self.lines <= LINES_PER_WINDOW;
        if !admitted {
            self.suppressed += 1;
        }
        (admitted, left_out)
    }
}

impl Log {
    /// The log of a filter.
    #[must_use]
    pub fn new(name: &[u8]) -> Log {
        Log { name: quote(name), window: Mutex::default() }
    }

    /// Writes a line, with the filter's name in front.
    pub fn line(&self, priority: Priority, text: &str) {
        write(priority, &format!("{}: {text}", self.name));
    }

    /// Writes a line that says something about the whole filter: "name=text".
    pub fn status(&self, priority: Priority, text: &str) {
        write(priority, &format!("{}={text}", self.name));
    }

    /// Writes what a session reports, unless peers have caused too many lines lately.
    pub fn report(&self, session: u64, report: &Report<'_>) {
        let (admitted, left_out) = self.window.lock().admit(Instant::now());
        if left_out > 0 {
            self.line(Priority::Warning, &format!("{left_out} more messages were suppressed"));
        }
        if !admitted {
            return;
        }
        let priority = match report.severity() {
            Severity::Error => Priority::Error,
            Severity::Warning => Priority::Warning,
            Severity::Info => Priority::Info,
        };
        match report {
            // The one line in which the reference puts a comma behind the name.
            Report::Read(_) => write(priority, &format!("{}, {}", self.name, report.text(session))),
            _ => self.line(priority, &report.text(session)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_cut_and_counted() {
        let mut window = Window::default();
        let start = Instant::now();
        for _ in 0..LINES_PER_WINDOW {
            assert_eq!(window.admit(start), (true, 0));
        }
        assert_eq!(window.admit(start), (false, 0));
        assert_eq!(window.admit(start), (false, 0));
        assert_eq!(window.admit(start + WINDOW), (true, 2));
        assert_eq!(window.admit(start + WINDOW), (true, 0));
    }
}
