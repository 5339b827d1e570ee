//! Plays a session against a running trace filter.
//!
//! No waiting by time: a session ends with a half-close, the library ends it with its own close,
//! and all callbacks are over by then. Only where a filter hangs is there a bound.

use super::command::Step;
use super::process::{Connection, PATIENCE, TraceMilter};
use super::session::{Pace, Session};
use super::transcript::{Transcript, reply, take_packets};
use crate::error::{Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use std::os::fd::AsFd;

/// How long [`Pace::Step`] looks for a reply before the next packet; a pace, not a condition.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What happened so far in one session.
struct Run<'a> {
    milter: &'a TraceMilter,
    connection: Option<Connection>,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
    eof: bool,
    seen: Transcript,
    packets: Vec<Vec<u8>>,
    log: Vec<String>,
}

/// What one session showed.
#[derive(Clone, Debug)]
pub struct Played {
    /// Replies and callbacks.
    pub transcript: Transcript,
    /// The replies as they came: letter and payload.
    pub packets: Vec<Vec<u8>>,
    /// Lines logged until the connection ended; later ones are left in the control channel.
    pub log: Vec<String>,
}

/// Plays the session and returns what was seen.
pub fn play(milter: &TraceMilter, session: &Session) -> Result<Played> {
    while let Some(stray) = milter.next_line()? {
        if !stray.starts_with("log ") {
            return Err(Error(format!("left over from the session before: {stray}")));
        }
    }
    milter.set_script(&session.script)?;
    let mut run = Run {
        milter,
        connection: Some(milter.connect()?),
        outbox: Vec::new(),
        inbox: Vec::new(),
        eof: false,
        seen: Transcript::default(),
        packets: Vec::new(),
        log: Vec::new(),
    };
    for step in &session.steps {
        run.step(step, session.pace)?;
    }
    run.finish(session)
}

impl Run<'_> {
    fn step(&mut self, step: &Step, pace: Pace) -> Result<()> {
        match step {
            Step::Send(bytes) if pace == Pace::Together => self.outbox.extend_from_slice(bytes),
            Step::Send(bytes) if pace == Pace::Step => {
                self.outbox.extend_from_slice(bytes);
                self.flush()?;
                let before = self.seen.wire.len();
                let replies = bytes.get(4).is_some_and(|letter| !b"DAQK".contains(letter));
                while replies && !self.eof && self.seen.wire.len() == before && self.pump(&LOOK)? {}
            }
            Step::Send(bytes) => {
                for byte in bytes {
                    self.outbox.push(*byte);
                    self.flush()?;
                }
            }
            Step::Wait(count) => {
                let wanted = self.seen.wire.len() + count;
                while self.seen.wire.len() < wanted && !self.eof {
                    if !self.pump(&PATIENCE)? {
                        return Err(Error(format!("no reply; so far\n{}", self.seen)));
                    }
                }
            }
            Step::Close => {
                self.flush()?;
                self.connection = None;
            }
        }
        Ok(())
    }

    /// Sends everything, reading meanwhile so that neither side blocks the other.
    fn flush(&mut self) -> Result<()> {
        while !self.outbox.is_empty() && !self.eof && self.connection.is_some() {
            if !self.pump(&PATIENCE)? {
                return Err(Error("the filter does not read".into()));
            }
        }
        self.outbox.clear();
        Ok(())
    }

    fn finish(mut self, session: &Session) -> Result<Played> {
        self.flush()?;
        if let Some(connection) = &self.connection {
            // Fails if the library has closed already; the end is then seen by reading.
            let _ = shutdown(connection, Shutdown::Write);
            while !self.eof {
                if !self.pump(&PATIENCE)? {
                    return Err(Error(format!("no end of the connection; so far\n{}", self.seen)));
                }
            }
        }
        if session.registration.has("close") {
            while !self.closed() {
                if !self.pump(&PATIENCE)? {
                    return Err(Error(format!("xxfi_close was not called; so far\n{}", self.seen)));
                }
            }
        }
        self.read_trace()?;
        if !self.inbox.is_empty() {
            let rest = super::text::show(&self.inbox);
            self.seen.wire.push(format!("part of a packet: {rest}"));
        }
        if self.eof {
            self.seen.wire.push("EOF".into());
        }
        self.seen.join_results();
        Ok(Played { transcript: self.seen, packets: self.packets, log: self.log })
    }

    /// Whether the last callback traced is a finished xxfi_close.
    fn closed(&self) -> bool {
        self.seen.callbacks().last() == Some(&"close")
            && self.seen.trace.last().is_some_and(|line| line.starts_with("  -> "))
    }

    /// Waits for anything and handles it; false if nothing came in time.
    fn pump(&mut self, patience: &Timespec) -> Result<bool> {
        let sending = !self.outbox.is_empty();
        let mut fds = vec![PollFd::from_borrowed_fd(self.milter.control().as_fd(), PollFlags::IN)];
        if let Some(connection) = self.connection.as_ref().filter(|_| !self.eof) {
            let wanted = if sending { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::from_borrowed_fd(connection.as_fd(), wanted));
        }
        if poll(&mut fds, Some(patience)).map_err(|e| Error::new("poll", e))? == 0 {
            return Ok(false);
        }
        self.write_some()?;
        self.read_some()?;
        self.read_trace()?;
        Ok(true)
    }

    fn write_some(&mut self) -> Result<()> {
        let Some(connection) = self.connection.as_ref().filter(|_| !self.outbox.is_empty()) else {
            return Ok(());
        };
        match send(connection, &self.outbox, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(n) => drop(self.outbox.drain(..n)),
            Err(rustix::io::Errno::AGAIN) => {}
            // The library has ended the session; what it sent before is still to be read.
            Err(_) => self.outbox.clear(),
        }
        Ok(())
    }

    fn read_some(&mut self) -> Result<()> {
        let Some(connection) = self.connection.as_ref().filter(|_| !self.eof) else {
            return Ok(());
        };
        let mut buffer = [0; 65536];
        match recv(connection, &mut buffer, RecvFlags::DONTWAIT) {
            // A reset is how a close with unread bytes looks from here.
            Ok((0, _)) | Err(rustix::io::Errno::CONNRESET) => self.eof = true,
            Ok((n, _)) => {
                self.inbox.extend_from_slice(&buffer[..n]);
                for packet in take_packets(&mut self.inbox) {
                    self.seen.wire.push(reply(&packet));
                    self.packets.push(packet);
                }
            }
            Err(rustix::io::Errno::AGAIN) => {}
            Err(e) => return Err(Error::new("read replies", e)),
        }
        Ok(())
    }

    fn read_trace(&mut self) -> Result<()> {
        while let Some(line) = self.milter.next_line()? {
            match line.strip_prefix("log ") {
                Some(text) => self.log.push(text.to_owned()),
                None => self.seen.trace.push(line),
            }
        }
        Ok(())
    }
}
