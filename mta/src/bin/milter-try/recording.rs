//! Files with captures: made, and read.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use milter_mta::Capture;
use milter_mta::capture::{Recorder, SharedRecorder, timestamp};

use crate::milter::system;
use crate::status::{Failure, Status};

/// Begins a capture, which only its owner may read: there is mail in it.
pub(crate) fn begin(file: &Path, facts: &[(&str, String)]) -> Result<SharedRecorder, Failure> {
    let action = format!("write the capture {}", file.display());
    let out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let out = out.map_err(|error| system(&action, &error))?;
    let own = [
        ("started", timestamp(SystemTime::now())),
        ("recorder", concat!("milter-try ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    let facts = own.iter().chain(facts).map(|(name, value)| ((*name).to_owned(), value.clone()));
    let facts: Vec<(String, String)> = facts.collect();
    let recorder =
        Recorder::begin(Box::new(out), &facts).map_err(|error| system(&action, &error))?;
    Ok(SharedRecorder::new(recorder))
}

/// Fails if something could not be written.
pub(crate) fn end(file: &Path, recorder: &SharedRecorder) -> Result<(), Failure> {
    match recorder.take_error() {
        None => Ok(()),
        Some(error) => Err(system(&format!("write the capture {}", file.display()), &error)),
    }
}

/// Reads a capture.
pub(crate) fn read(file: &Path) -> Result<Capture, Failure> {
    let bytes = std::fs::read(file).map_err(|error| unreadable(file, &error))?;
    Capture::parse(&bytes).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &dyn Display) -> Failure {
    let text = format!("cannot read the capture {}: {error}", file.display());
    Failure::new(Status::NoInput, text)
}
