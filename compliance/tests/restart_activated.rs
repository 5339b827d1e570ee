//! OpenDKIM, as it is packaged, restarted again and again by a service manager that keeps its socket, behind
//! Postfix under load: no message is lost, refused for a time, delivered twice, or signed twice or not at all.
//!
//! The manager is the test's own, and speaks to the filter as systemd does: LISTEN_FDS, NOTIFY_SOCKET and
//! WATCHDOG_USEC, of which it believes the main process alone. systemd-socket-activate keeps no socket once
//! it has started the program, and systemd itself wants to be process 1, as it is in packaging/tests/systemd.sh.

use crate::restart::{nothing_is_lost, times};
use crate::support::load::{FLOWS, Load};
use c_tests::{Linkage, Milter, Packages, public};
use compliance::Result;
use compliance::filter::{free_port, packaged};
use compliance::milters::left_out;
use compliance::milters::opendkim::{Keys, PACKAGES};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, sockopt};
use rustix::process::Signal;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LINKAGE: Linkage = Linkage::OursDynamic;
/// How long the filter may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// In microseconds; half of it is the time between two messages.
const WATCHDOG: &str = "100000";

/// A service with a socket unit.
struct Service {
    dir: TempDir,
    packages: Packages,
    /// What the socket unit has opened.
    socket: OwnedFd,
    notify: UnixDatagram,
}

impl Service {
    fn new(socket: OwnedFd, settings: &str) -> Result<Service> {
        let (dir, packages) = (public::tempdir()?, Packages::unpack(PACKAGES)?);
        let settings = format!("{settings}Socket systemd:dkim\n");
        std::fs::write(dir.path().join("opendkim.conf"), settings).unwrap();
        let notify = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        sockopt::set_socket_passcred(&notify, true).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        Ok(Service { dir, packages, socket, notify })
    }

    /// Waits until the main process says this.
    fn wait_for(&self, filter: &Milter, wanted: &str) {
        let mut message = [0; 256];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut room = [IoSliceMut::new(&mut message)];
            let got =
                rustix::net::recvmsg(&self.notify, &mut room, &mut ancillary, RecvFlags::empty());
            let size = got.unwrap_or_else(|error| panic!("no {wanted}: {error}")).bytes;
            let sender = ancillary.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmCredentials(sender) => {
                    sender.pid.as_raw_nonzero().get().try_into().ok()
                }
                _ => None,
            });
            if sender == Some(filter.pid()) && &message[..size] == wanted.as_bytes() {
                return;
            }
        }
    }

    fn start(&self) -> Result<Milter> {
        let program = packaged(LINKAGE, &self.packages, "usr/sbin/opendkim")?;
        let mut command = Command::new("/bin/sh");
        // The process gets its number by the shell, which it replaces.
        let passes = "exec 3<&0 </dev/null; LISTEN_PID=$$; export LISTEN_PID; exec \"$@\"";
        command.args(["-c", passes, "sh"]).arg(program.get_program()).args(["-f", "-x"]);
        command.arg(self.dir.path().join("opendkim.conf"));
        c_tests::start::copy_variables(&program, &mut command);
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "dkim");
        command.env("NOTIFY_SOCKET", self.dir.path().join("notify")).env("WATCHDOG_USEC", WATCHDOG);
        command.stdin(self.socket.try_clone().unwrap());
        let filter = Milter::start(command, |_, _| {})?;
        self.wait_for(&filter, "READY=1");
        filter.check_mapped(LINKAGE)?;
        Ok(filter)
    }

    fn stop(&self, mut filter: Milter, load: &Load<'_>) -> Result<()> {
        filter.signal(Signal::TERM)?;
        self.wait_for(&filter, "STOPPING=1");
        let status = filter.wait()?;
        assert!(status.success(), "{status}; {}", load.mta.log());
        Ok(())
    }
}

fn restarted(socket: OwnedFd, spec: &str) {
    if left_out(PACKAGES) {
        return;
    }
    let keys = Keys::new(&["test"]).unwrap();
    let service = Service::new(socket, &keys.signing("test")).unwrap();
    // Outlives the clients.
    let mut filter = Some(service.start().unwrap());
    nothing_is_lost(spec, "DKIM-Signature:", |load| {
        for _ in 0..times() {
            load.wait_for(FLOWS);
            let running = filter.take().unwrap();
            service.wait_for(&running, "WATCHDOG=1");
            service.stop(running, load)?;
            filter = Some(service.start()?);
        }
        load.wait_for(FLOWS);
        Ok(())
    })
    .unwrap();
}

#[test]
fn opendkim_with_a_unix_socket() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let socket = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    restarted(socket.into(), &format!("unix:{}", path.display()));
}

#[test]
fn opendkim_with_a_port() {
    let port = free_port().unwrap();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    restarted(socket.into(), &format!("inet:{port}@127.0.0.1"));
}
