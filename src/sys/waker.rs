//! Waking a thread that waits in a poller, also from a signal handler.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::fd::above_stdio;
use super::jitter::jitter;

/// Something a waiting thread listens to: an eventfd, or a pipe where there is none.
#[derive(Debug)]
pub struct Waker {
    reader: OwnedFd,
    /// `None`: the reader is written to as well.
    writer: Option<OwnedFd>,
}

impl Waker {
    /// Creates it, non-blocking and close-on-exec.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    pub fn new() -> io::Result<Waker> {
        use rustix::event::{EventfdFlags, eventfd};
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Waker { reader: above_stdio(fd)?, writer: None })
    }

    /// Creates it, non-blocking and close-on-exec.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    pub fn new() -> io::Result<Waker> {
        use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
        let (reader, writer) = rustix::pipe::pipe()?;
        for fd in [&reader, &writer] {
            fcntl_setfd(fd, FdFlags::CLOEXEC)?;
            ioctl_fionbio(fd, true)?;
        }
        Ok(Waker { reader: above_stdio(reader)?, writer: Some(above_stdio(writer)?) })
    }

    /// Makes the reader readable. Async-signal-safe: one `write`.
    pub fn wake(&self) {
        jitter();
        // A full counter or pipe means that a wake-up is pending already.
        let _pending =
            rustix::io::write(self.writer.as_ref().unwrap_or(&self.reader), &1u64.to_ne_bytes());
    }

    /// Makes the reader unreadable again.
    pub fn clear(&self) {
        let mut counter = [0; 64];
        while rustix::io::read(&self.reader, &mut counter).is_ok_and(|n| n == counter.len()) {}
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
