//! The conversation: kept for JSON, printed as it goes for a person.

mod entry;
pub(crate) mod layout;
mod rows;
mod times;

use milter_mta::session::{Event, Stage};
use milter_mta::wire::text::{in_one_line, one_line, printable};
use milter_mta::wire::{Command, Packet, Reply, command_in_words};

pub(crate) use entry::{Entry, Said, unless_text};
use entry::{Pairs, content};
use layout::{fit, laid_out, logged};
use rows::{BodyRow, Place, ReplacementRow};
pub(crate) use times::Times;

use crate::log::{LogFile, without_stamp};
use crate::output::put;
use crate::paint::{Paint, paint};

/// What stands in the place of a command's name in a remark.
const REMARK: &str = "remark";

/// Where the conversation goes.
#[derive(Debug)]
pub(crate) enum Sink {
    /// Nowhere.
    Nowhere,
    /// To standard output, as it happens.
    Output,
    /// Into memory.
    Memory(String),
}

/// The conversation of one session.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) entries: Vec<Entry>,
    sink: Sink,
    keep: bool,
    /// Macros that wait for their command, and its letter.
    pending: Option<(u8, Pairs)>,
    shown: Pairs,
    /// Column of an unfinished line, 0 if there is none.
    column: usize,
    /// A message has begun and has not come to its end.
    in_message: bool,
    body: BodyRow,
    replacement: ReplacementRow,
    times: Times,
    log: Option<LogFile>,
}

impl Transcript {
    /// Prints into a sink, keeps entries, or both; with what the library logs meanwhile.
    pub(crate) fn new(sink: Sink, keep: bool, log: Option<LogFile>) -> Transcript {
        Transcript {
            entries: Vec::new(),
            sink,
            keep,
            pending: None,
            shown: Vec::new(),
            column: 0,
            in_message: false,
            body: BodyRow::default(),
            replacement: ReplacementRow::default(),
            times: Times::default(),
            log,
        }
    }

    /// Takes note of an event.
    pub(crate) fn hear(&mut self, event: Event<'_>) {
        match event {
            Event::Sent(Command::Macros { target, pairs }) => {
                self.read_log();
                if self.is_wanted() {
                    let pairs = pairs.iter().map(|(name, value)| (name.to_vec(), value.to_vec()));
                    let pairs: Pairs = pairs.collect();
                    self.keep_pending();
                    self.show_macros(*target, &pairs);
                    self.pending = Some((*target, pairs));
                }
            }
            Event::Sent(command) => {
                self.read_log();
                self.sent(command);
            }
            Event::Received(reply) => {
                let took = self.times.received();
                if let Some(last) = self.last_command() {
                    last.took += took;
                }
                self.received(reply);
                self.read_log();
            }
            Event::Unanswered => {
                if let Some(last) = self.last_command() {
                    last.unanswered = true;
                }
                self.show_reply("(none, as agreed)", "(none, as agreed)");
            }
            Event::Remark(text) => {
                self.start_line(REMARK, &laid_out(text, ""));
                self.add(Entry { command: REMARK, text: text.to_owned(), ..Entry::default() });
            }
        }
    }

    fn is_wanted(&self) -> bool {
        self.keep || !matches!(self.sink, Sink::Nowhere)
    }

    fn sent(&mut self, command: &Command<'_>) {
        let mut packet = Vec::new();
        if self.is_wanted() {
            command.encode(&mut packet);
        }
        let payload = packet.get(5..).unwrap_or_default();
        let words = command_in_words(Packet { letter: command.letter(), payload });
        self.times.sent(words.name);
        if !self.is_wanted() {
            return;
        }
        match command {
            Command::Body(part) if self.body.takes(part.len()) => {}
            // MTAs send it whenever they are done with a message, delivered or not.
            Command::Abort if !self.in_message => {
                let aside = "(routine: no message is open any more)";
                self.start_line(words.name, &paint(Paint::Aside, aside));
            }
            _ => {
                self.start_line(words.name, &laid_out(&words.text, ""));
                if let Command::Body(_) = command {
                    self.body.begin();
                }
            }
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
        let is_text = matches!(
            command,
            Command::Negotiate { .. } | Command::Connect { .. } | Command::Body(_)
        );
        self.add(Entry {
            command: words.name,
            text: in_one_line(&words.text),
            bytes: if is_text { None } else { unless_text(payload) },
            macros,
            ..Entry::default()
        });
    }

    fn received(&mut self, reply: &Reply<'_>) {
        let (text, lines) = match reply {
            Reply::ReplyCode(text) => (one_line(text), printable(text)),
            other => (other.to_string(), format!("{other:#}")),
        };
        match reply {
            Reply::ReplaceBody(part) if self.replacement.takes(part.len()) => {}
            _ => {
                self.show_reply(&text, &lines);
                if let Reply::ReplaceBody(_) = reply {
                    self.replacement.begin();
                }
            }
        }
        let bytes = match reply {
            Reply::ReplaceBody(_) => None,
            other => unless_text(content(other)),
        };
        if let Some(last) = self.last_command() {
            last.replies.push(Said { text, bytes });
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

    /// Shows what the library has logged, below the command that waits or was answered.
    pub(crate) fn read_log(&mut self) {
        let lines = self.log.as_mut().map(LogFile::new_lines).unwrap_or_default();
        if lines.is_empty() {
            return;
        }
        for line in &lines {
            self.start_line("log", &logged(without_stamp(line)));
            self.finish_line();
        }
        match self.last_command() {
            Some(last) => last.log.extend(lines),
            None => self.add(Entry { command: "start", log: lines, ..Entry::default() }),
        }
    }

    /// The times since the last call.
    pub(crate) fn take_times(&mut self) -> Times {
        std::mem::take(&mut self.times)
    }

    /// What has been kept, and the log from where it has been read.
    pub(crate) fn into_parts(self) -> (Vec<Entry>, Option<LogFile>) {
        (self.entries, self.log)
    }

    /// Ends a line that is unfinished.
    pub(crate) fn pause(&mut self) {
        self.end_rows();
        self.finish_line();
    }

    /// Ends the conversation, and gives what has gone into memory.
    pub(crate) fn finish(&mut self) -> String {
        self.pause();
        match &mut self.sink {
            Sink::Memory(text) => std::mem::take(text),
            _ => String::new(),
        }
    }

    /// Ends an unfinished line.
    fn finish_line(&mut self) {
        if self.column > 0 {
            self.put("\n");
            self.column = 0;
        }
    }

    /// Sums up what has not been shown one by one.
    fn end_rows(&mut self) {
        if let Some(text) = self.replacement.end() {
            self.put_reply(&text, &text);
        }
        for (text, reply) in self.body.end() {
            self.put_line("body", &text);
            if let Some(reply) = reply {
                self.put_reply(&reply, &reply);
            }
        }
    }

    /// Shows macros; in the content only those that have not been shown with the same value.
    fn show_macros(&mut self, target: u8, pairs: &Pairs) {
        let stage = Stage::from_letter(target);
        let content = stage.is_some_and(Stage::is_content);
        let news = pairs.iter().filter(|pair| !content || !self.shown.contains(pair));
        let news: Pairs = news.cloned().collect();
        if news.is_empty() {
            return;
        }
        let words = news.iter();
        let words = words.map(|(name, value)| format!("{}={}", one_line(name), one_line(value)));
        let name = stage.map_or("", Stage::name);
        let text = fit(std::iter::once(format!("({name})")).chain(words), "  ", "");
        self.start_line("macros", &text);
        self.finish_line();
        self.shown.extend(news);
    }

    fn start_line(&mut self, name: &str, text: &str) {
        self.end_rows();
        self.put_line(name, text);
    }

    fn put_line(&mut self, name: &str, text: &str) {
        self.finish_line();
        let (line, column) = layout::command(name, text);
        self.put(&line);
        self.column = column;
    }

    /// Shows a reply unless it belongs to a row that is summed up.
    fn show_reply(&mut self, text: &str, lines: &str) {
        match self.body.answers(text) {
            Place::Within => return,
            Place::First => {}
            Place::After => self.end_rows(),
        }
        self.put_reply(text, lines);
    }

    fn put_reply(&mut self, text: &str, lines: &str) {
        let text = layout::reply(self.column, text, lines);
        self.put(&text);
        self.column = 0;
    }

    /// Prints; a reader that has gone away is no reason to stop.
    fn put(&mut self, text: &str) {
        match &mut self.sink {
            Sink::Nowhere => {}
            Sink::Memory(all) => all.push_str(text),
            Sink::Output => put(text),
        }
    }
}

#[cfg(test)]
mod tests;
