//! The time of day, as log lines give it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in UTC: `2026-11-26T08:15:04.123Z`.
#[must_use]
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    written(since.as_secs(), since.subsec_millis())
}

fn written(seconds: u64, milliseconds: u32) -> String {
    let seconds = seconds as libc::time_t;
    // SAFETY: the structure has integers, and on some systems a pointer that may be null.
    let mut t: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid, the second one for writing.
    unsafe { libc::gmtime_r(&raw const seconds, &raw mut t) };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{milliseconds:03}Z",
        t.tm_year + 1900,
        t.tm_mon + 1,
        t.tm_mday,
        t.tm_hour,
        t.tm_min,
        t.tm_sec
    )
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn times() {
        assert_eq!(written(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(1_709_210_096, 7), "2024-02-29T12:34:56.007Z");
    }
}
