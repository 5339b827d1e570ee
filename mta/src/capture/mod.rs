//! Captures: what MTA and milter have said in one session, in a file that a person can read.
//!
//! The format is described in `docs/capture.md`; [`Capture::parse`] reads it, [`Writer`] writes it,
//! [`Recorder`] makes one of a [`Client`](crate::Client)'s connection, [`anonymize()`] takes out of it
//! who wrote what to whom.

mod anonymize;
mod escape;
mod read;
mod record;
mod types;
mod write;

pub use anonymize::anonymize;
pub use read::CaptureError;
pub use record::{Recorder, SharedRecorder, timestamp};
pub use types::{Capture, FIRST_LINE, Record, Side, What};
pub use write::Writer;

#[cfg(test)]
mod tests;
