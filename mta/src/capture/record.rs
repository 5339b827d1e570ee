//! Making a capture of a connection.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::types::{Record, Side, What};
use super::write::Writer;
use crate::client::{Direction, Tap};
use crate::wire::frame::split;

/// Splits what goes over a connection into packets and writes them down.
pub struct Recorder {
    writer: Writer<Box<dyn io::Write + Send>>,
    start: Instant,
    /// Bytes of a packet that is not complete, from the MTA and from the milter.
    parts: [Part; 2],
    error: Option<io::Error>,
}

/// What has come from one side and is not written yet.
#[derive(Default)]
struct Part {
    bytes: Vec<u8>,
    /// No packet can begin any more.
    broken: bool,
    closed: bool,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("start", &self.start).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Writes the first lines; the session begins now.
    pub fn begin(
        out: Box<dyn io::Write + Send>,
        facts: &[(String, String)],
    ) -> io::Result<Recorder> {
        let writer = Writer::begin(out, facts)?;
        Ok(Recorder { writer, start: Instant::now(), parts: Default::default(), error: None })
    }

    /// What has kept the recorder from writing, if anything has.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn hear(&mut self, from: Side, bytes: &[u8]) {
        let at = self.start.elapsed();
        let part = &mut self.parts[index(from)];
        part.bytes.extend_from_slice(bytes);
        let mut used = 0;
        let mut found = Vec::new();
        while !part.broken {
            match split(&part.bytes[used..]) {
                Ok(Some((packet, size))) => {
                    found.push(What::Packet(packet.to_owned()));
                    used += size;
                }
                Ok(None) => break,
                Err(_) => part.broken = true,
            }
        }
        part.bytes.drain(..used);
        if part.broken && !part.bytes.is_empty() {
            found.push(What::Raw(std::mem::take(&mut part.bytes)));
        }
        for what in found {
            self.write(Record { at, from, what });
        }
    }

    fn close(&mut self, from: Side) {
        let at = self.start.elapsed();
        let part = &mut self.parts[index(from)];
        if std::mem::replace(&mut part.closed, true) {
            return;
        }
        let rest = std::mem::take(&mut part.bytes);
        if !rest.is_empty() {
            self.write(Record { at, from, what: What::Raw(rest) });
        }
        self.write(Record { at, from, what: What::Closed });
    }

    fn write(&mut self, record: Record) {
        if self.error.is_none() {
            self.error = self.writer.record(&record).err();
        }
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::Mta => 0,
        Side::Milter => 1,
    }
}

/// A recorder that its owner can ask while a connection uses it.
#[derive(Clone, Debug)]
pub struct SharedRecorder(Arc<Mutex<Recorder>>);

impl SharedRecorder {
    /// Shares a recorder.
    #[must_use]
    pub fn new(recorder: Recorder) -> SharedRecorder {
        SharedRecorder(Arc::new(Mutex::new(recorder)))
    }

    /// See [`Recorder::take_error`].
    pub fn take_error(&self) -> Option<io::Error> {
        self.with(Recorder::take_error)
    }

    fn with<T>(&self, action: impl FnOnce(&mut Recorder) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tap for SharedRecorder {
    fn bytes(&mut self, direction: Direction, bytes: &[u8]) {
        self.with(|recorder| recorder.hear(side(direction), bytes));
    }

    fn closed(&mut self, direction: Direction) {
        self.with(|recorder| recorder.close(side(direction)));
    }
}

fn side(direction: Direction) -> Side {
    match direction {
        Direction::Sent => Side::Mta,
        Direction::Received => Side::Milter,
    }
}

/// The time as in RFC 3339, in UTC, to the second.
#[must_use]
pub fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Days are counted from the first of March of the year 0, so that leap days end a year.
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}
