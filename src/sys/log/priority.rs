//! How much a log line matters.

use std::ffi::c_int;

/// Priorities of `syslog(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// `LOG_ERR`
    Error,
    /// `LOG_WARNING`
    Warning,
    /// `LOG_INFO`
    Info,
    /// `LOG_DEBUG`
    Debug,
}

impl Priority {
    pub(super) fn number(self) -> c_int {
        match self {
            Priority::Error => libc::LOG_ERR,
            Priority::Warning => libc::LOG_WARNING,
            Priority::Info => libc::LOG_INFO,
            Priority::Debug => libc::LOG_DEBUG,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Priority::Error => "err",
            Priority::Warning => "warning",
            Priority::Info => "info",
            Priority::Debug => "debug",
        }
    }

    /// Whether the program wants such lines (`setlogmask`).
    pub(super) fn is_wanted(self) -> bool {
        // SAFETY: 0 only asks for the mask.
        let mask = unsafe { libc::setlogmask(0) };
        mask & (1 << self.number()) != 0
    }
}
