//! Connections that are opened and then left alone.

use super::connection::open;
use crate::message::Script;
use crate::server::Address;
use c_tests::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Pause before another try when the backlog is full.
const RETRY: Duration = Duration::from_micros(500);
/// How long a reply may take.
const PATIENCE_SECONDS: i64 = 30;

/// Connects without sending anything.
pub fn connect(address: &Address) -> Result<OwnedFd> {
    loop {
        match open(address)? {
            Some(socket) => return Ok(socket),
            None => std::thread::sleep(RETRY),
        }
    }
}

/// Opens connections and takes each through the first `steps` steps of a script, one after the other.
pub fn open_idle(
    address: &Address,
    script: &Script,
    steps: usize,
    count: usize,
) -> Result<Vec<OwnedFd>> {
    open_together(address, script, steps, count, 1)
}

/// The same, `group` of them side by side.
pub fn open_together(
    address: &Address,
    script: &Script,
    steps: usize,
    count: usize,
    group: usize,
) -> Result<Vec<OwnedFd>> {
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let begin = all.len();
        for _ in begin..count.min(begin + group) {
            all.push(connect(address)?);
        }
        for step in &script.steps[..steps] {
            let (sent, expected) = (step.send.clone(), step.expect.clone());
            all[begin..].iter().try_for_each(|to| send_all(to, &script.bytes[sent.clone()]))?;
            all[begin..].iter().try_for_each(|of| expect(of, &script.bytes[expected.clone()]))?;
        }
    }
    Ok(all)
}

/// Sends all bytes, waiting for room.
pub fn send_all(socket: &OwnedFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match send(socket, bytes, SendFlags::NOSIGNAL) {
            Ok(n) => bytes = &bytes[n..],
            Err(rustix::io::Errno::AGAIN) => {
                wait(socket, PollFlags::OUT)?;
            }
            Err(errno) => return Err(Error::new("send to the filter", errno)),
        }
    }
    Ok(())
}

/// Receives exactly these bytes.
pub fn expect(socket: &OwnedFd, mut expected: &[u8]) -> Result<()> {
    let mut room = [0; 4096];
    while !expected.is_empty() {
        let most = expected.len().min(room.len());
        match recv(socket, &mut room[..most], RecvFlags::empty()) {
            Ok((_, 0)) => return Err(Error("the filter closed an idle connection".into())),
            Ok((_, n)) if expected.starts_with(&room[..n]) => expected = &expected[n..],
            Ok((_, n)) => {
                let got = room[..n].escape_ascii();
                return Err(Error(format!("unexpected reply \"{got}\"")));
            }
            Err(rustix::io::Errno::AGAIN) => wait(socket, PollFlags::IN)?,
            Err(errno) => return Err(Error::new("receive from the filter", errno)),
        }
    }
    Ok(())
}

fn wait(socket: &OwnedFd, flags: PollFlags) -> Result<()> {
    let mut fds = [PollFd::new(socket, flags)];
    let limit = Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
    match poll(&mut fds, Some(&limit)) {
        Ok(0) => Err(Error(format!("the filter has been silent for {PATIENCE_SECONDS} s"))),
        Ok(_) => Ok(()),
        Err(errno) => Err(Error::new("poll", errno)),
    }
}
