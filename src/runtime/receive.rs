//! What has arrived is received.

use std::io;

use super::connection::{Connection, Place, Scratch, TurnEnd};
use super::service::Service;
use crate::proto::frame;
use crate::session::{Event, Filter, Report};
use crate::sys::socket::receive;

/// Bytes received at once, unless a packet has more. What has arrived and can't be processed is kept, and
/// is not more than this.
const READ_SIZE: usize = 16 << 10;
/// Bytes of one packet received at once.
const READ_MAX: usize = 128 << 10;
/// Bytes asked for beyond a large packet: that they do not come tells that nothing is there behind it.
const BEYOND: usize = frame::HEAD;

impl Connection {
    /// As [`Connection::read`], where it is rare.
    #[cold]
    pub(super) fn read_late<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        place: Place,
    ) -> TurnEnd {
        self.read(service, scratch, place)
    }

    /// Receives what is there and processes it.
    #[expect(clippy::inline_always, reason = "each packet's way; the other caller is cold")]
    #[inline(always)]
    pub(super) fn read<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        place: Place,
    ) -> TurnEnd {
        if !self.partial.is_empty() {
            let packet = frame::wanted(self.partial.bytes()).unwrap_or(0);
            let rest = packet.saturating_sub(self.partial.bytes().len());
            let read = rest.saturating_add(BEYOND).clamp(READ_SIZE, READ_MAX);
            return self.resume(service, scratch, read, place);
        }
        if !scratch.fits(READ_SIZE) {
            return TurnEnd::Close;
        }
        let filled = match self.receive(scratch.buffer.get_mut(..READ_SIZE).unwrap_or_default()) {
            Ok(READ_SIZE) => return self.read_on(service, scratch, place),
            Ok(filled) => filled,
            Err(end) => return end,
        };
        let bytes = scratch.buffer.get_mut(..=filled).unwrap_or_default();
        let end = if place == Place::Loop && !self.session.is_verbose() {
            self.packets_in_loop(service, bytes).0
        } else {
            self.packets_elsewhere(service, bytes, place).0
        };
        self.since = place.time(scratch.now);
        end
    }

    /// The rest of [`Connection::read`] if more may have arrived than [`READ_SIZE`]: receives what is there of
    /// a packet that is larger.
    #[cold]
    fn read_on<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        place: Place,
    ) -> TurnEnd {
        let packet = frame::wanted(&scratch.buffer).filter(|packet| *packet > READ_SIZE);
        let room = packet.map_or(READ_SIZE, |packet| packet.saturating_add(BEYOND).min(READ_MAX));
        if !scratch.fits(room) {
            return TurnEnd::Close;
        }
        let mut filled = READ_SIZE;
        if room > filled {
            match self.receive(scratch.buffer.get_mut(filled..room).unwrap_or_default()) {
                Ok(more) => filled += more,
                Err(TurnEnd::Wait) => {}
                Err(end) => return end,
            }
        }
        let bytes = scratch.buffer.get_mut(..=filled).unwrap_or_default();
        let end = self.packets_elsewhere(service, bytes, place).0;
        self.since = place.time(scratch.now);
        end.or_more(filled == room)
    }

    /// Sends what the MTA has not taken, and when it has taken all goes on with what it has sent before.
    #[cold]
    pub(super) fn make_room<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        place: Place,
    ) -> TurnEnd {
        match self.output.drain() {
            Err(_) => TurnEnd::Close,
            Ok(false) => TurnEnd::Full,
            Ok(true) => {
                self.since = place.time(scratch.now);
                self.resume(service, scratch, 0, place)
            }
        }
    }

    /// Receives what is there; how many bytes.
    #[inline]
    fn receive(&mut self, room: &mut [u8]) -> Result<usize, TurnEnd> {
        match receive(&*self.output, room) {
            Ok(n) if n > 0 => Ok(n),
            nothing => Err(self.without_bytes(nothing.err())),
        }
    }

    /// What becomes of a session of which nothing could be received, for an error or for the end.
    #[cold]
    fn without_bytes(&mut self, error: Option<io::Error>) -> TurnEnd {
        match error {
            Some(error) if error.kind() == io::ErrorKind::WouldBlock => return TurnEnd::Wait,
            Some(error) => self.report(Report::Read(&error)),
            None => {
                self.note_rest();
                self.note(Event::HungUp);
                if self.in_message() {
                    self.report(Report::LostInMessage);
                }
            }
        }
        TurnEnd::Close
    }

    /// Goes on with a packet that was there in part, or was handed over; receives `read` bytes
    /// more at most.
    #[cold]
    pub(super) fn resume<F: Filter>(
        &mut self,
        service: &Service<F>,
        scratch: &mut Scratch,
        read: usize,
        place: Place,
    ) -> TurnEnd {
        let had = self.partial.bytes().len();
        if !scratch.fits(had + read) {
            return TurnEnd::Close;
        }
        let Scratch { buffer, now } = scratch;
        let (mut filled, mut full) = (had, false);
        if read > 0 {
            match self.receive(buffer.get_mut(had..had + read).unwrap_or_default()) {
                Ok(n) => (filled, full) = (filled + n, n == read),
                Err(end) => return end,
            }
            let wanted = frame::wanted(self.partial.bytes()).unwrap_or(frame::HEAD - 1);
            if wanted > filled {
                // Still incomplete: only what is new moves, so that a peer that drips its
                // packets costs no more than its bytes.
                let kept = self.partial.extend(buffer.get(had..filled).unwrap_or_default());
                return if kept.is_ok() { TurnEnd::Wait.or_more(full) } else { TurnEnd::Close };
            }
        }
        if let Some(front) = buffer.get_mut(..had) {
            front.copy_from_slice(self.partial.bytes());
        }
        self.partial.clear();
        let bytes = buffer.get_mut(..=filled).unwrap_or_default();
        let (end, done) = self.packets_elsewhere(service, bytes, place);
        if done > 0 {
            self.since = place.time(*now);
        }
        end.or_more(full)
    }
}
