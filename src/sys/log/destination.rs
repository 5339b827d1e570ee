//! Where log lines go instead of the system log, if the administrator has said so.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::OFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect};

use super::priority::Priority;
use super::time;
use crate::sys::fd::Identity;
use crate::sys::place::{append_to, descriptor};
use crate::sys::socket;

/// Where the C library looks for the system log; nothing where it does not look for a socket.
const SYSLOG: &str = if cfg!(any(target_os = "linux", target_os = "android", target_os = "illumos"))
{
    "/dev/log"
} else if cfg!(any(target_os = "freebsd", target_os = "netbsd", target_os = "dragonfly")) {
    "/var/run/log"
} else {
    ""
};

/// What a setting asks for.
#[derive(Debug)]
pub(super) enum Destination {
    /// The system log, which is where lines go unless something else is asked for.
    Syslog,
    /// This descriptor.
    Stream(Stream),
    /// The system log while there is one, else this descriptor.
    Auto(Stream),
    /// The end of this file, which is opened for each line, so that it may be moved away.
    File(PathBuf),
}

/// A descriptor of the program, and what was behind it when it was chosen: a daemon may close it, and
/// what it opens next has the same number.
#[derive(Debug)]
pub(super) struct Stream {
    number: RawFd,
    identity: Identity,
    /// Its other end is systemd's journal, which reads priorities as `<3>`.
    journal: bool,
}

impl Stream {
    fn new(number: RawFd) -> Option<Stream> {
        // SAFETY: it is not negative; a number that is not open is only one that the system refuses.
        let identity = Identity::of(unsafe { BorrowedFd::borrow_raw(number) });
        let journal = std::env::var("JOURNAL_STREAM").is_ok_and(|named| identity.is_named(&named));
        identity.is_open().then_some(Stream { number, identity, journal })
    }

    fn write(&self, priority: Priority, line: &str) -> io::Result<()> {
        // SAFETY: as above.
        let fd = unsafe { BorrowedFd::borrow_raw(self.number) };
        if !Identity::of(fd).is_still(self.identity) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let line = if self.journal {
            format!("<{}>{line}\n", priority.number())
        } else {
            stamped(priority, line)
        };
        Ok(rustix::io::write(fd, line.as_bytes()).map(drop)?)
    }
}

/// A line as it stands in a file.
fn stamped(priority: Priority, line: &str) -> String {
    format!("{} [{}] {}: {line}\n", time::now(), std::process::id(), priority.name())
}

fn append(path: &Path, priority: Priority, line: &str) -> io::Result<()> {
    let file = append_to(path, OFlags::CREATE)?;
    Ok(rustix::io::write(&file, stamped(priority, line).as_bytes()).map(drop)?)
}

/// Whether somebody reads the system log.
fn answers(syslog: &Path) -> bool {
    if syslog.as_os_str().is_empty() {
        return true;
    }
    let connected = || {
        let socket = socket::open(AddressFamily::UNIX, SocketType::DGRAM)?;
        Ok(connect(socket, &SocketAddrUnix::new(syslog)?)?)
    };
    // A log daemon that takes streams is one as well.
    connected()
        .map_or_else(|error: io::Error| error.raw_os_error() == Some(libc::EPROTOTYPE), |()| true)
}

impl Destination {
    /// Reads a setting: `syslog`, `stderr`, `auto`, `fd:number` or an absolute path; `None` if it is
    /// something else, or the descriptor is not open.
    fn parse(setting: &[u8]) -> Option<Destination> {
        match setting {
            b"syslog" => Some(Destination::Syslog),
            b"auto" => Some(match Stream::new(libc::STDERR_FILENO) {
                Some(stream) => Destination::Auto(stream),
                None => Destination::Syslog,
            }),
            [b'/', ..] if !setting.contains(&0) => {
                Some(Destination::File(std::ffi::OsStr::from_bytes(setting).into()))
            }
            _ => Stream::new(descriptor(setting)?).map(Destination::Stream),
        }
    }

    /// Writes a line there; false if it has to go to the system log.
    fn takes(&self, priority: Priority, line: &str) -> bool {
        let written = match self {
            Destination::Syslog => return false,
            Destination::Auto(_) if answers(Path::new(SYSLOG)) => return false,
            Destination::Auto(stream) | Destination::Stream(stream) => stream.write(priority, line),
            Destination::File(path) => append(path, priority, line),
        };
        written.is_ok()
    }
}

static CHOSEN: OnceLock<Destination> = OnceLock::new();

/// Has all lines from now on go where the setting says; the first one that is known holds. False if it
/// says nothing that is known, or a descriptor that is not open.
pub fn choose(setting: &[u8]) -> bool {
    let Some(destination) = Destination::parse(setting) else { return false };
    CHOSEN.get_or_init(|| destination);
    true
}

/// Whether the administrator has said where lines go.
pub fn is_chosen() -> bool {
    CHOSEN.get().is_some()
}

/// Writes a line where it was asked for; false if it has to go to the system log.
pub(super) fn take(priority: Priority, line: &str) -> bool {
    CHOSEN.get().is_some_and(|chosen| chosen.takes(priority, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn settings() {
        let parse = |text: &str| format!("{:?}", Destination::parse(text.as_bytes()));
        assert_eq!(parse("syslog"), "Some(Syslog)");
        assert!(parse("/var/log/x").starts_with("Some(File("));
        assert!(parse("stderr").starts_with("Some(Stream("));
        assert!(parse("auto").starts_with("Some(Auto("));
        for unknown in ["", "log", "x/y", "fd:", "fd:x", "fd:-1", "fd:99999", "/a\0b", "Stderr"] {
            assert_eq!(parse(unknown), "None", "{unknown:?}");
        }
    }

    #[test]
    fn only_a_log_that_somebody_reads_answers() {
        let dir = directory();
        let path = dir.join("log");
        assert!(!answers(&path));
        let reader = UnixDatagram::bind(&path).unwrap();
        assert!(answers(&path));
        drop(reader);
        assert!(!answers(&path));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_number_that_is_somebody_elses_gets_no_line() {
        let dir = directory();
        let (first, second) = (dir.join("first"), dir.join("second"));
        let file = std::fs::File::create(&first).unwrap();
        let stream = Stream::new(file.as_raw_fd()).unwrap();
        stream.write(Priority::Error, "one").unwrap();
        let other = std::fs::File::create(&second).unwrap();
        let replaced = Stream { number: other.as_raw_fd(), ..stream };
        replaced.write(Priority::Error, "two").unwrap_err();
        assert!(std::fs::read_to_string(&first).unwrap().ends_with("] err: one\n"));
        assert_eq!(std::fs::read_to_string(&second).unwrap(), "");
        std::fs::remove_dir_all(dir).unwrap();
    }

    fn directory() -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("libmilter-log-{}-{n}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        dir
    }
}
