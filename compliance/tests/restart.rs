//! A filter that is started anew again and again while mail flows: no message is lost, refused for a time,
//! or delivered twice.

use crate::support::eventually;
use crate::support::load::{self, FLOWS, HEADER, Load};
use c_tests::{Milter, public};
use compliance::filter::{compiled, free_port};
use compliance::{Linkage, Mta, Result};
use rustix::process::Signal;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

/// Starts, unless the variable asks for more.
const TIMES: usize = 8;
const TIMES_VARIABLE: &str = "RESTARTS";
const LINKAGE: Linkage = Linkage::OursDynamic;

pub(crate) fn times() -> usize {
    let asked = std::env::var(TIMES_VARIABLE).ok();
    asked.map_or(TIMES, |times| times.parse().expect("a number of restarts"))
}

/// Sends mail through Postfix while `restarts` are under way, then looks at all of it, which must have such
/// a header once.
pub(crate) fn nothing_is_lost(
    spec: &str,
    header: &str,
    restarts: impl FnOnce(&Load<'_>) -> Result<()>,
) -> Result<()> {
    let mta = Mta::postfix().milter(spec).start()?;
    let messages = load::nothing_is_lost(&mta, header, restarts)?;
    println!("{messages} messages, {} starts", times());
    Ok(())
}

/// Starts the filter; it is not awaited, as something listens in any case.
fn start(spec: &str, dir: &Path, stdin: Stdio) -> Result<Milter> {
    let mut command = compiled(LINKAGE, "compliance/milters/probe.c")?;
    command
        .arg(spec)
        .arg(dir.join("trace"))
        .arg(format!("eom=add~{}once", HEADER.replace(": ", "~")));
    command.stdin(stdin);
    Milter::start(command, |_, _| {})
}

/// Waits until messages have gone through the filter, then stops it.
fn stop(mut filter: Milter, load: &Load<'_>) -> Result<()> {
    filter.check_mapped(LINKAGE)?;
    filter.signal(Signal::TERM)?;
    let status = filter.wait()?;
    assert!(status.success(), "{status}; {}", load.mta.log());
    Ok(())
}

fn held(socket: &OwnedFd, spec: &str) -> Result<()> {
    let dir = public::tempdir()?;
    let start = || start("fd:0", dir.path(), socket.try_clone().unwrap().into());
    // Outlives the clients.
    let mut filter = Some(start()?);
    nothing_is_lost(spec, HEADER, |load| {
        for _ in 0..times() {
            load.wait_for(FLOWS);
            filter.take().map_or(Ok(()), |filter| stop(filter, load))?;
            filter = Some(start()?);
        }
        load.wait_for(FLOWS);
        Ok(())
    })
}

/// As below a service manager that holds the socket: connections wait while no filter runs.
#[test]
fn a_tcp_socket_that_stays_open() {
    let port = free_port().unwrap();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    held(&socket.into(), &format!("inet:{port}@127.0.0.1")).unwrap();
}

#[test]
fn a_unix_socket_that_stays_open() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let socket = UnixListener::bind(&path).unwrap();
    // Of Postfix' daemons, whose user is another one.
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    held(&socket.into(), &format!("unix:{}", path.display())).unwrap();
}

/// A new filter takes the path over, then the old one finishes what it has.
#[test]
fn a_path_that_the_next_filter_takes_over() {
    let dir = public::tempdir().unwrap();
    let path = dir.path().join("socket");
    let spec = format!("unix:{}", path.display());
    let inode = || std::fs::metadata(&path).map(|file| file.ino()).ok();
    let start = || start(&spec, dir.path(), Stdio::null());
    let mut filter = start().unwrap();
    filter.wait_for(&spec).unwrap();
    nothing_is_lost(&spec, HEADER, |load| {
        for _ in 0..times() {
            load.wait_for(FLOWS);
            let before = inode();
            let old = std::mem::replace(&mut filter, start()?);
            eventually(
                || inode().is_some() && inode() != before,
                || "nobody takes the path over".to_owned(),
            );
            stop(old, load)?;
        }
        load.wait_for(FLOWS);
        Ok(())
    })
    .unwrap();
}
