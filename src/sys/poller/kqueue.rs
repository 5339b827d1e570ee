//! Readiness by kqueue.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use super::{BATCH, OwnFd, Poller, Ready, Timeout, Watch, above_stdio};
use rustix::event::kqueue::{self, Event, EventFilter, EventFlags};

/// Room for the events of one wait.
#[derive(Default)]
pub struct Events(Vec<Event>);

impl Events {
    /// The descriptors that are ready, or whose peer is gone.
    pub fn ready(&self) -> impl DoubleEndedIterator<Item = Ready> + ExactSizeIterator + '_ {
        self.0.iter().map(|event| Ready::new(event.udata() as usize as u64, false))
    }
}

/// Bits that a key may have.
pub const KEY_BITS: u32 = if usize::BITS < 63 { usize::BITS } else { 63 };

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
        unsafe { kqueue::kevent(&self.fd, &[Event::new(filter, flags, udata)], &mut none, None) }?;
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

    /// Each wait tells of what is there anyway.
    ///
    /// # Errors
    /// None.
    pub fn again(&self, _fd: impl AsFd, _key: u64) -> io::Result<()> {
        Ok(())
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
            unsafe { kqueue::kevent_timespec(&self.fd, &[], room, timeout.timespec().as_ref()) };
        match result {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
