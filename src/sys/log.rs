//! The system log, as the program that loads this library has set it up, or what the administrator has
//! said instead.

mod destination;
mod priority;
mod time;

pub use destination::{choose, is_chosen};
pub use priority::Priority;
pub use time::now as time_of_day;

use std::ffi::{CStr, CString};

use super::errno;
use super::thread::Uncancelled;
use crate::proto::printable::{LINE_MAX, escape};

/// Writes a line, with control characters escaped and the end of a very long one left out; `errno`
/// stays, and cancellation of the thread waits. `openlog` is never called: identity and facility are
/// the program's own.
pub fn write(priority: Priority, line: &str) {
    let _errno = errno::keep();
    let _uncancelled = Uncancelled::begin();
    let line = escape(line, LINE_MAX);
    if !priority.is_wanted() || destination::take(priority, &line) {
        return;
    }
    // Without control characters there is no NUL either.
    let line = CString::new(line).unwrap_or_default();
    let format: &CStr = c"%s";
    // SAFETY: the format consumes exactly one string, and both strings live during the call.
    unsafe { libc::syslog(priority.number(), format.as_ptr(), line.as_ptr()) };
}
