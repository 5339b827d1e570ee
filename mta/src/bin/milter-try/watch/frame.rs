//! One frame: what a filter does, in 80 columns.

use std::time::Duration;

use super::page::{Callback, Callbacks, Page};
use crate::text::duration;

/// Callbacks that are shown.
const CALLBACKS: usize = 8;
/// A frame's columns.
const COLUMNS: usize = 80;

/// What a frame is made of.
pub(super) struct Moment<'a> {
    pub(super) page: &'a Page,
    /// The page before, and how long ago that was; without it, rates are those since the start.
    pub(super) before: Option<(&'a Page, Duration)>,
    pub(super) callbacks: &'a Callbacks,
    /// The time, in seconds of Unix.
    pub(super) unix: f64,
}

/// How long the callbacks of a stage took.
struct Stage {
    name: String,
    /// By their number: a second, in seconds.
    rate: f64,
    mean: f64,
    /// Within which nineteen of twenty have returned, and 99 of 100; infinite beyond the last bucket.
    quantiles: [Option<f64>; 2],
    under_way: f64,
    longest: f64,
}

impl Moment<'_> {
    fn seconds(&self) -> f64 {
        let since = match self.before {
            Some((_, since)) => since.as_secs_f64(),
            None => self.unix - self.page.start(),
        };
        since.max(0.001)
    }

    /// How much a counter has grown.
    fn grown(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let now = self.page.get(name, labels).unwrap_or(0.0);
        let before = self.before.and_then(|(page, _)| page.get(name, labels)).unwrap_or(0.0);
        (now - before).max(0.0)
    }

    fn rate(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.grown(name, labels) / self.seconds()
    }

    /// Rates by the value of a label, those that are not 0: `a 1.5, b 2.0`.
    fn rates(&self, name: &str, label: &str) -> Vec<String> {
        let values = self.page.by(name, label).into_iter();
        let rates = values.map(|(value, _)| (self.rate(name, &[(label, &value)]), value));
        let shown = rates.filter(|(rate, _)| *rate > 0.0);
        shown.map(|(rate, value)| format!("{} {}", value.replace('_', " "), number(rate))).collect()
    }

    fn stages(&self) -> Vec<Stage> {
        let longest = self.page.by("callbacks_under_way_longest_seconds", "stage");
        let stages = longest.into_iter().map(|(name, longest)| {
            let of = [("stage", name.as_str())];
            let count = self.grown("callback_duration_seconds_count", &of);
            let sum = self.grown("callback_duration_seconds_sum", &of);
            Stage {
                rate: count / self.seconds(),
                mean: if count > 0.0 { sum / count } else { 0.0 },
                quantiles: [0.95, 0.99].map(|part| self.quantile(&name, part * count)),
                under_way: self.page.get("callbacks_under_way", &of).unwrap_or(0.0),
                longest,
                name,
            }
        });
        let mut stages: Vec<Stage> =
            stages.filter(|stage| stage.rate > 0.0 || stage.under_way > 0.0).collect();
        stages.sort_by(|a, b| b.longest.max(b.mean).total_cmp(&a.longest.max(a.mean)));
        stages
    }

    /// The bound within which so many callbacks of a stage have returned.
    fn quantile(&self, stage: &str, wanted: f64) -> Option<f64> {
        let name = "callback_duration_seconds_bucket";
        let bounds = self.page.all(name).filter(|(labels, _)| labels["stage"] == stage);
        let mut bounds = bounds.map(|(labels, _)| labels["le"].as_str());
        let within = |bound: &&str| self.grown(name, &[("stage", stage), ("le", bound)]) >= wanted;
        let bound = bounds.find(within).filter(|_| wanted > 0.0)?;
        bound.parse().ok()
    }
}

/// A rate or another number, with as many decimals as help.
fn number(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.1}M", v / 1e6),
        v if v >= 1e4 => format!("{:.1}k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 0.1 || v == 0.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}

/// A time: microseconds below a millisecond.
fn seconds(value: f64) -> String {
    match value {
        v if v < 0.000_999_5 => format!("{:.0} us", v * 1e6),
        v => duration(Duration::try_from_secs_f64(v).unwrap_or_default()),
    }
}

/// How long a filter has run.
fn age(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// A line that begins with a word in its column, and goes on below itself where it is too long.
fn entry(out: &mut String, word: &str, text: &[String]) {
    let mut line = format!("{word:<11}");
    for (n, part) in text.iter().enumerate() {
        let part = if n + 1 < text.len() { format!("{part}, ") } else { part.clone() };
        if line.len() + part.trim_end().len() > COLUMNS && line.trim().len() > word.len() {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(11);
        }
        line.push_str(&part);
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// The whole frame.
pub(super) fn frame(moment: &Moment<'_>) -> String {
    let page = moment.page;
    let up = age(moment.unix - page.start());
    let left = format!("{}, libmilter {}, up {up}", page.about("filter"), page.about("version"));
    let right = match moment.before {
        Some((_, since)) => format!("rates of the last {:.1} s", since.as_secs_f64()),
        None => "rates since the start".to_owned(),
    };
    let left: String = left.chars().take(COLUMNS - right.len() - 2).collect();
    let gap = COLUMNS - right.len();
    let mut out = format!("{left:<gap$}{right}\n\n");
    counts(&mut out, moment);
    stages(&mut out, &moment.stages());
    callbacks(&mut out, moment.callbacks);
    out
}

fn counts(out: &mut String, moment: &Moment<'_>) {
    let page = moment.page;
    let waiting = |what| page.get("sessions_waiting", &[("for", what)]).unwrap_or(0.0);
    let under_way: f64 = page.all("callbacks_under_way").map(|(_, count)| count).sum();
    let open = match page.get("sessions_limit", &[]) {
        Some(limit) => format!("{} open of {limit}", page.one("sessions_open")),
        None => format!("{} open", page.one("sessions_open")),
    };
    let mut sessions = vec![open, format!("{under_way} in a callback")];
    for (what, text) in [("mta", "wait for their MTA"), ("thread", "a thread"), ("room", "room")] {
        sessions.push(format!("{} {text}", waiting(what)));
    }
    entry(out, "Sessions", &sessions);
    let mut ended = vec![format!("{}/s", number(moment.rate("sessions_total", &[])))];
    ended.extend(moment.rates("sessions_ended_total", "reason"));
    entry(out, "Begun", &ended);
    let refused = moment.rates("refused_total", "reason");
    if !refused.is_empty() {
        entry(out, "Refused/s", &refused);
    }
    let mut messages = vec![format!("{}/s", number(moment.rate("messages_total", &[])))];
    messages.extend(moment.rates("messages_ended_total", "result"));
    entry(out, "Messages", &messages);
    let bytes = |name| number(moment.rate(name, &[]));
    let traffic = [("received_bytes_total", "received"), ("sent_bytes_total", "sent")]
        .map(|(name, what)| format!("{} bytes/s {what}", bytes(name)));
    entry(out, "Traffic", &traffic);
    let threads = page.by("threads", "state");
    let all: f64 = threads.iter().map(|(_, count)| count).sum();
    let mut shown = vec![match page.get("threads_limit", &[]) {
        Some(limit) => format!("{all} of {limit}"),
        None => all.to_string(),
    }];
    for (state, count) in threads {
        shown.push(match state.as_str() {
            "loop" => format!("{count} with a loop"),
            state => format!("{count} {state}"),
        });
    }
    entry(out, "Threads", &shown);
    let lines = page.one("log_lines_left_out_total");
    if lines > 0.0 {
        entry(out, "Log", &[format!("{lines} lines left out")]);
    }
}

fn stages(out: &mut String, stages: &[Stage]) {
    out.push_str(
        "\nSlowest stages    calls/s       mean     95% in     99% in    now    longest now\n",
    );
    for stage in stages {
        let within = stage.quantiles.map(|bound| match bound {
            Some(bound) if bound.is_infinite() => "over 60 s".to_owned(),
            Some(bound) => seconds(bound),
            None => "-".to_owned(),
        });
        let (mut mean, mut longest) = ("-".to_owned(), "-".to_owned());
        if stage.rate > 0.0 {
            mean = seconds(stage.mean);
        }
        if stage.under_way > 0.0 {
            longest = seconds(stage.longest);
        }
        let line = format!(
            "{:<14} {:>10} {mean:>10} {:>10} {:>10} {:>6} {longest:>14}",
            stage.name,
            number(stage.rate),
            within[0],
            within[1],
            stage.under_way,
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if stages.is_empty() {
        out.push_str("none was called\n");
    }
}

fn callbacks(out: &mut String, callbacks: &Callbacks) {
    let Callbacks { rows, count } = callbacks;
    if rows.is_empty() {
        out.push_str("\nNo session is in a callback now\n");
        return;
    }
    out.push_str("\nIn a callback now  callback               for     thread  queue id\n");
    for Callback { session, name, milliseconds, thread, queue_id } in rows.iter().take(CALLBACKS) {
        let since = duration(Duration::from_millis(*milliseconds));
        let line = format!("session {session:<10} {name:<15} {since:>10} {thread:>10}  {queue_id}");
        out.extend(line.chars().take(COLUMNS));
        out.push('\n');
    }
    let more = count.saturating_sub(rows.len().min(CALLBACKS));
    if more > 0 {
        out.push_str(&format!("and {more} more\n"));
    }
}

#[cfg(test)]
mod tests;
