//! Descriptors of our own never take the places of stdin, stdout and stderr.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// The lowest descriptor number this library keeps.
///
/// A daemon may run with 0 to 2 closed; what a filter prints must not end up in a milter
/// connection.
pub const LOWEST: i32 = 3;

/// Moves a descriptor to [`LOWEST`] or above if it is below.
///
/// # Errors
/// No descriptor is free.
pub fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= LOWEST {
        return Ok(fd);
    }
    Ok(rustix::io::fcntl_dupfd_cloexec(&fd, LOWEST)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_above_stay() {
        let fd: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let number = fd.as_raw_fd();
        assert!(number >= LOWEST, "the test runs with stdio open");
        assert_eq!(above_stdio(fd).unwrap().as_raw_fd(), number);
    }
}
