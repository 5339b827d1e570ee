//! A trace of what sessions do, for a person who looks for a fault: which sessions, and where to.

use std::io;
use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::log::Log;
use super::moment::{Heading, Moment};
use super::{trace_capture, trace_json, trace_text};
use crate::net::network::Network;
use crate::sys::jitter::{Mutex, MutexGuard};
use crate::sys::log::Priority;
use crate::sys::sink::{Record, Sink};

/// How a trace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Text,
    /// An object a line.
    Json,
    /// A file a session, which can be played again.
    Capture,
}

/// What is traced, and how.
#[derive(Debug)]
pub struct Traces {
    /// Where lines go.
    pub sink: Sink,
    /// How they look.
    pub format: Format,
    /// Bytes of a text that are shown.
    pub shown: usize,
    /// One session in so many is traced.
    pub every: NonZeroU64,
    /// Only sessions with clients of these networks are; all if there is none.
    pub clients: Vec<Network>,
    /// Where captures go, and how many bytes all of a run may have.
    pub captures: Option<(Vec<u8>, u64)>,
}

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    writer: Mutex<Writer>,
    format: Format,
    pub(super) shown: usize,
    every: NonZeroU64,
    clients: Vec<Network>,
    captures: Option<(Vec<u8>, u64)>,
    /// Children that the filter forks have nothing to tell: they have no sessions.
    process: u32,
    log: Arc<Log>,
}

#[derive(Debug)]
struct Writer {
    sink: Sink,
    /// Lines that could not be written, and of which the trace has not told yet.
    lost: u64,
    /// All of them.
    lost_ever: u64,
    /// Bytes of captures.
    captured: u64,
}

/// Why lines are missing, once for all that are.
const MISSING: &str = "lines of the trace can't be written and are left out";

impl Trace {
    /// A trace that begins.
    #[must_use]
    pub fn new(traces: Traces, log: Arc<Log>) -> Trace {
        let Traces { sink, format, shown, every, clients, captures } = traces;
        let writer = Mutex::new(Writer { sink, lost: 0, lost_ever: 0, captured: 0 });
        let process = std::process::id();
        Trace { writer, format, shown, every, clients, captures, process, log }
    }

    /// Whether a session may be of interest.
    pub(super) fn wants(&self, session: u64) -> bool {
        session % self.every == 1 % self.every.get()
    }

    /// Whether only the address of its client tells if a session is of interest.
    pub(super) fn asks_for_client(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Whether sessions with this client are of interest.
    pub(super) fn wants_client(&self, client: Option<IpAddr>) -> bool {
        client.is_some_and(|client| self.clients.iter().any(|network| network.contains(client)))
    }

    /// Whether this is the process whose sessions are traced.
    pub(super) fn is_here(&self) -> bool {
        self.process == std::process::id()
    }

    /// The process whose sessions are traced.
    pub(super) fn process(&self) -> u32 {
        self.process
    }

    /// How a line is written.
    pub(super) fn render(
        &self,
        out: &mut dyn std::fmt::Write,
        heading: &Heading<'_>,
        moment: &Moment<'_>,
    ) -> std::fmt::Result {
        match self.format {
            Format::Text => trace_text::line(out, heading, moment),
            Format::Json => trace_json::line(out, heading, moment),
            Format::Capture => trace_capture::lines(out, heading, moment),
        }
    }

    /// The file of a session's capture, if there are captures.
    pub(super) fn capture(&self, session: u64, time: &str) -> Option<Record> {
        let (directory, _) = self.captures.as_ref()?;
        let name = format!("/{time}-{}-{session}.capture", self.process);
        Record::new([directory, name.as_bytes()].concat())
    }

    /// Adds to a session's capture; `false` if that was not possible.
    pub(super) fn record(
        &self,
        record: &mut Record,
        write: impl FnOnce(&mut dyn std::fmt::Write) -> std::fmt::Result,
    ) -> bool {
        let mut writer = self.writer.lock();
        let limit = self.captures.as_ref().map_or(0, |(_, limit)| *limit);
        let done = match writer.captured < limit {
            true => writer.sink.record(record, write),
            false => Err(io::ErrorKind::StorageFull.into()),
        };
        match done {
            Ok(bytes) => writer.captured += bytes,
            Err(error) => {
                self.miss(writer, &error);
                return false;
            }
        }
        true
    }

    /// Tells in a session's capture that the rest is missing; `false` if that was not possible.
    pub(super) fn cut(&self, record: &mut Record) -> bool {
        self.writer.lock().sink.record(record, trace_capture::cut).is_ok()
    }

    /// Writes a line; one that can't be written is counted.
    pub(super) fn write(&self, heading: &Heading<'_>, moment: &Moment<'_>) {
        self.line(|out| self.render(out, heading, moment));
    }

    /// Writes a line that is there already.
    pub(super) fn write_rendered(&self, line: &str) {
        self.line(|out| out.write_str(line));
    }

    /// Counts lines for which there was no room before it was known that they were wanted.
    pub(super) fn had_no_room(&self, lines: u64) {
        let mut writer = self.writer.lock();
        writer.lost += lines;
        writer.lost_ever += lines;
    }

    fn line(&self, write: impl FnOnce(&mut dyn std::fmt::Write) -> std::fmt::Result) {
        let mut writer = self.writer.lock();
        let told = self.tell_lost(&mut writer);
        if let Err(error) = told.and_then(|()| writer.sink.line(write)) {
            self.miss(writer, &error);
        }
    }

    /// Counts a line that is missing, and tells of the first one.
    fn miss(&self, mut writer: MutexGuard<'_, Writer>, error: &io::Error) {
        writer.lost += 1;
        writer.lost_ever += 1;
        let first = writer.lost_ever == 1;
        drop(writer);
        if first {
            self.log.line(Priority::Warning, &format!("{MISSING}: {error}"));
        }
    }

    /// Tells how many lines are missing, if some are.
    fn tell_lost(&self, writer: &mut Writer) -> io::Result<()> {
        let lost = writer.lost;
        if lost > 0 && self.captures.is_none() {
            writer.sink.line(|out| match self.format {
                Format::Text | Format::Capture => {
                    write!(out, "- - - - lost {lost} lines could not be written")
                }
                Format::Json => write!(out, "{{\"event\":\"lost\",\"lines\":{lost}}}"),
            })?;
            writer.lost = 0;
        }
        Ok(())
    }

    /// Tells at the end of a run what is missing: there may be no line after it.
    pub(super) fn settle(&self) {
        let mut writer = self.writer.lock();
        let _later = self.tell_lost(&mut writer);
        let lost = writer.lost_ever;
        drop(writer);
        if lost > 0 {
            let text = format!("{lost} lines of the trace could not be written");
            self.log.line(Priority::Warning, &text);
        }
    }
}
