//! Shows the statistics of a running filter, once a second.

mod frame;
mod page;
mod socket;

use std::io::IsTerminal;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use frame::{Moment, frame};
use page::Page;
use socket::Place;

use crate::output::put;
use crate::status::Failure;

/// Time between two frames.
const PAUSE: Duration = Duration::from_secs(1);
/// Columns that a frame has at most.
const COLUMNS: usize = 80;
/// Rows of a terminal that does not tell.
const ROWS: usize = 24;

/// What is to be watched.
#[derive(Debug)]
pub(crate) struct Watch {
    place: Place,
    /// Frames; by default one, or on a terminal until interrupted.
    count: Option<usize>,
}

impl Watch {
    pub(crate) fn new(place: &std::ffi::OsStr, count: Option<usize>) -> Result<Watch, Failure> {
        Ok(Watch { place: Place::parse(place)?, count })
    }
}

/// Rows and columns of the terminal that frames replace each other on, if there is one.
fn screen() -> Option<(usize, usize)> {
    let out = std::io::stdout();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if dumb || !out.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&out).ok();
    let size = size.map(|size| (usize::from(size.ws_row), usize::from(size.ws_col)));
    let (rows, columns) = size.unwrap_or_default();
    let or = |given: usize, usual| if given == 0 { usual } else { given };
    Some((or(rows, ROWS), or(columns, COLUMNS).min(COLUMNS)))
}

/// Shows frames until there have been enough.
pub(crate) fn watch(watch: &Watch) -> Result<u8, Failure> {
    let mut screen = screen();
    let mut left = watch.count.or(screen.is_none().then_some(1));
    let mut before: Option<(Page, Instant)> = None;
    if screen.is_some() {
        put("\x1b[2J");
    }
    loop {
        let now = Instant::now();
        let text = match watch.place.look() {
            Ok((page, callbacks)) => {
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                // What a filter has counted that was started anew is not more than before.
                let same = before.take().filter(|(last, _)| last.start() == page.start());
                let moment = Moment {
                    page: &page,
                    before: same.as_ref().map(|(last, at)| (last, now.duration_since(*at))),
                    callbacks: &callbacks,
                    unix: unix.as_secs_f64(),
                };
                let text = frame(&moment);
                before = Some((page, now));
                text
            }
            // On a terminal somebody may be waiting for it to come again.
            Err(failure) if screen.is_some() && before.is_some() => {
                format!("{failure}\n\ntrying again once a second; Ctrl-C ends this\n")
            }
            Err(failure) => return Err(failure),
        };
        show(&text, screen, before.is_some());
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return Ok(0);
        }
        std::thread::sleep(PAUSE.saturating_sub(now.elapsed()));
        // It may have been made larger or smaller.
        screen = screen.and_then(|_| self::screen());
    }
}

/// Prints a frame, on a terminal in the place of the one before. Whenever this program is interrupted, the
/// terminal is as it was and the cursor below the frame.
fn show(text: &str, screen: Option<(usize, usize)>, more: bool) {
    let Some((rows, columns)) = screen else {
        put(&format!("{text}{}", if more { "\n" } else { "" }));
        return;
    };
    let mut out = "\x1b[H".to_owned();
    for line in text.lines().take(rows.saturating_sub(1)) {
        out.extend(line.chars().take(columns));
        // Nothing of a longer line that was there.
        out.push_str("\x1b[K\n");
    }
    out.push_str("\x1b[J");
    put(&out);
}
