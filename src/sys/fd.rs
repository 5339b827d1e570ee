//! Descriptors of our own: never in the places of stdin, stdout and stderr, and told from others that
//! have taken their numbers.

use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

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

/// A descriptor of our own that a run depends on.
///
/// A filter that closes descriptors it does not own, by a number too many or all from 3 on, takes ours
/// away, and what it opens next has the same number. So what is behind the number is remembered: only
/// that is used and closed.
#[derive(Debug)]
pub struct OwnFd {
    fd: ManuallyDrop<OwnedFd>,
    identity: Identity,
}

/// What is behind a descriptor now, to be compared later.
#[derive(Debug, Clone, Copy)]
pub enum Identity {
    /// Device and inode; all that epoll and eventfd have is one inode for all of their kind.
    File(u64, u64),
    /// It is not open.
    Closed,
    /// The system does not tell.
    Unknown,
}

impl Identity {
    /// Looks it up.
    #[must_use]
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "types differ by platform"
    )]
    pub fn of(fd: impl AsFd) -> Identity {
        match rustix::fs::fstat(fd) {
            Ok(stat) => Identity::File(stat.st_dev as u64, stat.st_ino as u64),
            Err(rustix::io::Errno::BADF) => Identity::Closed,
            Err(_) => Identity::Unknown,
        }
    }

    /// Whether there was anything.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Identity::File(..))
    }

    /// Whether it still is the same, as far as the system tells.
    #[must_use]
    pub fn is_still(self, before: Identity) -> bool {
        match (self, before) {
            (Identity::Unknown, _) | (_, Identity::Unknown) => true,
            (Identity::File(device, inode), Identity::File(other, before)) => {
                (device, inode) == (other, before)
            }
            (Identity::Closed, before) => matches!(before, Identity::Closed),
            (Identity::File(..), Identity::Closed) => false,
        }
    }

    /// Whether it is the one that `JOURNAL_STREAM` names, "device:inode" in decimal numbers.
    #[must_use]
    pub fn is_named(self, stream: &str) -> bool {
        let Identity::File(device, inode) = self else { return false };
        stream == format!("{device}:{inode}")
    }
}

impl OwnFd {
    /// Of a descriptor that was just made, or handed to us; it keeps its number.
    #[must_use]
    pub fn new(fd: OwnedFd) -> OwnFd {
        let identity = Identity::of(&fd);
        OwnFd { fd: ManuallyDrop::new(fd), identity }
    }

    /// Whether the number still is what it was. Async-signal-safe.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        Identity::of(&*self.fd).is_still(self.identity)
    }
}

impl AsFd for OwnFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for OwnFd {
    fn drop(&mut self) {
        if self.is_intact() {
            // SAFETY: the field is not used again, as this runs once and nothing follows it.
            unsafe { ManuallyDrop::drop(&mut self.fd) };
        }
    }
}

/// The socket of a session: closed when dropped, unless its number has been found to be somebody
/// else's.
///
/// It costs no system call to find out: a poller that does not know the descriptor any more says so. And
/// a number that comes anew, for another session, was closed by somebody else.
#[derive(Debug)]
pub struct SessionFd {
    /// The number, with [`SessionFd::LOST`] if it is not ours any more. If it is below
    /// [`SessionFd::NUMBERS`], its owner above that, see [`OWNERS`], and [`SessionFd::OWNED`].
    fd: AtomicI32,
}

/// What the last session has that was given a number. Not touched where numbers are higher.
static OWNERS: [AtomicI32; SessionFd::NUMBERS] = [const { AtomicI32::new(0) }; SessionFd::NUMBERS];

impl SessionFd {
    const LOST: i32 = 1 << 30;
    const OWNED: i32 = 1 << 29;
    /// Numbers that are looked after: those of 16 bits.
    const NUMBERS: usize = 1 << 16;
    /// Added for the next owner of a number. Some thousand owners can be told apart.
    const NEXT: i32 = 1 << 16;
    /// No descriptor has this number.
    const NOBODYS: i32 = i32::MAX;

    /// Takes a descriptor that was just made.
    #[must_use]
    pub fn new(fd: OwnedFd) -> SessionFd {
        let mut fd = fd.into_raw_fd();
        if let Some(last) = OWNERS.get(fd as usize) {
            // Relaxed: who had the number before looks again with each call. Nobody else is given it now.
            let owners = last.load(Ordering::Relaxed).wrapping_add(SessionFd::NEXT);
            fd |= SessionFd::OWNED | (owners & (SessionFd::OWNED - SessionFd::NEXT));
            last.store(fd, Ordering::Relaxed);
        }
        SessionFd { fd: AtomicI32::new(fd) }
    }

    /// The number, unless another session has it by now.
    #[inline]
    fn number(fd: i32) -> Option<i32> {
        let number = fd as u16;
        match OWNERS.get(usize::from(number)) {
            Some(last) if last.load(Ordering::Relaxed) == fd => Some(i32::from(number)),
            _ => SessionFd::number_looked_up(fd),
        }
    }

    /// The same for one that is lost, or not looked after, or another session's.
    #[cold]
    fn number_looked_up(fd: i32) -> Option<i32> {
        let fd = fd & !SessionFd::LOST;
        if fd & SessionFd::OWNED == 0 {
            return Some(fd);
        }
        let number = fd as u16;
        let last = OWNERS.get(usize::from(number))?.load(Ordering::Relaxed);
        (last == fd).then_some(i32::from(number))
    }

    /// Takes [`SessionFd::lost`] back: it was not to be found for another reason.
    pub fn found(&self) {
        self.fd.fetch_and(!SessionFd::LOST, Ordering::Relaxed);
    }

    /// Notes that the filter has closed it, so that the number is not closed once more.
    pub fn lost(&self) {
        // Relaxed: whoever drops this has been handed it.
        self.fd.fetch_or(SessionFd::LOST, Ordering::Relaxed);
    }
}

impl AsFd for SessionFd {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        let fd = SessionFd::number(self.fd.load(Ordering::Relaxed));
        // SAFETY: the number came from an `OwnedFd`, so it is not negative, and this closes it only
        // when dropped; one that the filter has closed is only a number that the system refuses, and so
        // is the one that is nobody's.
        unsafe { BorrowedFd::borrow_raw(fd.unwrap_or(SessionFd::NOBODYS)) }
    }
}

impl Drop for SessionFd {
    fn drop(&mut self) {
        let fd = *self.fd.get_mut();
        if let Some(fd) = SessionFd::number(fd).filter(|_| fd & SessionFd::LOST == 0) {
            // SAFETY: the number came from an `OwnedFd`, and this is the only place that gives it back.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_has_taken_a_number_of_ours_is_not_closed() {
        let (ours, _peer) = UnixStream::pair().unwrap();
        let (theirs, mut peer) = UnixStream::pair().unwrap();
        let own = OwnFd::new(ours.into());
        assert!(own.is_intact());
        let changed = OwnFd { fd: ManuallyDrop::new(theirs.into()), identity: own.identity };
        assert!(!changed.is_intact());
        drop(changed);
        peer.set_nonblocking(true).unwrap();
        assert_eq!(
            peer.read(&mut [0]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock,
            "still open"
        );
    }

    #[test]
    fn a_lost_socket_of_a_session_is_not_closed() {
        let closed = |lost: bool| {
            let (ours, mut peer) = UnixStream::pair().unwrap();
            let socket = SessionFd::new(ours.into());
            if lost {
                socket.lost();
            }
            drop(socket);
            peer.set_nonblocking(true).unwrap();
            peer.read(&mut [0]).is_ok_and(|n| n == 0)
        };
        assert!(closed(false));
        assert!(!closed(true));
    }

    #[test]
    fn a_number_that_another_session_has_is_left_alone() {
        let (ours, _peer) = UnixStream::pair().unwrap();
        let first = SessionFd::new(ours.into());
        let number = first.as_fd().as_raw_fd();
        let (other, mut peer) = UnixStream::pair().unwrap();
        // SAFETY: both are open. What was there is closed, as a filter does it.
        let number = unsafe { libc::dup2(other.as_raw_fd(), number) };
        // SAFETY: the first owner of the number is the subject of the test, and does not close it.
        let second = unsafe { OwnedFd::from_raw_fd(number) };
        drop(other);
        let second = SessionFd::new(second);
        assert_eq!(second.as_fd().as_raw_fd(), number);
        assert_ne!(first.as_fd().as_raw_fd(), number);
        drop(first);
        peer.set_nonblocking(true).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(second);
        assert!(peer.read(&mut [0]).is_ok_and(|n| n == 0));
    }

    #[test]
    fn descriptors_above_stay() {
        let fd: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let number = fd.as_raw_fd();
        assert!(number >= LOWEST, "the test runs with stdio open");
        assert_eq!(above_stdio(fd).unwrap().as_raw_fd(), number);
    }
}
