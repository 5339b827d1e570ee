//! The conversation: kept for JSON, printed as it goes for a person.

use std::io::{self, Write};

use milter_mta::session::{Event, Stage};
use milter_mta::wire::flags::{action, describe, protocol};
use milter_mta::wire::{Command, Origin, Reply};

use crate::paint::{Paint, paint};
use crate::text::one_line;

/// Column where details begin.
const DETAIL: usize = 13;

/// Column where a short reply goes on the line of its command.
const REPLY: usize = 62;

/// Longest line made of macros.
const WIDTH: usize = 96;

/// What stands in the place of a command's name in a remark.
const REMARK: &str = "remark";

/// Names and values of macros.
type Pairs = Vec<(String, String)>;

/// One command and what came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// Name of the command, `remark` for a remark.
    pub(crate) command: &'static str,
    /// Its arguments in words.
    pub(crate) text: String,
    /// Macros sent with it.
    pub(crate) macros: Pairs,
    /// The replies in words.
    pub(crate) replies: Vec<String>,
    /// No reply was due.
    pub(crate) unanswered: bool,
}

/// The conversation of one session.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) entries: Vec<Entry>,
    print: bool,
    keep: bool,
    /// Macros that wait for their command, and its letter.
    pending: Option<(u8, Pairs)>,
    shown: Pairs,
    /// Column of an unfinished line, 0 if there is none.
    column: usize,
    /// A message has begun and has not come to its end.
    in_message: bool,
}

impl Transcript {
    /// Prints, or keeps entries, or both.
    pub(crate) fn new(print: bool, keep: bool) -> Transcript {
        Transcript {
            entries: Vec::new(),
            print,
            keep,
            pending: None,
            shown: Vec::new(),
            column: 0,
            in_message: false,
        }
    }

    /// Takes note of an event.
    pub(crate) fn hear(&mut self, event: Event<'_>) {
        if !self.print && !self.keep {
            return;
        }
        match event {
            Event::Sent(Command::Macros { target, pairs }) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let pairs = pairs.iter().map(|(name, value)| (text(name), text(value)));
                let pairs: Pairs = pairs.collect();
                self.keep_pending();
                self.show_macros(*target, &pairs);
                self.pending = Some((*target, pairs));
            }
            Event::Sent(command) => {
                let (name, text) = in_words(command);
                match command {
                    // MTAs send it whenever they are done with a message, delivered or not.
                    Command::Abort if !self.in_message => {
                        let aside = "(routine: no message is open any more)";
                        self.start_line(name, &paint(Paint::Aside, aside));
                    }
                    // Folded as it is in the message.
                    Command::Header { value, .. } if value.contains(&b'\n') => {
                        let fold = format!("\n{:DETAIL$}  ", "");
                        self.start_line(name, &text.replace("\\n\\t", &fold));
                    }
                    _ => self.start_line(name, &wrapped(&text, "")),
                }
                match command {
                    Command::Mail(_) => self.in_message = true,
                    Command::EndOfBody | Command::Abort => self.in_message = false,
                    _ => {}
                }
                let own = command.letter();
                let macros = match self.pending.take_if(|(target, _)| *target == own) {
                    Some((_, pairs)) => pairs,
                    None => Vec::new(),
                };
                self.keep_pending();
                self.add(Entry { command: name, text, macros, ..Entry::default() });
            }
            Event::Received(reply) => {
                let text = match reply {
                    Reply::ReplyCode(text) => one_line(text),
                    other => other.to_string(),
                };
                self.show_reply(&text);
                if let Some(last) = self.last_command() {
                    last.replies.push(text);
                }
            }
            Event::Unanswered => {
                self.show_reply("(none, as agreed)");
                if let Some(last) = self.last_command() {
                    last.unanswered = true;
                }
            }
            Event::Remark(text) => {
                self.start_line(REMARK, text);
                self.add(Entry { command: REMARK, text: text.to_owned(), ..Entry::default() });
            }
        }
    }

    /// Macros whose command the milter does not want get an entry of their own.
    fn keep_pending(&mut self) {
        if let Some((target, macros)) = self.pending.take() {
            let stage = Stage::from_letter(target).map_or("", Stage::name);
            let text = stage.to_owned();
            self.add(Entry { command: "macros", text, macros, ..Entry::default() });
        }
    }

    /// Keeps an entry, or nothing but the last one if they are not wanted.
    fn add(&mut self, entry: Entry) {
        if !self.keep {
            self.entries.clear();
        }
        self.entries.push(entry);
    }

    /// The entry that replies belong to.
    fn last_command(&mut self) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.command != REMARK)
    }

    /// Ends an unfinished line.
    pub(crate) fn finish_line(&mut self) {
        if self.column > 0 {
            self.put("\n");
            self.column = 0;
        }
    }

    /// Shows macros; in the content only those that have not been shown with the same value.
    fn show_macros(&mut self, target: u8, pairs: &Pairs) {
        if !self.print {
            return;
        }
        let stage = Stage::from_letter(target);
        let content = stage.is_some_and(Stage::is_content);
        let news = pairs.iter().filter(|pair| !content || !self.shown.contains(pair));
        let news: Pairs = news.cloned().collect();
        if news.is_empty() {
            return;
        }
        let words = news.iter();
        let words = words.map(|(name, value)| format!("{name}={}", one_line(value.as_bytes())));
        let name = stage.map_or("", Stage::name);
        let text = fit(std::iter::once(format!("({name})")).chain(words), "  ", "");
        self.start_line("macros", &text);
        self.finish_line();
        self.shown.extend(news);
    }

    fn start_line(&mut self, name: &str, text: &str) {
        self.finish_line();
        let line = format!("  {name:<10} {text}");
        let last = line.trim_end().rsplit('\n').next().unwrap_or_default();
        self.column = last.chars().count();
        let line = format!("  {} {text}", paint(Paint::Name, &format!("{name:<10}")));
        self.put(line.trim_end());
    }

    fn show_reply(&mut self, text: &str) {
        let short = text.chars().count() + REPLY <= WIDTH;
        if self.column == 0 || self.column > REPLY - 1 || !short {
            self.finish_line();
            let text = painted(text, &unfolded(text));
            self.put(&format!("{:DETAIL$}-> {text}\n", ""));
        } else {
            let gap = REPLY - self.column;
            self.put(&format!("{:gap$}-> {}\n", "", painted(text, text)));
        }
        self.column = 0;
    }

    /// Prints; a reader that has gone away is no reason to stop.
    fn put(&self, text: &str) {
        if self.print {
            let mut out = io::stdout().lock();
            let _ = out.write_all(text.as_bytes());
            let _ = out.flush();
        }
    }
}

/// A reply in its colour, line by line: what it does to the message stands at its beginning.
fn painted(reply: &str, shown: &str) -> String {
    let kind = match reply.split([' ', ',']).next().unwrap_or_default() {
        "continue" | "accept" => Paint::Good,
        "reject" | "tempfail" | "discard" | "shutdown" | "connection" => Paint::Bad,
        "(none" | "skip" | "progress" | "version" => Paint::Aside,
        code if code.starts_with(['4', '5']) => Paint::Bad,
        _ => Paint::Change,
    };
    let lines: Vec<String> = shown.split('\n').map(|line| paint(kind, line)).collect();
    lines.join("\n")
}

/// A reply with its line breaks where they are, or broken between words if it is long.
fn unfolded(text: &str) -> String {
    if !text.contains("\\n") {
        return wrapped(text, "   ");
    }
    let lines = text.replace("\\r\\n", "\n").replace("\\n\\t", "\n  ").replace("\\n ", "\n  ");
    lines.replace('\n', &format!("\n{:DETAIL$}   ", ""))
}

/// Breaks long text between words; later lines are indented further.
fn wrapped(text: &str, further: &str) -> String {
    fit(text.split(' ').map(str::to_owned), " ", further)
}

/// Fits words into lines from the column of details on.
fn fit(words: impl Iterator<Item = String>, gap: &str, further: &str) -> String {
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
            room = WIDTH - DETAIL;
        }
        out.push_str(&word);
        room = room.saturating_sub(width);
    }
    out
}

/// Name and arguments of a command.
fn in_words(command: &Command<'_>) -> (&'static str, String) {
    let arguments = |list: &[&[u8]]| one_line(&list.join(&b' '));
    match command {
        Command::Negotiate { version, actions, protocol: steps } => {
            let text = format!(
                "version {version}, actions {}, protocol {}",
                all_or(*actions, action::ALL, action::NAMES),
                all_or(*steps, protocol::ALL, protocol::NAMES)
            );
            ("negotiate", text)
        }
        Command::Macros { target, .. } => ("macros", char::from(*target).to_string()),
        Command::Connect { host, origin } => {
            let origin = match origin {
                Origin::Inet(address, port) => format!(" [{address}]:{port}"),
                Origin::Inet6(address, port, _) => format!(" [{address}]:{port}"),
                Origin::Unix(path) => format!(" local:{}", one_line(path)),
                Origin::Unknown => " (unknown origin)".to_owned(),
            };
            ("connect", one_line(host) + &origin)
        }
        Command::Helo(name) => ("helo", one_line(name)),
        Command::Mail(list) => ("mail", arguments(list)),
        Command::Rcpt(list) => ("rcpt", arguments(list)),
        Command::Data => ("data", String::new()),
        Command::Header { name, value } => {
            ("header", format!("{}: {}", one_line(name), one_line(value)))
        }
        Command::EndOfHeaders => ("eoh", String::new()),
        Command::Body(part) => ("body", format!("{} bytes", part.len())),
        Command::EndOfBody => ("eom", String::new()),
        Command::Unknown(line) => ("unknown", one_line(line)),
        Command::Abort => ("abort", String::new()),
        Command::Quit => ("quit", String::new()),
        Command::QuitNewConnection => ("quit_nc", String::new()),
    }
}

/// The names of flags, or that all are set.
fn all_or(bits: u32, all: u32, names: &[(u32, &str)]) -> String {
    if bits == all { format!("all ({bits:#x})") } else { describe(bits, names) }
}

#[cfg(test)]
mod tests;
