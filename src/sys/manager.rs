//! The service manager that has started the filter, and wants to hear of it (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType, sendto, sockopt};

use super::socket;

/// How long a message may wait for a manager that is busy.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where to reach the manager.
#[derive(Debug, Clone)]
pub struct Manager {
    address: SocketAddrUnix,
    /// It takes the filter for hung if it does not hear of it for so long.
    pub watchdog: Option<Duration>,
}

impl Manager {
    /// By what `NOTIFY_SOCKET` says: an absolute path, or "@" and the name of a socket without a file.
    #[must_use]
    pub fn at(socket: &OsStr, watchdog: Option<Duration>) -> Option<Manager> {
        let address = match socket.as_bytes() {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name),
            [b'/', ..] => SocketAddrUnix::new(socket),
            _ => return None,
        };
        Some(Manager { address: address.ok()?, watchdog })
    }

    /// Tells it, by a socket for this message alone. Who does not listen is not waited for.
    ///
    /// # Errors
    /// The system's.
    pub fn tell(&self, message: &str) -> io::Result<()> {
        let socket = socket::open(AddressFamily::UNIX, SocketType::DGRAM)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(PATIENCE))?;
        sendto(&socket, message.as_bytes(), SendFlags::empty(), &self.address)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn messages_arrive_whole_and_nobody_there_is_an_error() {
        let path = std::env::temp_dir().join(format!("libmilter-manager-{}", std::process::id()));
        let _left = std::fs::remove_file(&path);
        let manager = Manager::at(path.as_os_str(), None).unwrap();
        assert!(manager.tell("READY=1").is_err());
        let listener = UnixDatagram::bind(&path).unwrap();
        manager.tell("READY=1").unwrap();
        let mut message = [0; 16];
        let size = listener.recv(&mut message).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(&message[..size], b"READY=1");
        assert!(Manager::at(OsStr::new("vsock:2:1"), None).is_none());
        assert!(Manager::at(OsStr::new(""), None).is_none());
    }
}
