//! Standard output. A reader that has gone away is no reason to fail.

use std::io::Write;

/// Prints.
pub(crate) fn put(text: &str) {
    put_bytes(text.as_bytes());
}

/// Prints what need not be text.
pub(crate) fn put_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}
