//! Packets that are held back or have not been read, and go out when they can.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::SocketOutput;
use crate::proto::response::{Payload, bare, letter};
use crate::runtime::held::{HELD_MAX, Held, STALLED};
use crate::runtime::way::Way;
use crate::session::{Output, Report, SendError};
use crate::sys::clock::Time;
use crate::sys::jitter::MutexGuard;
use crate::sys::socket::wait_for_room;

impl SocketOutput {
    /// Has the session wait as one whose MTA has to read, which lets others go first; `false` if the
    /// connection is broken.
    #[cold]
    pub(in crate::runtime) fn pause(&self) -> bool {
        let _held = self.held.lock();
        let free = self.way.is(Way::Free);
        if free {
            self.way.set(Way::Full);
        }
        free
    }

    /// Whether a sign of life for the MTA goes out at once: it reads what it is sent. For who holds back all
    /// others that send.
    #[cold]
    pub(in crate::runtime) fn takes_more(&self) -> bool {
        let held = self.held.lock();
        let free = self.way.is(Way::Free);
        free && held.as_ref().is_none_or(|packets| packets.len() < HELD_MAX / 2)
    }

    /// Whether something is kept for the MTA although what fits has been sent. As
    /// [`SocketOutput::takes_more`].
    #[cold]
    pub(in crate::runtime) fn keeps_after_flush(&self) -> bool {
        self.hold_no_more();
        self.bytes_kept() > 0
    }

    /// Whether the MTA has not read for long what there is for it, of which it was last sent something
    /// at `since` if nothing is kept; for a session without a callback.
    #[cold]
    pub(in crate::runtime) fn is_stalled(&self, since: Time, now: Time) -> bool {
        self.is_full()
            && match &*self.held.lock() {
                Some(packets) => packets.is_stalled(now),
                None => since.until(now) >= STALLED,
            }
    }

    /// Bytes that are kept for the MTA, while no callback runs.
    pub(in crate::runtime) fn bytes_kept(&self) -> usize {
        self.held.lock().as_ref().map_or(0, |packets| packets.room())
    }

    /// Adds a packet to those that are held back, and sends them if it is time to.
    #[inline(never)]
    pub(super) fn push(
        &self,
        mut held: MutexGuard<'_, Option<Box<Held>>>,
        kind: u8,
        payload: Payload<'_>,
        now: bool,
    ) -> Result<(), SendError> {
        if self.way.is(Way::Broken) {
            return Err(SendError);
        }
        let at_once = now || self.through.load(Ordering::Relaxed);
        let mut packets = held.take().unwrap_or_default();
        if packets.push(kind, payload).is_err() {
            *held = Some(packets).filter(|packets| !packets.is_empty());
            return Err(SendError);
        }
        if at_once || packets.len() > HELD_MAX {
            // A reply comes when its callback has returned: no thread waits for the MTA to take it.
            let is_reply = now && kind != letter::PROGRESS;
            return self.write(&mut held, packets, !is_reply);
        }
        *held = Some(packets);
        Ok(())
    }

    /// Sends what is left of a reply without payload of which so many bytes went out, or keeps it.
    #[cold]
    pub(super) fn write_rest(
        &self,
        mut held: MutexGuard<'_, Option<Box<Held>>>,
        kind: u8,
        sent: usize,
    ) -> Result<(), SendError> {
        let rest = Held::rest(bare(kind).get(sent..).unwrap_or_default());
        self.write(&mut held, Box::new(rest), false)
    }

    /// Sends packets as far as they fit, and keeps the rest; with `held` locked. If `wait`, only so much
    /// is kept.
    #[cold]
    pub(super) fn write(
        &self,
        held: &mut Option<Box<Held>>,
        mut packets: Box<Held>,
        wait: bool,
    ) -> Result<(), SendError> {
        let limit = self.settings.limit;
        let sent = packets.send(&self.socket);
        let sent = sent.and_then(|()| if wait { self.wait(&mut packets, limit) } else { Ok(()) });
        match sent {
            Ok(()) if packets.is_empty() => Ok(()),
            Ok(()) => {
                *held = Some(packets);
                self.way.set(Way::Full);
                Ok(())
            }
            Err(error) => {
                self.way.set(Way::Broken);
                if error.kind() == io::ErrorKind::TimedOut {
                    self.report(self.write_timeout());
                } else {
                    self.report(Report::Write(&error));
                }
                Err(SendError)
            }
        }
    }

    /// Waits until no more is left than is kept.
    fn wait(&self, packets: &mut Held, limit: Option<Duration>) -> io::Result<()> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        while packets.len() > HELD_MAX {
            self.way.set(Way::Awaited);
            wait_for_room(&self.socket, deadline)?;
            packets.send(&self.socket)?;
        }
        if self.is_awaited() {
            self.way.set(Way::Full);
        }
        Ok(())
    }

    /// For the session's turn: sends what was kept as far as it fits; whether that is all.
    ///
    /// # Errors
    /// The connection is broken.
    #[cold]
    pub(in crate::runtime) fn drain(&self) -> Result<bool, SendError> {
        let mut held = self.held.lock();
        if self.way.is(Way::Broken) {
            return Err(SendError);
        }
        if let Some(packets) = held.take() {
            self.write(&mut held, packets, false)?;
        }
        if held.is_none() {
            self.way.set(Way::Free);
        }
        Ok(held.is_none())
    }

    /// Sends what is held back as far as it fits: the connection is about to be closed.
    pub(in crate::runtime) fn flush(&self) {
        let mut held = self.held.lock();
        let Some(mut packets) = held.take() else { return };
        if self.is_full() {
            // Why it is closed was told.
            let _gone = packets.send(&self.socket);
        } else {
            let _reported = self.write(&mut held, packets, false);
        }
    }

    /// Sends what is held back as far as it fits, and holds nothing back until the turn ends.
    ///
    /// Never waits: if a callback is just writing, nothing is held back anyway.
    pub(in crate::runtime) fn hold_no_more(&self) {
        self.through.store(true, Ordering::Relaxed);
        let Some(mut held) = self.held.try_lock() else { return };
        if let Some(packets) = held.as_deref_mut() {
            // An error shows again at the next write, which reports it.
            let _later = packets.send(&self.socket);
            if packets.is_empty() {
                *held = None;
            }
        }
    }
}
