//! Waking a thread that waits in a poller, also from a signal handler.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::fd::{OwnFd, above_stdio};
use super::jitter::jitter;

/// Something a waiting thread listens to: an eventfd, or a pipe where there is none.
#[derive(Debug)]
pub struct Waker {
    reader: OwnFd,
    /// `None`: the reader is written to as well.
    writer: Option<OwnFd>,
}

impl Waker {
    /// Creates it, non-blocking and close-on-exec.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub fn new() -> io::Result<Waker> {
        Waker::starting_at(0)
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    fn starting_at(count: u32) -> io::Result<Waker> {
        use rustix::event::{EventfdFlags, eventfd};
        let fd = eventfd(count, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Waker { reader: OwnFd::new(above_stdio(fd)?), writer: None })
    }

    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    fn starting_at(count: u32) -> io::Result<Waker> {
        use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
        let (reader, writer) = rustix::pipe::pipe()?;
        for fd in [&reader, &writer] {
            fcntl_setfd(fd, FdFlags::CLOEXEC)?;
            ioctl_fionbio(fd, true)?;
        }
        let waker = Waker {
            reader: OwnFd::new(above_stdio(reader)?),
            writer: Some(OwnFd::new(above_stdio(writer)?)),
        };
        let begun = count == 0 || waker.wake();
        begun.then_some(waker).ok_or_else(io::Error::last_os_error)
    }

    /// Creates one that has been woken, and so without any writing where there are eventfds.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub fn woken() -> io::Result<Waker> {
        Waker::starting_at(1)
    }

    /// Makes the reader readable; `false` if it can't: the filter has closed our descriptors, or the
    /// system refuses.
    ///
    /// Async-signal-safe: an `fstat` and a `write`.
    pub fn wake(&self) -> bool {
        jitter();
        if !self.is_intact() {
            return false;
        }
        let writer = self.writer.as_ref().unwrap_or(&self.reader);
        // A full counter or pipe means that a wake-up is pending already.
        matches!(rustix::io::write(writer, &1u64.to_ne_bytes()), Ok(_) | Err(Errno::AGAIN))
    }

    /// Makes the reader unreadable again.
    pub fn clear(&self) {
        let mut counter = [0; 64];
        while self.reader.is_intact()
            && rustix::io::read(&self.reader, &mut counter).is_ok_and(|n| n == counter.len())
        {
        }
    }

    /// Whether the descriptors still are ours.
    pub fn is_intact(&self) -> bool {
        self.reader.is_intact() && self.writer.as_ref().is_none_or(OwnFd::is_intact)
    }

    /// Waits for a wake-up, and takes it, or until the time is over (`None`: for ever).
    ///
    /// # Errors
    /// The descriptor is not ours any more; an interrupted wait counts as a wake-up.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::new(&self.reader, PollFlags::IN)];
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(0) | Err(Errno::INTR) => Ok(()),
            Ok(_) if self.is_intact() => {
                self.clear();
                Ok(())
            }
            Ok(_) => Err(Errno::BADF.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The waker of a process, which signal handlers may use at any time; a forked child makes its own.
#[derive(Debug)]
pub struct ProcessWaker {
    /// Null until there is one. What it points to is never freed.
    waker: AtomicPtr<Waker>,
    /// The process it belongs to.
    process: AtomicU32,
}

impl ProcessWaker {
    /// None yet, and no descriptor.
    #[must_use]
    pub const fn new() -> ProcessWaker {
        ProcessWaker { waker: AtomicPtr::new(ptr::null_mut()), process: AtomicU32::new(0) }
    }

    /// The waker, if this process has made one. Async-signal-safe.
    pub fn get(&self) -> Option<&'static Waker> {
        // Acquire pairs with the release in `renew`: the pointer is this process's.
        if self.process.load(Ordering::Acquire) != std::process::id() {
            return None;
        }
        // SAFETY: null, or from `Box::leak` in `renew`, whose writes the acquire above makes visible.
        unsafe { self.waker.load(Ordering::Acquire).as_ref() }
    }

    /// The waker, made now if this process has none or the filter has closed it.
    ///
    /// The one before stays allocated, since a signal handler may be using it, and stays open, since
    /// its number may be somebody else's by now: a descriptor for each fork that is followed by a run.
    ///
    /// # Errors
    /// No descriptor or memory is left.
    pub fn renew(&self) -> io::Result<&'static Waker> {
        if let Some(waker) = self.get().filter(|waker| waker.is_intact()) {
            return Ok(waker);
        }
        let waker = Box::leak(Box::new(Waker::new()?));
        self.waker.store(waker, Ordering::Release);
        self.process.store(std::process::id(), Ordering::Release);
        Ok(waker)
    }
}

impl Default for ProcessWaker {
    fn default() -> ProcessWaker {
        ProcessWaker::new()
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_gets_another_waker() {
        let cell = ProcessWaker::new();
        assert!(cell.get().is_none());
        let first: *const Waker = cell.renew().unwrap();
        assert_eq!(cell.renew().unwrap() as *const Waker, first);
        // As a forked child finds it.
        cell.process.store(std::process::id() + 1, Ordering::Relaxed);
        assert!(cell.get().is_none());
        assert_ne!(cell.renew().unwrap() as *const Waker, first);
    }

    #[test]
    fn waiting_takes_a_wake_up() {
        let waker = Waker::new().unwrap();
        assert!(waker.wake());
        waker.wait(None).unwrap();
        let waker = Waker::woken().unwrap();
        waker.wait(None).unwrap();
        let mut fds = [PollFd::new(&waker.reader, PollFlags::IN)];
        let none = Timespec::try_from(Duration::ZERO).ok();
        assert_eq!(rustix::event::poll(&mut fds, none.as_ref()), Ok(0));
    }
}
