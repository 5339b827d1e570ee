//! The system log, as the program that loads this library has set it up.

use std::ffi::{CStr, CString, c_int};

use super::errno;
use super::thread::Uncancelled;
use crate::proto::printable::{LINE_MAX, escape};

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

/// Writes a line, with control characters escaped and the end of a very long one left out; `errno`
/// stays, and cancellation of the thread waits. `openlog` is never called: identity and facility are
/// the program's own.
pub fn write(priority: Priority, line: &str) {
    let _errno = errno::keep();
    let _uncancelled = Uncancelled::begin();
    let priority: c_int = match priority {
        Priority::Error => libc::LOG_ERR,
        Priority::Warning => libc::LOG_WARNING,
        Priority::Info => libc::LOG_INFO,
        Priority::Debug => libc::LOG_DEBUG,
    };
    // Without control characters there is no NUL either.
    let line = CString::new(escape(line, LINE_MAX)).unwrap_or_default();
    let format: &CStr = c"%s";
    // SAFETY: the format consumes exactly one string, and both strings live during the call.
    unsafe { libc::syslog(priority, format.as_ptr(), line.as_ptr()) };
}
