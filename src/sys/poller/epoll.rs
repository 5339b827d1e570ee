//! Readiness by epoll.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::{BATCH, OwnFd, Poller, Ready, Timeout, Watch, above_stdio};
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
    /// The descriptors that are ready, or whose peer is gone.
    #[inline]
    pub fn ready(&self) -> impl DoubleEndedIterator<Item = Ready> + ExactSizeIterator + '_ {
        self.room.iter().take(self.found).map(|event| {
            let flags = event.flags;
            Ready::new(event.data.u64(), flags.intersects(LAST))
        })
    }
}

/// Bits that a key may have.
pub const KEY_BITS: u32 = 63;

/// Whether the system tells of what has arrived, rather than of what is there: that of illumos does not to
/// the letter.
const EDGES: bool = cfg!(not(target_os = "illumos"));

/// What comes with the end, of whatever kind.
const LAST: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

fn flags(watch: Watch) -> EventFlags {
    match watch {
        Watch::Level => EventFlags::IN,
        Watch::Shared => EventFlags::IN | EventFlags::EXCLUSIVE,
        Watch::Room => EventFlags::OUT,
        Watch::Edge if EDGES => EventFlags::IN | EventFlags::RDHUP | EventFlags::ET,
        Watch::Edge => EventFlags::IN,
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

    /// Tells once more of a descriptor watched for edges if there is more to be received.
    ///
    /// # Errors
    /// What is behind its number is not in the set.
    pub fn again(&self, fd: impl AsFd, key: u64) -> io::Result<()> {
        if EDGES { self.change(fd, key, Watch::Edge) } else { Ok(()) }
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
        match epoll::wait(&self.fd, &mut events.room, timeout.timespec().as_ref()) {
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
