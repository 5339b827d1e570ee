//! Colour in the report, where it goes to a terminal.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

/// When there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// On a terminal that has colours, unless `NO_COLOR` is set.
    Auto,
    Always,
    Never,
}

/// What a piece of the report is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// A command, a label, a file's name in a diff.
    Name,
    /// What lets a message pass, an added line.
    Good,
    /// What changes a message.
    Change,
    /// What stops a message, a removed line.
    Bad,
    /// What one may skip.
    Aside,
}

/// Set once, before anything is printed.
static COLOUR: AtomicBool = AtomicBool::new(false);

/// Decides whether there is colour.
pub(crate) fn choose(when: When) {
    let colour = match when {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let empty = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
            let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
            std::io::stdout().is_terminal() && empty("NO_COLOR") && !dumb
        }
    };
    // Relaxed: the threads that print are started later.
    COLOUR.store(colour, Ordering::Relaxed);
}

/// The text in its colour, or as it is.
///
/// Blanks at the end are left out of it: some terminals underline them or give them a background.
pub(crate) fn paint(paint: Paint, text: &str) -> String {
    if !COLOUR.load(Ordering::Relaxed) || text.trim_end().is_empty() {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Name => "1",
        Paint::Good => "32",
        Paint::Change => "33",
        Paint::Bad => "31",
        Paint::Aside => "2",
    };
    let inked = text.trim_end();
    let blanks = &text[inked.len()..];
    format!("\x1b[{code}m{inked}\x1b[0m{blanks}")
}

/// A unified diff in colours.
pub(crate) fn diff(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let kind = match line.as_bytes() {
            [b'+', b'+', b'+', b' ', ..] | [b'-', b'-', b'-', b' ', ..] => Paint::Name,
            [b'@', b'@', ..] => Paint::Aside,
            [b'+', ..] => Paint::Good,
            [b'-', ..] => Paint::Bad,
            _ => {
                out.push_str(line);
                continue;
            }
        };
        out.push_str(&paint(kind, line));
    }
    out
}
