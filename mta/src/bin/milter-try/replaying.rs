//! A capture played to a milter, and where its answers differ.

use std::time::Duration;

use milter_mta::capture::What;
use milter_mta::replay::{Answer, Fate, Patience, Step, replay};
use milter_mta::session::Timeouts;
use milter_mta::wire::text::{in_one_line, printable};
use milter_mta::wire::{Words, command_in_words};
use milter_mta::{Capture, Client};
use serde_json::{Value, json};
use similar::{Algorithm, DiffTag, capture_diff_slices};

use crate::output::put;
use crate::paint::{Paint, paint};
use crate::report;
use crate::status::Status;
use crate::text::base64;
use crate::transcript::layout::{DETAIL, laid_out, one_command};
use crate::transcript::unless_text;

/// How much of a new body that differs is shown, in bytes.
const SHOWN_BODY: usize = 400;

/// How long the milter may take to close at the end.
const LINGER: Duration = Duration::from_secs(5);

/// What a replay has come to.
pub(crate) struct Replayed {
    pub(crate) status: Status,
    /// For the JSON document.
    pub(crate) value: Value,
}

/// Plays it, and prints what comes back, if that is wanted.
pub(crate) fn play(
    capture: &Capture,
    client: Client,
    timeouts: &Timeouts,
    print: bool,
) -> Replayed {
    let answer = timeouts.command.max(timeouts.content);
    let patience = Patience { answer, close: LINGER.min(answer) };
    let mut row = Row::default();
    let mut counts = Counts::default();
    let mut steps = Vec::new();
    replay(capture, client, patience, &mut |step| {
        counts.take(step);
        if print {
            put(&row.shown(step));
        } else {
            steps.push(value(step));
        }
    });
    if print {
        put(&row.end());
        put(&counts.in_words());
    }
    Replayed {
        status: if counts.different.is_empty() && counts.left_out == 0 {
            Status::Same
        } else {
            Status::Differs
        },
        value: json!({
            "recorded": capture.facts.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "equal": counts.equal,
            "different": counts.different.len(),
            "left_out": counts.left_out,
            "commands": steps,
        }),
    }
}

/// How many answers were equal, and which were not.
#[derive(Default)]
struct Counts {
    equal: usize,
    different: Vec<&'static str>,
    left_out: usize,
}

impl Counts {
    fn take(&mut self, step: &Step) {
        match &step.fate {
            Fate::LeftOut(_) => self.left_out += 1,
            Fate::Played(_) if step.is_equal() => self.equal += 1,
            Fate::Played(_) => self.different.push(words(step).name),
        }
    }

    fn in_words(&self) -> String {
        let mut text = format!("{} equal", self.equal);
        if !self.different.is_empty() {
            let mut names = self.different.clone();
            names.dedup();
            text += &format!(", {} different (at {})", self.different.len(), names.join(", "));
        }
        if self.left_out > 0 {
            text += &format!(", {} not played", self.left_out);
        }
        let kind = if self.different.is_empty() { Paint::Good } else { Paint::Bad };
        let mut out = String::from("\n");
        report::line(&mut out, "Answers", &paint(kind, &text));
        if !self.different.is_empty() {
            report::line(&mut out, "", "- as recorded, + now");
        }
        out
    }
}

/// What the MTA did.
fn words(step: &Step) -> Words {
    match &step.recorded.sent {
        What::Packet(packet) => command_in_words(packet.as_packet()),
        What::Raw(bytes) => Words { name: "raw", text: format!("{} bytes", bytes.len()) },
        What::Closed => Words { name: "close", text: String::new() },
    }
}

/// Equal answers to parts of the body, of which the first is shown and the rest summed up.
#[derive(Default)]
struct Row {
    answers: Option<Vec<Answer>>,
    parts: usize,
    bytes: usize,
}

impl Row {
    /// What is printed for a step.
    fn shown(&mut self, step: &Step) -> String {
        let words = words(step);
        let Fate::Played(now) = &step.fate else {
            let Fate::LeftOut(reason) = &step.fate else { return String::new() };
            let aside = paint(Paint::Aside, &format!("(not played: {reason})"));
            return self.end() + &command(&words) + &format!("{:DETAIL$}{aside}\n", "");
        };
        let part = match &step.recorded.sent {
            What::Packet(packet) if packet.letter == b'B' && step.is_equal() => {
                packet.payload.len()
            }
            _ => 0,
        };
        if part > 0 && self.answers.as_ref() == Some(now) {
            self.parts += 1;
            self.bytes += part;
            return String::new();
        }
        let mut out = self.end();
        // It has no answer, or the end of the connection.
        let silent =
            matches!(&step.recorded.sent, What::Packet(packet) if b"DQ".contains(&packet.letter));
        if step.is_equal() && silent {
            out += &if words.name == "macros" { String::new() } else { command(&words) };
        } else if step.is_equal() {
            out += &one_command(words.name, &words.text, &now.iter().map(both).collect::<Vec<_>>());
        } else {
            out += &command(&words);
            out += &difference(&step.recorded.answers, now);
        }
        self.answers = (part > 0).then(|| now.clone());
        out
    }

    /// What is printed at the end of a row.
    fn end(&mut self) -> String {
        let row = std::mem::take(self);
        let (Some(answers), true) = (row.answers, row.parts > 0) else {
            return String::new();
        };
        let text = format!("{} more parts, {} bytes", row.parts, row.bytes);
        let each = |(text, lines): (String, String)| (text + " each", lines + " each");
        one_command("body", &text, &answers.iter().map(both).map(each).collect::<Vec<_>>())
    }
}

/// On one line, and on as many as it has.
fn both(answer: &Answer) -> (String, String) {
    (answer.to_string(), format!("{answer:#}"))
}

fn command(words: &Words) -> String {
    one_command(words.name, &words.text, &[])
}

/// Where the answers differ: those that do not as they are, of the others those of each side.
fn difference(recorded: &[Answer], now: &[Answer]) -> String {
    let mut out = String::new();
    for operation in capture_diff_slices(Algorithm::Myers, recorded, now) {
        let (old, new) = (operation.old_range(), operation.new_range());
        if operation.tag() == DiffTag::Equal {
            out += &side(' ', None, &recorded[old]);
        } else {
            out += &side('-', Some(Paint::Bad), &recorded[old]);
            out += &side('+', Some(Paint::Good), &now[new]);
        }
    }
    if recorded.is_empty() {
        out = side('-', Some(Paint::Bad), &[]) + &out;
    }
    if now.is_empty() {
        out += &side('+', Some(Paint::Good), &[]);
    }
    out
}

fn side(sign: char, kind: Option<Paint>, answers: &[Answer]) -> String {
    let mut texts: Vec<String> =
        answers.iter().map(|answer| in_full(answer, kind.is_some())).collect();
    if texts.is_empty() && kind.is_some() {
        texts.push("(none)".to_owned());
    }
    let inked = |text: &str| kind.map_or_else(|| text.to_owned(), |kind| paint(kind, text));
    let lines = texts.iter().map(|text| {
        let lines: Vec<String> = text.split('\n').map(inked).collect();
        format!("{:DETAIL$}{} {}\n", "", inked(&sign.to_string()), lines.join("\n"))
    });
    lines.collect()
}

/// An answer in words; of a new body that differs also the beginning.
fn in_full(answer: &Answer, differs: bool) -> String {
    let text = laid_out(&format!("{answer:#}"), "  ");
    match answer {
        Answer::Packet(packet) if differs && packet.letter == b'b' => {
            let shown = &packet.payload[..packet.payload.len().min(SHOWN_BODY)];
            let dots = if shown.len() < packet.payload.len() { " ..." } else { "" };
            let body = printable(shown).replace("\\r\n", "\n");
            text + &laid_out(&format!("\n{}{dots}", body.trim_end()), "    ")
        }
        _ => text,
    }
}

fn value(step: &Step) -> Value {
    let words = words(step);
    let answers = |answers: &[Answer]| -> Vec<Value> {
        let answers = answers.iter().map(|answer| {
            let mut value = json!({"text": answer.to_string()});
            if let Answer::Packet(packet) = answer
                && let Some(bytes) = unless_text(&packet.payload).filter(|_| packet.letter != b'O')
            {
                value["base64"] = json!(base64(&bytes));
            }
            value
        });
        answers.collect()
    };
    let (now, reason) = match &step.fate {
        Fate::Played(now) => (json!(answers(now)), Value::Null),
        Fate::LeftOut(reason) => (Value::Null, json!(reason)),
    };
    json!({
        "command": words.name,
        "text": in_one_line(&words.text),
        "equal": step.is_equal(),
        "recorded": answers(&step.recorded.answers),
        "now": now,
        "not_played": reason,
        "seconds": step.took.as_secs_f64(),
    })
}
