//! Receive, take packets apart, call back.

use super::connection::{Connection, Place, Scratch, TurnEnd};
use super::service::Service;
use crate::proto::command::Command;
use crate::proto::frame;
use crate::session::{Event, Filter, Flow, Report};
use crate::sys::clock::Time;
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

/// What has been received from an offset on: the last byte of a buffer is room for a NUL.
#[cold]
fn received(buffer: &[u8], at: usize) -> &[u8] {
    buffer.get(at..buffer.len().saturating_sub(1)).unwrap_or_default()
}

impl Place {
    /// The time after callbacks; `waited` is when the thread has last waited, which is near enough
    /// for callbacks known to be short.
    fn time(self, waited: Time) -> Time {
        if self == Place::Loop { waited } else { Time::now() }
    }
}

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
            Ok(0) => {
                self.note_rest();
                self.note(Event::HungUp);
                if self.in_message() {
                    self.report(Report::LostInMessage);
                }
                Err(TurnEnd::Close)
            }
            Ok(n) => Ok(n),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Err(TurnEnd::Wait),
            Err(error) => {
                self.report(Report::Read(&error));
                Err(TurnEnd::Close)
            }
        }
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
    fn packets<F: Filter>(
        &mut self,
        service: &Service<F>,
        buffer: &mut [u8],
        place: Place,
    ) -> (TurnEnd, usize) {
        let mut at = 0;
        let mut end = TurnEnd::Wait;
        let mut packets = 0;
        // Nearly always, a buffer ends with a packet.
        while let Some(rest) = buffer.get_mut(at..).filter(|rest| rest.len() > 1) {
            if service.lifecycle.is_aborting() {
                return (TurnEnd::Close, at);
            }
            let limit = self.session.context().max_data_size();
            let packet = match frame::next(rest, limit) {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(error) => {
                    let rest = received(buffer, at);
                    self.note(Event::Bytes(rest));
                    self.report(Report::Frame(error, rest));
                    return (TurnEnd::Close, at);
                }
            };
            let size = packet.size();
            let flow = match Command::from_letter(packet.letter) {
                Some(command) if place == Place::Loop && service.hands_over(command) => {
                    end = TurnEnd::HandOver;
                    break;
                }
                Some(command) => self.packet(service, command, packet.bytes, place),
                None => self.session.handle(&service.filter, packet.letter, packet.bytes),
            };
            at += size;
            if flow == Flow::Close {
                return (TurnEnd::Close, at);
            }
            if self.output.is_full() {
                match self.output.drain() {
                    Ok(true) => {}
                    Ok(false) => {
                        end = TurnEnd::Full;
                        break;
                    }
                    Err(_) => return (TurnEnd::Close, at),
                }
            }
            packets += 1;
            let others_wait = packets >= PACKETS_MAX && place == Place::Loop;
            if others_wait && at + 1 < buffer.len() && self.output.pause() {
                end = TurnEnd::Full;
                break;
            }
        }
        let rest = buffer.get(at..buffer.len().saturating_sub(1)).unwrap_or_default();
        if self.partial.extend(rest).is_err() {
            end = TurnEnd::Close;
        }
        (end, at)
    }

    /// Processes one packet: its payload, and the byte behind it, which is lent to it as a NUL.
    #[inline]
    fn packet<F: Filter>(
        &mut self,
        service: &Service<F>,
        command: Command,
        bytes: &mut [u8],
        place: Place,
    ) -> Flow {
        // Callbacks get strings in place; the byte behind them belongs to the next packet.
        let behind = bytes.last_mut().map(std::mem::take);
        self.output.enter(command);
        let flow = match place {
            Place::Spare => self.timed(service, command, bytes),
            Place::Loop | Place::Own => self.session.process(&service.filter, command, bytes),
        };
        if let (Some(last), Some(behind)) = (bytes.last_mut(), behind) {
            *last = behind;
        }
        if flags::is_any() { Flow::Close } else { flow }
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
