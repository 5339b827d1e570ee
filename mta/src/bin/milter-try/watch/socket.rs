//! The socket of a filter's statistics.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::page::{Callbacks, Page};
use crate::status::{Failure, Status};

/// How long an answer may take.
const BOUND: Duration = Duration::from_secs(5);
/// Bytes that an answer may have.
const MOST: u64 = 4 << 20;

/// Where the statistics are.
#[derive(Debug)]
pub(super) enum Place {
    Path(PathBuf),
    /// A socket without a file.
    Abstract(Vec<u8>),
}

impl Place {
    /// As `LIBMILTER_STATS` has it.
    pub(super) fn parse(text: &OsStr) -> Result<Place, Failure> {
        let bytes = text.as_bytes();
        if let Some(name) = bytes.strip_prefix(b"abstract:") {
            return Ok(Place::Abstract(name.to_vec()));
        }
        let path = bytes.strip_prefix(b"unix:").unwrap_or(bytes);
        match path {
            [] => Err(Failure::usage("--watch: no path of a socket")),
            path => Ok(Place::Path(OsStr::from_bytes(path).into())),
        }
    }

    fn shown(&self) -> String {
        match self {
            Place::Path(path) => path.display().to_string(),
            Place::Abstract(name) => format!("abstract:{}", String::from_utf8_lossy(name)),
        }
    }

    fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Place::Path(path) => UnixStream::connect(path),
            #[cfg(target_os = "linux")]
            Place::Abstract(name) => {
                use std::os::linux::net::SocketAddrExt;
                let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
                UnixStream::connect_addr(&address)
            }
            #[cfg(not(target_os = "linux"))]
            Place::Abstract(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Asks for both pages.
    pub(super) fn look(&self) -> Result<(Page, Callbacks), Failure> {
        let page = self.get("/metrics").map_err(|error| self.unavailable(&error))?;
        let callbacks = self.get("/callbacks").map_err(|error| self.unavailable(&error))?;
        let (page, callbacks) = (Page::read(&page), Callbacks::read(&callbacks));
        match page {
            Some(page) => Ok((page, callbacks)),
            None => {
                let shown = self.shown();
                let text = format!(
                    "{shown} answers, but not with statistics of libmilter: give the path of \
                     LIBMILTER_STATS"
                );
                Err(Failure::new(Status::Protocol, text))
            }
        }
    }

    fn get(&self, path: &str) -> io::Result<String> {
        let mut socket = self.connect()?;
        socket.set_read_timeout(Some(BOUND))?;
        socket.set_write_timeout(Some(BOUND))?;
        // Without HTTP, nothing but the page comes.
        socket.write_all(format!("GET {path}\n").as_bytes())?;
        let mut bytes = Vec::new();
        match socket.take(MOST).read_to_end(&mut bytes) {
            // From somebody who has not read the request.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            done => drop(done?),
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn unavailable(&self, error: &io::Error) -> Failure {
        let why = match error.kind() {
            io::ErrorKind::NotFound => {
                "there is no such socket; does the filter run, with LIBMILTER_STATS in its \
                 environment? Its log says so if the socket could not be opened"
            }
            io::ErrorKind::ConnectionRefused => "nobody listens there; the filter has ended",
            io::ErrorKind::PermissionDenied => {
                "this user may not connect; see LIBMILTER_STATS_MODE and LIBMILTER_STATS_GROUP"
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                "no answer within 5 s; do others take all of its places, or has the process stopped?"
            }
            _ => return Failure::new(Status::Unavailable, format!("{}: {error}", self.shown())),
        };
        Failure::new(Status::Unavailable, format!("{}: {why}", self.shown()))
    }
}
