//! Lines of the conversation: columns, breaks and colours.

use milter_mta::wire::text::in_one_line;

use crate::paint::{Paint, paint};

/// Column where details begin.
pub(crate) const DETAIL: usize = 13;

/// Column where a short reply goes on the line of its command.
const REPLY: usize = 56;

/// Longest line that is made of words, in columns: that of a usual terminal.
pub(crate) const WIDTH: usize = 80;

/// A reply in its colour, line by line: what it does to the message stands at its beginning.
fn painted(reply: &str, shown: &str) -> String {
    let kind = match reply.split([' ', ',']).next().unwrap_or_default() {
        "continue" | "accept" => Paint::Good,
        "reject" | "tempfail" | "discard" | "shutdown" | "connection" => Paint::Bad,
        "(none" | "skip" | "progress" | "version" => Paint::Aside,
        code if code.starts_with(['4', '5']) => Paint::Bad,
        _ => Paint::Change,
    };
    line_by_line(kind, shown)
}

fn line_by_line(kind: Paint, text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| paint(kind, line)).collect();
    lines.join("\n")
}

/// A line of the library's log, which begins with its priority, in the colour of that.
pub(super) fn logged(line: &str) -> String {
    let kind = match line.split(':').next().unwrap_or_default() {
        "err" => Paint::Bad,
        "warning" => Paint::Change,
        _ => Paint::Aside,
    };
    line_by_line(kind, &laid_out(line, "  "))
}

/// Text of several lines as it is, or of one that is broken between words if it is long.
///
/// Lines after the first begin at the column of details, and `further` to the right.
pub(crate) fn laid_out(text: &str, further: &str) -> String {
    if !text.contains('\n') {
        return wrapped(&in_one_line(text), further);
    }
    text.replace('\n', &format!("\n{:DETAIL$}{further}", ""))
}

/// A command with its replies, each of them on one line and on as many as it has.
pub(crate) fn one_command(name: &str, text: &str, replies: &[(String, String)]) -> String {
    let text = laid_out(text, "");
    let (mut out, mut column) = command(name, &text);
    for (text, lines) in replies {
        out += &reply(column, text, lines);
        column = 0;
    }
    if column > 0 { out + "\n" } else { out }
}

/// A command without the end of its line, and the column where that is.
pub(super) fn command(name: &str, text: &str) -> (String, usize) {
    let line = format!("  {name:<10} {text}");
    let last = line.trim_end().rsplit('\n').next().unwrap_or_default();
    let line = format!("  {} {text}", paint(Paint::Name, &format!("{name:<10}")));
    (line.trim_end().to_owned(), last.chars().count())
}

/// A reply, on the line of its command if both are short enough; that ends at `column`, or is
/// complete if it is 0.
pub(super) fn reply(column: usize, text: &str, lines: &str) -> String {
    let short = text.chars().count() + REPLY + 3 <= WIDTH && !lines.contains('\n');
    if (1..REPLY).contains(&column) && short {
        let gap = REPLY - column;
        return format!("{:gap$}-> {}\n", "", painted(text, text));
    }
    let end = if column > 0 { "\n" } else { "" };
    format!("{end}{:DETAIL$}-> {}\n", "", painted(text, &laid_out(lines, "   ")))
}

/// Breaks long text between words; later lines are indented further.
pub(super) fn wrapped(text: &str, further: &str) -> String {
    fit(text.split(' ').map(str::to_owned), " ", further)
}

/// Fits words into lines from the column of details on.
pub(super) fn fit(words: impl Iterator<Item = String>, gap: &str, further: &str) -> String {
    let mut out = String::new();
    let mut room = 0;
    for (number, word) in words.enumerate() {
        let width = word.chars().count();
        if number > 0 && room < gap.len() + width {
            out.push_str(&format!("\n{:DETAIL$}{further}", ""));
            room = WIDTH - DETAIL - further.len();
        } else if number > 0 {
            out.push_str(gap);
            room -= gap.len();
        } else {
            room = WIDTH - DETAIL - further.len();
        }
        out.push_str(&word);
        room = room.saturating_sub(width);
    }
    out
}
