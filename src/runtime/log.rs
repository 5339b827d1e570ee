//! Log lines: the filter's name in front, and no floods.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::news::{News, Untold};
use crate::proto::printable::quote;
use crate::session::{Mistake, Report, Severity};
use crate::sys::clock::Time;
use crate::sys::jitter::Mutex;
use crate::sys::log::{Priority, is_chosen, write};

/// Length of the window that log lines are counted in.
const WINDOW: Duration = Duration::from_secs(10);
/// Lines in one window, at most.
const LINES_PER_WINDOW: u32 = 200;

/// What sessions report: peers can cause it, as often as they like.
static REPORTS: Mutex<Window> = Mutex::new(Window::new());
/// All else. Nothing of it comes often by itself, but a filter that calls something wrongly for each
/// message, or a network that refuses an option for each connection, can make a flood of it.
static LINES: Mutex<Window> = Mutex::new(Window::new());

/// What filters do wrong, by kind: a line a minute, as they may always have done it and whoever reads the
/// system log can do nothing about it. Who has said where lines go reads them all.
static MISTAKES: Mutex<[News; Mistake::KINDS]> =
    Mutex::new([const { News::new() }; Mistake::KINDS]);

/// What a negotiation that fails means, likewise: that it has failed is told each time.
static MEANINGS: Mutex<News> = Mutex::new(News::new());

/// Lines that were left out in the life of the process, for whatever reason.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// How many lines were left out in the life of the process.
pub(super) fn left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

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
            LEFT_OUT.fetch_add(1, Ordering::Relaxed);
        }
        (admitted, left_out)
    }
}

/// Looks at what is locked; `None` in a process forked while it was: the lock is never free again, and
/// lines do without it.
fn with_lock<T, U>(lock: &Mutex<T>, look: impl FnOnce(&mut T) -> U) -> Option<U> {
    for _ in 0..100 {
        if let Some(mut locked) = lock.try_lock() {
            return Some(look(&mut locked));
        }
        std::thread::yield_now();
    }
    None
}

/// Whether a line may be written now, and how many were left out before it.
fn admit(window: &Mutex<Window>) -> (bool, u64) {
    with_lock(window, |window| window.admit(Instant::now())).unwrap_or((true, 0))
}

/// Whether a report is told that is not told each time, and how many of its kind were not since the last one.
fn admit_report(report: &Report<'_>) -> Option<u64> {
    let kind = match report {
        Report::Mistake(mistake, _) => Some(mistake.kind()?),
        Report::Unsuited(_) => None,
        _ => return Some(0),
    };
    if is_chosen() {
        return Some(0);
    }
    let now = Time::now();
    let admitted = match kind {
        Some(kind) => with_lock(&MISTAKES, |kinds| kinds.get_mut(kind)?.admit(now)),
        None => with_lock(&MEANINGS, |news| news.admit(now)),
    };
    let admitted = admitted.map_or(Some(0), |admitted| admitted.map(|Untold(more)| more));
    if admitted.is_none() {
        LEFT_OUT.fetch_add(1, Ordering::Relaxed);
    }
    admitted
}

impl Log {
    /// The log of a filter.
    #[must_use]
    pub fn new(name: &[u8]) -> Log {
        Log { name: quote(name) }
    }

    /// The filter's name.
    pub(super) fn name(&self) -> &str {
        &self.name
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
        let count =
            |kinds: &mut [News; Mistake::KINDS]| kinds.iter_mut().map(News::take_untold).sum();
        let mistakes: u64 = with_lock(&MISTAKES, count).unwrap_or_default();
        if mistakes > 0 {
            let text = format!("{mistakes} more mistakes of the filter were not logged");
            write(Priority::Info, &format!("{}: {text}", self.name));
        }
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
        let Some(more) = admit_report(report) else { return };
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
        let mut line = format!("{}{mark} {}", self.name, report.text(session));
        if more > 0 {
            line.push_str(&format!(" ({more} more of the kind since the last line)"));
        }
        write(priority, &line);
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
