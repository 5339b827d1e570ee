//! Log lines: the filter's name in front, and no floods.

use std::time::{Duration, Instant};

use crate::proto::printable::quote;
use crate::session::{Report, Severity};
use crate::sys::jitter::Mutex;
use crate::sys::log::{Priority, write};

/// Length of the window that log lines are counted in.
const WINDOW: Duration = Duration::from_secs(10);
/// Lines in one window, at most.
const LINES_PER_WINDOW: u32 = 200;

/// What sessions report: peers can cause it, as often as they like.
static REPORTS: Mutex<Window> = Mutex::new(Window::new());
/// All else. Nothing of it comes often by itself, but a filter that calls something wrongly for each
/// message, or a network that refuses an option for each connection, can make a flood of it.
static LINES: Mutex<Window> = Mutex::new(Window::new());

/// The system log, seen by one filter.
#[derive(Debug)]
pub struct Log {
    name: String,
}

#[derive(Debug)]
struct Window {
    start: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

impl Window {
    const fn new() -> Window {
        Window { start: None, lines: 0, suppressed: 0 }
    }

    /// Whether a line may be written now, and how many were left out before it.
    fn admit(&mut self, now: Instant) -> (bool, u64) {
        let mut left_out = 0;
        if self.start.is_none_or(|start| now.saturating_duration_since(start) >= WINDOW) {
            left_out = self.suppressed;
            *self = Window { start: Some(now), ..Window::new() };
        }
        self.lines += 1;
        let admitted = self.lines <= LINES_PER_WINDOW;
        if !admitted {
            self.suppressed += 1;
        }
        (admitted, left_out)
    }
}

/// Whether a line may be written now, and how many were left out before it.
///
/// In a process forked in the middle of this the lock is never free again: lines do without it.
fn admit(window: &Mutex<Window>) -> (bool, u64) {
    for _ in 0..100 {
        if let Some(mut window) = window.try_lock() {
            return window.admit(Instant::now());
        }
        std::thread::yield_now();
    }
    (true, 0)
}

impl Log {
    /// The log of a filter.
    #[must_use]
    pub fn new(name: &[u8]) -> Log {
        Log { name: quote(name) }
    }

    /// Whether one more line may be written; tells how many could not.
    fn admits(&self, window: &Mutex<Window>) -> bool {
        let (admitted, left_out) = admit(window);
        self.left_out(left_out);
        admitted
    }

    fn left_out(&self, lines: u64) {
        if lines > 0 {
            let text = format!("{}: {lines} more messages were suppressed", self.name);
            write(Priority::Warning, &text);
        }
    }

    /// Tells how many lines have been left out, at the end of a run: there may be none after it.
    pub fn settle(&self) {
        for window in [&REPORTS, &LINES] {
            let left_out =
                window.try_lock().map(|mut window| std::mem::take(&mut window.suppressed));
            self.left_out(left_out.unwrap_or_default());
        }
    }

    /// Writes a line, with the filter's name in front, unless there were too many lately.
    pub fn line(&self, priority: Priority, text: &str) {
        if self.admits(&LINES) {
            write(priority, &format!("{}: {text}", self.name));
        }
    }

    /// Writes a line that says something about the whole filter: "name=text".
    pub fn status(&self, priority: Priority, text: &str) {
        if self.admits(&LINES) {
            write(priority, &format!("{}={text}", self.name));
        }
    }

    /// Writes what a session reports, unless peers have caused too many lines lately.
    pub fn report(&self, session: u64, report: &Report<'_>) {
        if !self.admits(&REPORTS) {
            return;
        }
        let priority = match report.severity() {
            Severity::Error => Priority::Error,
            Severity::Warning => Priority::Warning,
            Severity::Info => Priority::Info,
        };
        // The one line in which the reference puts a comma behind the name.
        let mark = if matches!(report, Report::Read(_)) { "," } else { ":" };
        write(priority, &format!("{}{mark} {}", self.name, report.text(session)));
    }
}

/// Writes what has panicked, unless there was too much of it lately; its session reports it as well.
pub fn panicked(text: &str) {
    if admit(&LINES).0 {
        write(Priority::Error, &format!("libmilter: internal error: {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_cut_and_counted() {
        let mut window = Window::new();
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
