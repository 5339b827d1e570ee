//! Readiness: which of many descriptors can be read, or written to.

use std::io;
use std::time::Duration;

use rustix::event::Timespec;

use super::fd::{OwnFd, above_stdio};

/// Events taken in one call.
pub const BATCH: usize = 128;

/// A set of descriptors to wait for; one epoll or kqueue instance.
#[derive(Debug)]
pub struct Poller {
    fd: OwnFd,
}

impl Poller {
    /// Whether the descriptor still is ours.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.fd.is_intact()
    }
}

/// How a descriptor is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Each wait tells of it for as long as it can be read.
    Level,
    /// The same; several pollers that share the descriptor do not all wake for the same event, where the
    /// system can do that.
    Shared,
    /// Each wait tells of it for as long as it can be written to, or if its peer is gone.
    Room,
    /// A wait tells of it once when something has arrived, and once more when there is more: it is to be
    /// received until less comes than there was room for, see [`Poller::again`]. As [`Watch::Level`] on
    /// systems other than Linux.
    Edge,
}

/// A descriptor that is ready, or whose peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready(pub u64);

impl Ready {
    /// Set beside the key if nothing follows what has arrived but the end, of which no other wait tells.
    const LAST: u64 = 1 << 63;

    #[inline]
    fn new(key: u64, last: bool) -> Ready {
        Ready(key | (u64::from(last) * Ready::LAST))
    }

    /// What the descriptor was added with: [`KEY_BITS`].
    #[must_use]
    #[inline]
    pub fn key(self) -> u64 {
        self.0 & !Ready::LAST
    }

    /// Whether there is the end, too, to be received after what has arrived.
    #[must_use]
    #[inline]
    pub fn is_last(self) -> bool {
        self.0 & Ready::LAST != 0
    }
}

/// Whether an error of adding a descriptor is for want of room, not the descriptor's.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    [libc::ENOMEM, libc::ENOSPC].iter().any(|&errno| error.raw_os_error() == Some(errno))
}

/// How long to wait: seconds, and nanoseconds beyond them.
///
/// So few seconds that each system takes them for what they are: Linux before 5.11 has no more than 24 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(Option<(u16, u32)>);

impl Timeout {
    /// For ever.
    pub const NONE: Timeout = Timeout(None);

    /// `None` is for ever; after 18 hours the wait ends in any case.
    #[must_use]
    pub fn new(timeout: Option<Duration>) -> Timeout {
        let seconds = |timeout: Duration| u16::try_from(timeout.as_secs()).unwrap_or(u16::MAX);
        Timeout(timeout.map(|timeout| (seconds(timeout), timeout.subsec_nanos())))
    }

    #[inline]
    fn timespec(self) -> Option<Timespec> {
        let timespec = |(seconds, nanos): (u16, u32)| Timespec {
            tv_sec: seconds.into(),
            tv_nsec: nanos.into(),
        };
        self.0.map(timespec)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "illumos"))]
#[path = "poller/epoll.rs"]
mod backend;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "illumos")))]
#[path = "poller/kqueue.rs"]
mod backend;

pub use backend::{Events, KEY_BITS};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::waker::Waker;

    /// Keys of what is ready, and whether that is the last.
    fn ready(poller: &Poller, timeout: Duration) -> Vec<(u64, bool)> {
        let mut events = Events::default();
        poller.wait(&mut events, &Timeout::new(Some(timeout))).unwrap();
        events.ready().map(|ready| (ready.key(), ready.is_last())).collect()
    }

    #[test]
    fn a_long_wait_ends_some_time() {
        let long = Timeout::new(Some(Duration::MAX)).timespec().unwrap();
        assert_eq!(long, Timespec { tv_sec: 65_535, tv_nsec: 999_999_999 });
        let short = Timeout::new(Some(Duration::from_millis(1_500))).timespec().unwrap();
        assert_eq!(short, Timespec { tv_sec: 1, tv_nsec: 500_000_000 });
    }

    #[test]
    fn a_waker_wakes_until_cleared() {
        let poller = Poller::new().unwrap();
        let waker = Waker::new().unwrap();
        poller.add(&waker, 7, Watch::Level).unwrap();
        assert!(ready(&poller, Duration::ZERO).is_empty());
        waker.wake();
        assert_eq!(ready(&poller, Duration::from_secs(10)), [(7, false)]);
        waker.clear();
        assert!(ready(&poller, Duration::ZERO).is_empty());
        poller.delete(&waker);
        waker.wake();
        assert!(ready(&poller, Duration::ZERO).is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_has_arrived_is_told_once_and_the_end_with_what_is_left() {
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;

        let poller = Poller::new().unwrap();
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let ready = || ready(&poller, Duration::ZERO);
        theirs.write_all(b"x").unwrap();
        poller.add(&ours, 5, Watch::Edge).unwrap();
        assert_eq!(ready(), [(5, false)], "there before it was added");
        assert_eq!(ready(), []);
        theirs.write_all(b"y").unwrap();
        assert_eq!(ready(), [(5, false)], "more");
        poller.again(&ours, 5).unwrap();
        assert_eq!(ready(), [(5, false)], "asked for");
        ours.read_exact(&mut [0; 2]).unwrap();
        poller.again(&ours, 5).unwrap();
        assert_eq!(ready(), []);
        theirs.write_all(b"z").unwrap();
        drop(theirs);
        assert_eq!(ready(), [(5, true)]);
        assert_eq!(ready(), []);
        ours.read_exact(&mut [0; 1]).unwrap();
        poller.again(&ours, 5).unwrap();
        assert_eq!(ready(), [(5, true)], "the end alone");
    }
}
