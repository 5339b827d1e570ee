//! Receive, take packets apart, call back.

use std::io;

use super::connection::{Connection, Place, Scratch, TurnEnd};
use super::service::Service;
use crate::proto::command::Command;
use crate::proto::frame;
use crate::session::{Event, Filter, Flow, Report};
use crate::sys::flags;
use crate::sys::socket::receive;
use crate::sys::thread::Stopwatch;

/// Bytes received at once, unless a packet has more. What has arrived and can't be processed is kept, and
/// is not more than this.
const READ_SIZE: usize = 16 << 10;
/// Packets of one session that are processed before others in its loop get their turn.
const PACKETS_MAX: u32 = 64;
/// Bytes of one packet received at once.
const READ_MAX: usize = 128 << 10;

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
            return self.resume(service, scratch, rest.clamp(READ_SIZE, READ_MAX), place);
        }
        if !scratch.fits(READ_SIZE) {
            return TurnEnd::Close;
        }
        let end = match self.receive(scratch.buffer.get_mut(..READ_SIZE).unwrap_or_default()) {
            Ok(mut filled) => {
                if filled == READ_SIZE {
                    match self.receive_rest(scratch) {
                        Ok(more) => filled += more,
                        Err(end) => return end,
                    }
                }
                let bytes = scratch.buffer.get_mut(..=filled).unwrap_or_default();
                self.packets(service, bytes, place).0
            }
            Err(end) => return end,
        };
        self.since = place.time(scratch.now);
        end
    }

    /// Receives the rest of a packet that is larger than [`READ_SIZE`], as far as it is there, behind what
    /// has filled that; how many bytes.
    #[cold]
    fn receive_rest(&mut self, scratch: &mut Scratch) -> Result<usize, TurnEnd> {
        let wanted = frame::wanted(&scratch.buffer).filter(|packet| *packet > READ_SIZE);
        let Some(packet) = wanted else { return Ok(0) };
        let packet = packet.min(READ_MAX);
        if !scratch.fits(packet) {
            return Err(TurnEnd::Close);
        }
        match self.receive(scratch.buffer.get_mut(READ_SIZE..packet).unwrap_or_default()) {
            Err(TurnEnd::Wait) => Ok(0),
            received => received,
        }
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
        let mut filled = had;
        if read > 0 {
            match self.receive(buffer.get_mut(had..had + read).unwrap_or_default()) {
                Ok(n) => filled += n,
                Err(end) => return end,
            }
            let wanted = frame::wanted(self.partial.bytes()).unwrap_or(frame::HEAD - 1);
            if wanted > filled {
                // Still incomplete: only what is new moves, so that a peer that drips its
                // packets costs no more than its bytes.
                let kept = self.partial.extend(buffer.get(had..filled).unwrap_or_default());
                return if kept.is_ok() { TurnEnd::Wait } else { TurnEnd::Close };
            }
        }
        if let Some(front) = buffer.get_mut(..had) {
            front.copy_from_slice(self.partial.bytes());
        }
        self.partial.clear();
        let bytes = buffer.get_mut(..=filled).unwrap_or_default();
        let (end, done) = self.packets(service, bytes, place);
        if done > 0 {
            self.since = place.time(*now);
        }
        end
    }

    /// Processes the complete packets of a buffer, whose last byte is room for a NUL, and keeps the
    /// rest; how many bytes they had.
    #[expect(clippy::inline_always, reason = "each packet's way; the other callers are cold")]
    #[inline(always)]
    fn packets<F: Filter>(
        &mut self,
        service: &Service<F>,
        buffer: &mut [u8],
        place: Place,
    ) -> (TurnEnd, usize) {
        let mut at = 0;
        let mut end = TurnEnd::Wait;
        let mut turn = PACKETS_MAX;
        let mut limit = self.session.context().max_data_size();
        while let Some(packet) = buffer.get_mut(at..).and_then(|rest| frame::complete(rest, limit))
        {
            // Where the byte behind the packet is, which belongs to the next one.
            let next = at + packet.size();
            match Command::from_letter(packet.letter) {
                // Half of all packets. No callback is called, so nothing but their rest can have changed.
                Some(Command::Macro) if !self.session.is_verbose() => {
                    if self.session.take_macros(packet.bytes) == Flow::Close {
                        return (TurnEnd::Close, next);
                    }
                }
                _ if service.lifecycle.is_aborting() => return (TurnEnd::Close, at),
                Some(command) if place == Place::Loop && service.hands_over(command) => {
                    end = TurnEnd::HandOver;
                    break;
                }
                Some(command) => {
                    // Callbacks get strings in place, which a NUL ends.
                    let behind = packet.bytes.last_mut().map(std::mem::take).unwrap_or_default();
                    let flow = self.packet(service, command, packet.bytes, place);
                    if let Some(place) = buffer.get_mut(next) {
                        *place = behind;
                    }
                    if flow == Flow::Close || flags::is_any() {
                        return (TurnEnd::Close, next);
                    }
                    if self.output.is_full() {
                        match self.output.drain() {
                            Ok(true) => {}
                            Ok(false) => {
                                at = next;
                                end = TurnEnd::Full;
                                break;
                            }
                            Err(_) => return (TurnEnd::Close, next),
                        }
                    }
                    limit = self.session.context().max_data_size();
                }
                None => {
                    let _closed = self.session.handle(&service.filter, packet.letter, packet.bytes);
                    return (TurnEnd::Close, next);
                }
            }
            at = next;
            turn -= 1;
            if turn == 0 {
                if place == Place::Loop && at + 1 < buffer.len() && self.output.pause() {
                    end = TurnEnd::Full;
                    break;
                }
                turn = 1;
            }
        }
        // Nearly always, a buffer ends with a packet.
        if at + 1 < buffer.len() {
            end = self.keep(buffer.get(at..).unwrap_or_default(), limit, end);
        }
        (end, at)
    }

    /// Keeps what is left of a buffer, unless it can't be the start of a packet.
    #[cold]
    fn keep(&mut self, rest: &[u8], limit: usize, end: TurnEnd) -> TurnEnd {
        let received = rest.split_last().map(|(_room, received)| received).unwrap_or_default();
        if end == TurnEnd::Wait {
            if let Err(error) = frame::check(rest, limit) {
                self.note(Event::Bytes(received));
                self.report(Report::Frame(error, received));
                return TurnEnd::Close;
            }
        }
        if self.partial.extend(received).is_ok() { end } else { TurnEnd::Close }
    }

    /// Processes one packet: its payload, and a NUL behind it.
    #[expect(clippy::inline_always, reason = "each packet's way")]
    #[inline(always)]
    fn packet<F: Filter>(
        &mut self,
        service: &Service<F>,
        command: Command,
        bytes: &mut [u8],
        place: Place,
    ) -> Flow {
        self.output.enter(command);
        match place {
            Place::Spare => self.timed(service, command, bytes),
            Place::Loop | Place::Own => self.session.process(&service.filter, command, bytes),
        }
    }

    /// Processes one packet and takes in how long its callback took.
    #[cold]
    fn timed<F: Filter>(
        &mut self,
        service: &Service<F>,
        command: Command,
        bytes: &mut [u8],
    ) -> Flow {
        let watch = Stopwatch::start();
        let flow = self.session.process(&service.filter, command, bytes);
        service.estimates.observe(command, watch.elapsed());
        flow
    }
}
