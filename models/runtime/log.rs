//! A log that nobody reads.

use crate::sys::log::Priority;

#[derive(Debug)]
pub(super) struct Log;

impl Log {
    pub(super) fn line(&self, _: Priority, _: &str) {}
}
