//! Readiness: which of many descriptors can be read, or written to. Level-triggered.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;

use super::fd::{OwnFd, above_stdio};

/// Events taken in one call.
const BATCH: usize = 128;

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
}

/// Whether an error of adding a descriptor is for want of room, not the descriptor's.
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    [libc::ENOMEM, libc::ENOSPC].iter().any(|&errno| error.raw_os_error() == Some(errno))
}

/// How long to wait, in the form the system wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(Option<Timespec>);

impl Timeout {
    /// For ever.
    pub const NONE: Timeout = Timeout(None);

    /// `None`, or more than the system can express, is for ever.
    #[must_use]
    pub fn new(timeout: Option<Duration>) -> Timeout {
        Timeout(timeout.and_then(|t| Timespec::try_from(t).ok()))
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "illumos"))]
mod backend {
    use super::{AsFd, BATCH, OwnFd, OwnedFd, Poller, Timeout, Watch, above_stdio, io};
    use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

    /// Room for the events of one wait.
    pub struct Events {
        room: [epoll::Event; BATCH],
        found: usize,
    }

    impl Default for Events {
        fn default() -> Events {
            let none = epoll::Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
            Events { room: [none; BATCH], found: 0 }
        }
    }

    impl Events {
        /// Keys of the descriptors that are ready, or whose peer is gone.
        #[inline]
        pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
            self.room.iter().take(self.found).map(|event| event.data.u64())
        }
    }

    fn flags(watch: Watch) -> EventFlags {
        match watch {
            Watch::Level => EventFlags::IN,
            Watch::Shared => EventFlags::IN | EventFlags::EXCLUSIVE,
            Watch::Room => EventFlags::OUT,
        }
    }

    impl Poller {
        /// An empty set, close-on-exec.
        ///
        /// # Errors
        /// No descriptor or memory is left.
        pub fn new() -> io::Result<Poller> {
            let fd: OwnedFd = epoll::create(CreateFlags::CLOEXEC)?;
            Ok(Poller { fd: OwnFd::new(above_stdio(fd)?) })
        }

        /// Adds a descriptor.
        ///
        /// # Errors
        /// Out of memory, or over the system's limit of watched descriptors.
        pub fn add(&self, fd: impl AsFd, key: u64, watch: Watch) -> io::Result<()> {
            Ok(epoll::add(&self.fd, fd, EventData::new_u64(key), flags(watch))?)
        }

        /// Watches a descriptor that was added in another way; not one that is shared.
        ///
        /// # Errors
        /// What is behind its number is not in the set.
        pub fn change(&self, fd: impl AsFd, key: u64, watch: Watch) -> io::Result<()> {
            Ok(epoll::modify(&self.fd, fd, EventData::new_u64(key), flags(watch))?)
        }

        /// Removes a descriptor; `false` if what is behind its number is not in the set.
        pub fn delete(&self, fd: impl AsFd) -> bool {
            use rustix::io::Errno;
            // For whatever other reason: closing it removes it as well.
            !matches!(
                epoll::delete(&self.fd, fd),
                Err(Errno::NOENT | Errno::BADF | Errno::PERM | Errno::INVAL)
            )
        }

        /// Waits until a descriptor can be read or the time is over; fills `events`.
        ///
        /// # Errors
        /// The descriptor is not ours any more; an interrupted wait counts as one without events.
        #[inline]
        pub fn wait(&self, events: &mut Events, timeout: &Timeout) -> io::Result<()> {
            match epoll::wait(&self.fd, &mut events.room, timeout.0.as_ref()) {
                Ok(found) => events.found = found,
                Err(error) => {
                    events.found = 0;
                    if error != rustix::io::Errno::INTR {
                        return Err(error.into());
                    }
                }
            }
            Ok(())
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "illumos")))]
mod backend {
    use super::{AsFd, BATCH, OwnFd, OwnedFd, Poller, Timeout, Watch, above_stdio, io};
    use rustix::event::kqueue::{self, Event, EventFilter, EventFlags};
    use std::os::fd::AsRawFd;

    /// Room for the events of one wait.
    #[derive(Default)]
    pub struct Events(Vec<Event>);

    impl Events {
        /// Keys of the descriptors that are ready, or whose peer is gone.
        pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
            self.0.iter().map(|event| event.udata() as usize as u64)
        }
    }

    fn filter(watch: Watch) -> fn(i32) -> EventFilter {
        if watch == Watch::Room { EventFilter::Write } else { EventFilter::Read }
    }

    impl Poller {
        /// An empty set, close-on-exec.
        ///
        /// # Errors
        /// No descriptor or memory is left.
        pub fn new() -> io::Result<Poller> {
            let fd: OwnedFd = kqueue::kqueue()?;
            rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
            Ok(Poller { fd: OwnFd::new(above_stdio(fd)?) })
        }

        fn apply(
            &self,
            fd: impl AsFd,
            key: u64,
            filter: fn(i32) -> EventFilter,
            flags: EventFlags,
        ) -> io::Result<()> {
            let filter = filter(fd.as_fd().as_raw_fd());
            let udata = std::ptr::without_provenance_mut(key as usize);
            let mut none: [Event; 0] = [];
            // SAFETY: the descriptor in the filter is borrowed for the call, and closing it later
            // removes it from the queue.
            unsafe {
                kqueue::kevent(&self.fd, &[Event::new(filter, flags, udata)], &mut none, None)
            }?;
            Ok(())
        }

        /// Adds a descriptor.
        ///
        /// # Errors
        /// Out of memory.
        pub fn add(&self, fd: impl AsFd, key: u64, watch: Watch) -> io::Result<()> {
            self.apply(fd, key, filter(watch), EventFlags::ADD)
        }

        /// Watches a descriptor that was added in another way.
        ///
        /// # Errors
        /// Out of memory, or what is behind its number is not in the set.
        pub fn change(&self, fd: impl AsFd, key: u64, watch: Watch) -> io::Result<()> {
            let before = if watch == Watch::Room { Watch::Level } else { Watch::Room };
            self.apply(&fd, key, filter(before), EventFlags::DELETE)?;
            self.add(fd, key, watch)
        }

        /// Removes a descriptor; `false` if what is behind its number is not in the set.
        pub fn delete(&self, fd: impl AsFd) -> bool {
            let delete = |watch| self.apply(&fd, 0, filter(watch), EventFlags::DELETE).is_ok();
            delete(Watch::Level) || delete(Watch::Room)
        }

        /// Waits until a descriptor can be read or the time is over; fills `events`.
        ///
        /// # Errors
        /// The descriptor is not ours any more; an interrupted wait counts as one without events.
        pub fn wait(&self, events: &mut Events, timeout: &Timeout) -> io::Result<()> {
            events.0.clear();
            events.0.reserve(BATCH);
            let room = rustix::buffer::spare_capacity(&mut events.0);
            // SAFETY: no changes are passed, so no descriptor is named.
            let result =
                unsafe { kqueue::kevent_timespec(&self.fd, &[], room, timeout.0.as_ref()) };
            match result {
                Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }
    }
}

pub use backend::Events;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::waker::Waker;

    #[test]
    fn a_waker_wakes_until_cleared() {
        let poller = Poller::new().unwrap();
        let waker = Waker::new().unwrap();
        let mut events = Events::default();
        poller.add(&waker, 7, Watch::Level).unwrap();
        let mut ready = |timeout| {
            poller.wait(&mut events, &Timeout::new(Some(timeout))).unwrap();
            events.keys().collect::<Vec<_>>()
        };
        assert!(ready(Duration::ZERO).is_empty());
        waker.wake();
        assert_eq!(ready(Duration::from_secs(10)), [7]);
        waker.clear();
        assert!(ready(Duration::ZERO).is_empty());
        poller.delete(&waker);
        waker.wake();
        assert!(ready(Duration::ZERO).is_empty());
    }
}
