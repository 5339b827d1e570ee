//! Where the lines of a trace go: a descriptor of the program, or a file that is rotated.
//!
//! Nothing here waits for a reader, and once made nothing allocates.

use std::ffi::{CStr, CString};
use std::fmt::{self, Write};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags};

use super::fd::{Identity, OwnFd, above_stdio};
use super::place::{append_to, descriptor};
use super::socket::send_some;

/// Bytes that are written at once: what a pipe takes whole or not at all.
const PIECE: usize = 4096;

/// Where lines go.
#[derive(Debug)]
pub struct Sink {
    target: Target,
    piece: Box<[u8]>,
    filled: usize,
    /// The last line was written in part.
    broken: bool,
    /// Something of the current line was written.
    begun: bool,
    /// Why the current line can't be written.
    error: Option<io::Error>,
    /// What is written now goes here.
    record: Option<OwnFd>,
    /// Bytes written since the last line has begun.
    written: u64,
}

/// A file of which others have no part: it is made anew, opened for each record, so that many of them need
/// no descriptors, and nothing is added to another one that has taken its place.
#[derive(Debug)]
pub struct Record {
    path: CString,
    made: Option<Identity>,
}

impl Record {
    /// A file that is made when something is written to it; `None` if its name can't be one.
    #[must_use]
    pub fn new(path: Vec<u8>) -> Option<Record> {
        Some(Record { path: CString::new(path).ok()?, made: None })
    }

    /// Whether something was written to it, or tried to.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.made.is_some()
    }

    fn open(&mut self) -> io::Result<OwnFd> {
        let Some(made) = self.made else {
            let open = open_own(&self.path, OFlags::CREATE | OFlags::EXCL)?;
            self.made = Some(Identity::of(&open));
            return Ok(open);
        };
        let open = open_own(&self.path, OFlags::empty())?;
        if Identity::of(&open).is_still(made) {
            Ok(open)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

#[derive(Debug)]
enum Target {
    Lent(Lent),
    File(File),
    Records,
}

/// A descriptor of the program, and what was behind it when it was chosen.
#[derive(Debug)]
struct Lent {
    number: RawFd,
    identity: Identity,
    kind: FileType,
    /// Opens what is behind it anew.
    again: CString,
}

/// A file, and the one that it was before.
#[derive(Debug)]
struct File {
    path: CString,
    old: CString,
    open: Option<OwnFd>,
    /// Bytes from which on it becomes the old one.
    limit: u64,
}

impl Sink {
    /// Reads a setting: `stderr`, `fd:number` or an absolute path, whose file is moved aside, to the same
    /// name with `.old` behind it, when it has `limit` bytes. `None` if it is something else, or the
    /// descriptor is not open.
    #[must_use]
    pub fn parse(setting: &[u8], limit: u64) -> Option<Sink> {
        let target = match setting {
            [b'/', ..] => {
                let old = CString::new([setting, b".old"].concat()).ok()?;
                Target::File(File { path: CString::new(setting).ok()?, old, open: None, limit })
            }
            _ => Target::Lent(Lent::new(descriptor(setting)?)?),
        };
        Some(Sink::new(target))
    }

    /// For records only.
    #[must_use]
    pub fn for_records() -> Sink {
        Sink::new(Target::Records)
    }

    fn new(target: Target) -> Sink {
        let (piece, error, record) = (vec![0; PIECE].into(), None, None);
        Sink { target, piece, filled: 0, broken: false, begun: false, error, record, written: 0 }
    }

    /// Adds to a record; gives how many bytes.
    ///
    /// # Errors
    /// It could not be written, or not in full.
    pub fn record(
        &mut self,
        record: &mut Record,
        write: impl FnOnce(&mut dyn Write) -> fmt::Result,
    ) -> io::Result<u64> {
        (self.filled, self.written, self.error) = (0, 0, None);
        self.record = Some(record.open()?);
        let done = write(self).and_then(|()| self.flush());
        self.record = None;
        done.map_err(|_| self.error.take().unwrap_or_else(|| io::ErrorKind::Other.into()))?;
        Ok(self.written)
    }

    /// Writes a line, to which the end is added.
    ///
    /// # Errors
    /// It could not be written, or not in full.
    pub fn line(&mut self, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> io::Result<()> {
        (self.filled, self.begun, self.error) = (0, false, None);
        if let Target::File(file) = &mut self.target {
            file.prepare()?;
        }
        let broken = self.broken;
        let start = if broken { self.write_char('\n') } else { Ok(()) };
        let done = start.and_then(|()| write(self)).and_then(|()| self.write_char('\n'));
        let done = done.and_then(|()| self.flush());
        self.broken = (done.is_err() && self.begun) || (broken && !self.begun);
        done.map_err(|_| self.error.take().unwrap_or_else(|| io::ErrorKind::Other.into()))
    }

    /// Writes what there is.
    fn flush(&mut self) -> fmt::Result {
        let mut bytes = self.piece.get(..self.filled).unwrap_or_default();
        while !bytes.is_empty() {
            let written = match (&self.record, &self.target) {
                (Some(open), _) => rustix::io::write(open, bytes).map_err(io::Error::from),
                (_, Target::Lent(lent)) => lent.write(bytes),
                (_, Target::File(file)) => file.write(bytes),
                (_, Target::Records) => Err(io::ErrorKind::NotFound.into()),
            };
            match written {
                Ok(0) => {
                    self.error = Some(io::ErrorKind::WouldBlock.into());
                    return Err(fmt::Error);
                }
                Ok(n) => {
                    self.begun = true;
                    self.written += n as u64;
                    bytes = bytes.get(n..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error);
                    return Err(fmt::Error);
                }
            }
        }
        self.filled = 0;
        Ok(())
    }
}

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            if self.filled == self.piece.len() {
                self.flush()?;
            }
            let room = self.piece.get_mut(self.filled..).unwrap_or_default();
            let (now, later) = bytes.split_at(room.len().min(bytes.len()));
            room.iter_mut().zip(now).for_each(|(place, byte)| *place = *byte);
            self.filled += now.len();
            bytes = later;
        }
        Ok(())
    }
}

impl Lent {
    fn new(number: RawFd) -> Option<Lent> {
        // SAFETY: it is not negative; a number that is not open is only one that the system refuses.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let kind = FileType::from_raw_mode(rustix::fs::fstat(fd).ok()?.st_mode);
        let again = CString::new(format!("/proc/self/fd/{number}")).ok()?;
        Some(Lent { number, identity: Identity::of(fd), kind, again })
    }

    /// Writes as much as fits.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: as above.
        let fd = unsafe { BorrowedFd::borrow_raw(self.number) };
        if !Identity::of(fd).is_still(self.identity) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.kind == FileType::Socket {
            return send_some(fd, bytes);
        }
        let mut ready = [PollFd::new(&fd, PollFlags::OUT)];
        if poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.kind == FileType::Fifo {
            // Another process may fill the pipe in this moment. Its own descriptor is left as it is, as
            // others share it; where it can't be had, for another user's rights, it has to do.
            let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
            if let Ok(again) = rustix::fs::open(self.again.as_c_str(), flags, Mode::empty()) {
                let again = above_stdio(again)?;
                return Ok(rustix::io::write(&again, bytes)?);
            }
        }
        Ok(rustix::io::write(fd, bytes)?)
    }
}

impl File {
    /// Has the file open, and with room.
    fn prepare(&mut self) -> io::Result<()> {
        // What the filter has closed is not used, nor what others have moved away.
        let open = self.open.take().filter(|open| open.is_intact() && !self.is_replaced(open));
        let open = match open {
            Some(open) => open,
            None => open_own(&self.path, OFlags::CREATE)?,
        };
        if rustix::fs::fstat(&open)?.st_size as u64 >= self.limit {
            rustix::fs::rename(self.path.as_c_str(), self.old.as_c_str())?;
            self.open = Some(open_own(&self.path, OFlags::CREATE)?);
        } else {
            self.open = Some(open);
        }
        Ok(())
    }

    /// Whether another file has the name, or none.
    fn is_replaced(&self, open: &OwnFd) -> bool {
        use rustix::io::Errno;
        match (rustix::fs::lstat(self.path.as_c_str()), rustix::fs::fstat(open)) {
            (Ok(named), Ok(own)) => (named.st_dev, named.st_ino) != (own.st_dev, own.st_ino),
            (Err(error), _) => error == Errno::NOENT,
            _ => false,
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.open {
            Some(open) => Ok(rustix::io::write(open, bytes)?),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Opens a file of our own.
fn open_own(path: &CStr, more: OFlags) -> io::Result<OwnFd> {
    Ok(OwnFd::new(append_to(path, more)?))
}
