//! The numbers of a run as Prometheus reads them, in its text format.

use std::fmt::{Result, Write};

use super::histogram::BOUNDS;
use super::tally::{Ending, Fate, Tally, Verdict};
use crate::proto::command::Command;

/// Commands that have a stage, in the order of a session.
pub(super) const STAGES: [Command; 13] = [
    Command::Negotiate,
    Command::Connect,
    Command::Helo,
    Command::Mail,
    Command::Rcpt,
    Command::Data,
    Command::Header,
    Command::Eoh,
    Command::Body,
    Command::Eom,
    Command::Unknown,
    Command::Abort,
    Command::Quit,
];

/// They with the stages' names.
pub(super) fn stages() -> impl Iterator<Item = (Command, &'static str)> {
    // One text, as labels are.
    let names = "negotiate connect helo mail rcpt data header eoh body eom unknown abort close";
    STAGES.into_iter().zip(names.split(' '))
}

/// The last one that has replies.
const REPLIED: usize = 11;

/// What is looked at when it is asked for.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// The filter's name.
    pub(super) filter: String,
    /// Sessions that are open, of all that have begun.
    pub(super) sessions: u64,
    pub(super) begun: u64,
    /// Sessions that wait for a thread, and for their MTA to read.
    pub(super) for_thread: u64,
    pub(super) for_room: u64,
    /// Threads that own a loop, that do other work, and that wait for work.
    pub(super) threads: [u64; 3],
    /// The most sessions and threads that are allowed, where that is limited.
    pub(super) limits: [Option<u64>; 2],
    /// Log lines that were not written, as there were too many.
    pub(super) left_out: u64,
    /// Stages that the filter has a callback for.
    pub(super) served: [bool; STAGES.len()],
    /// Callbacks under way by stage, and for how long the longest has been: nanoseconds.
    pub(super) under_way: [u64; STAGES.len()],
    pub(super) longest: [u64; STAGES.len()],
}

/// Where it is written.
struct Page<'a>(&'a mut dyn Write);

/// The name and the value of a label.
type Label<'a> = (&'a str, &'a str);

impl Page<'_> {
    /// What a number is called and what it means; all its lines follow.
    fn about(&mut self, name: &str, kind: &str, help: &str) -> Result {
        writeln!(self.0, "# HELP libmilter_{name} {help}\n# TYPE libmilter_{name} {kind}")
    }

    fn line(&mut self, name: &str, labels: &[Label<'_>], value: u64) -> Result {
        self.labelled(name, labels)?;
        writeln!(self.0, " {value}")
    }

    /// The same of nanoseconds, as seconds.
    fn seconds(&mut self, name: &str, labels: &[Label<'_>], nanos: u64) -> Result {
        self.labelled(name, labels)?;
        writeln!(self.0, " {}", exact(nanos))
    }

    fn labelled(&mut self, name: &str, labels: &[Label<'_>]) -> Result {
        write!(self.0, "libmilter_{name}")?;
        for (n, (label, value)) in labels.iter().enumerate() {
            write!(self.0, "{}{label}=\"", if n == 0 { '{' } else { ',' })?;
            for c in value.chars() {
                match c {
                    '\\' | '"' => write!(self.0, "\\{c}")?,
                    '\n' => self.0.write_str("\\n")?,
                    c => self.0.write_char(c)?,
                }
            }
            self.0.write_char('"')?;
        }
        if labels.is_empty() { Ok(()) } else { self.0.write_char('}') }
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) -> Result {
        self.about(name, kind, help)?;
        self.line(name, &[], value)
    }

    fn each<'v>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> Result {
        self.about(name, kind, help)?;
        values.into_iter().try_for_each(|(value, count)| self.line(name, &[(label, value)], count))
    }
}

/// Nanoseconds as seconds.
fn exact(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

/// The same, as short as can be.
fn seconds(nanos: u64) -> String {
    exact(nanos).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Writes all of it.
pub(super) fn write(out: &mut dyn Write, tally: &Tally, now: &Readings) -> Result {
    let page = &mut Page(out);
    page.about("build_info", "gauge", "The library and the filter that it serves; always 1.")?;
    let about = [("version", env!("CARGO_PKG_VERSION")), ("filter", now.filter.as_str())];
    page.line("build_info", &about, 1)?;
    page.about("start_time_seconds", "gauge", "When smfi_main was called, in seconds of Unix.")?;
    let start = tally.start;
    let (seconds, millis) = (start.as_secs(), start.subsec_millis());
    writeln!(page.0, "libmilter_start_time_seconds {seconds}.{millis:03}")?;
    sessions(page, tally, now)?;
    messages(page, tally, now)?;
    callbacks(page, tally, now)?;
    threads(page, now)
}

fn sessions(page: &mut Page<'_>, tally: &Tally, now: &Readings) -> Result {
    let help = "Connections of MTAs that have become a session.";
    page.one("sessions_total", "counter", help, now.begun)?;
    page.one("sessions_open", "gauge", "Sessions that are open.", now.sessions)?;
    let waiting = [("thread", now.for_thread), ("room", now.for_room)];
    let busy = now.for_thread + now.for_room + now.under_way.iter().sum::<u64>();
    let waiting = [("mta", now.sessions.saturating_sub(busy))].into_iter().chain(waiting);
    let help = "Sessions that wait: for their MTA to say something, for a thread, for their MTA to \
                read what it was sent.";
    page.each(("sessions_waiting", "gauge", help), "for", waiting)?;
    if let Some(limit) = now.limits[0] {
        let help = "The most sessions that are allowed (LIBMILTER_MAX_SESSIONS).";
        page.one("sessions_limit", "gauge", help, limit)?;
    }
    let ended = Ending::labelled()
        .map(|(why, label)| (label, tally.sum(|part| part.endings.get(why as usize))));
    let help = "Sessions that have ended, by reason.";
    page.each(("sessions_ended_total", "counter", help), "reason", ended)?;
    let help = "Connections that got no session, or were let wait, and sessions that were closed, \
                for a limit or for want of something.";
    page.each(("refused_total", "counter", help), "reason", tally.refused())?;
    let help = "Bytes of packets that have come from MTAs.";
    page.one("received_bytes_total", "counter", help, tally.sum(|part| Some(&part.received)))?;
    let help = "Bytes of packets that were sent to MTAs.";
    page.one("sent_bytes_total", "counter", help, tally.sum(|part| Some(&part.sent)))?;
    let help = "Log lines that were left out, as there were too many.";
    page.one("log_lines_left_out_total", "counter", help, now.left_out)
}

fn messages(page: &mut Page<'_>, tally: &Tally, now: &Readings) -> Result {
    let help = "Messages that have begun.";
    page.one("messages_total", "counter", help, tally.sum(|part| Some(&part.begun)))?;
    let help = "Messages that have got their verdict, or have been given up.";
    let fates = Fate::labelled()
        .map(|(fate, label)| (label, tally.sum(|part| part.fates.get(fate as usize))));
    page.each(("messages_ended_total", "counter", help), "result", fates)?;
    let help = "Replies to commands of MTAs.";
    page.about("verdicts_total", "counter", help)?;
    for ((command, stage), served) in stages().zip(now.served).take(REPLIED).skip(1) {
        for (verdict, label) in Verdict::labelled() {
            let count = tally.sum(|part| {
                part.verdicts.get(command.index()).and_then(|of| of.get(verdict as usize))
            });
            if served || count > 0 {
                page.line("verdicts_total", &[("stage", stage), ("verdict", label)], count)?;
            }
        }
    }
    Ok(())
}

fn callbacks(page: &mut Page<'_>, tally: &Tally, now: &Readings) -> Result {
    const NAME: &str = "callback_duration_seconds";
    page.about(NAME, "histogram", "How long callbacks took that have returned.")?;
    for ((command, stage), served) in stages().zip(now.served) {
        if !served {
            continue;
        }
        let lengths = tally.lengths(command);
        let mut count = 0;
        let bounds = BOUNDS.iter().map(Some).chain([None]);
        for (bound, more) in bounds.zip(lengths.buckets) {
            count += more;
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |nanos| seconds(*nanos));
            let labels = [("stage", stage), ("le", bound.as_str())];
            page.line("callback_duration_seconds_bucket", &labels, count)?;
        }
        page.seconds("callback_duration_seconds_sum", &[("stage", stage)], lengths.nanos)?;
        page.line("callback_duration_seconds_count", &[("stage", stage)], count)?;
    }
    let stages = || stages().map(|(_, stage)| stage).zip(now.served);
    page.about("callbacks_under_way", "gauge", "Callbacks that have not returned yet.")?;
    for ((stage, served), count) in stages().zip(now.under_way) {
        if served {
            page.line("callbacks_under_way", &[("stage", stage)], count)?;
        }
    }
    let name = "callbacks_under_way_longest_seconds";
    let help = "For how long the first of the callbacks has been called that have not returned; 0 \
                if there is none.";
    page.about(name, "gauge", help)?;
    for ((stage, served), nanos) in stages().zip(now.longest) {
        if served {
            page.seconds(name, &[("stage", stage)], nanos)?;
        }
    }
    Ok(())
}

fn threads(page: &mut Page<'_>, now: &Readings) -> Result {
    let help = "Threads that the library has started and that are there: with a loop of sessions, \
                with other work such as a slow callback, and spare ones that wait for work.";
    let states = ["loop", "working", "idle"].into_iter().zip(now.threads);
    page.each(("threads", "gauge", help), "state", states)?;
    match now.limits[1] {
        Some(limit) => {
            let help = "The most threads that are allowed (LIBMILTER_MAX_THREADS).";
            page.one("threads_limit", "gauge", help, limit)
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::tally::count;
    use std::time::Duration;

    #[test]
    fn seconds_are_written_as_short_as_can_be() {
        let nanos = [100_000, 2_500_000_000, 10_000_000_000, 60_000_000_001, 0];
        assert_eq!(nanos.map(seconds), ["0.0001", "2.5", "10", "60.000000001", "0"]);
        assert_eq!(stages().count(), STAGES.len());
    }

    #[test]
    fn each_number_is_explained_before_its_lines_which_stand_together() {
        let tally = Tally::of(2);
        let part = tally.part(1).unwrap();
        part.callbacks[Command::Eom.index()].observe(Duration::from_millis(3));
        count(part.verdicts[Command::Eom.index()].first());
        let now = Readings {
            filter: "a \"b\" \\".into(),
            served: [true; STAGES.len()],
            limits: [Some(3), Some(4)],
            ..Readings::default()
        };
        let mut text = String::new();
        write(&mut text, &tally, &now).unwrap();
        let mut seen = Vec::new();
        let mut name = "";
        for line in text.lines() {
            if let Some(about) = line.strip_prefix("# HELP ") {
                name = about.split(' ').next().unwrap();
                assert!(!seen.contains(&name), "{line}");
                seen.push(name);
            } else if let Some(about) = line.strip_prefix("# TYPE ") {
                assert_eq!(about.split(' ').next(), Some(name));
            } else {
                assert!(line.starts_with(name), "{line}");
            }
        }
        assert!(seen.len() > 15, "{seen:?}");
        for line in [
            r#"libmilter_build_info{version="0.1.0",filter="a \"b\" \\"} 1"#,
            r#"libmilter_verdicts_total{stage="eom",verdict="continue"} 1"#,
            r#"libmilter_callback_duration_seconds_bucket{stage="eom",le="0.0025"} 0"#,
            r#"libmilter_callback_duration_seconds_bucket{stage="eom",le="0.005"} 1"#,
            r#"libmilter_callback_duration_seconds_bucket{stage="eom",le="+Inf"} 1"#,
            r#"libmilter_callback_duration_seconds_sum{stage="eom"} 0.003000000"#,
            r#"libmilter_callback_duration_seconds_count{stage="eom"} 1"#,
            "libmilter_sessions_limit 3",
            "libmilter_threads_limit 4",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
