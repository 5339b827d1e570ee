//! Packets are taken apart, and their callbacks called.

use super::connection::{Connection, Place, TurnEnd};
use super::service::Service;
use crate::proto::command::Command;
use crate::proto::frame;
use crate::session::{Event, Filter, Flow, Report};
use crate::sys::flags;
use crate::sys::thread::Stopwatch;

/// Packets of one session that are processed before others in its loop get their turn.
const PACKETS_MAX: u32 = 64;

impl Connection {
    /// As [`Connection::packets`], in a loop and for a session of which nobody wants to hear: what is asked
    /// for each packet else is known.
    #[expect(clippy::inline_always, reason = "each message's way")]
    #[inline(always)]
    pub(super) fn packets_in_loop<F: Filter>(
        &mut self,
        service: &Service<F>,
        buffer: &mut [u8],
    ) -> (TurnEnd, usize) {
        self.packets(service, buffer, Place::Loop, false)
    }

    /// As [`Connection::packets`], wherever it is.
    #[inline(never)]
    pub(super) fn packets_elsewhere<F: Filter>(
        &mut self,
        service: &Service<F>,
        buffer: &mut [u8],
        place: Place,
    ) -> (TurnEnd, usize) {
        self.packets(service, buffer, place, self.session.is_verbose())
    }

    /// Processes the complete packets of a buffer, whose last byte is room for a NUL, and keeps the
    /// rest; how many bytes they had.
    #[expect(
        clippy::inline_always,
        reason = "place and verbosity are constants where it is called"
    )]
    #[inline(always)]
    fn packets<F: Filter>(
        &mut self,
        service: &Service<F>,
        buffer: &mut [u8],
        place: Place,
        verbose: bool,
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
                Some(Command::Macro) if !verbose => {
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
                    let flow = self.packet(service, command, packet.bytes, place, verbose);
                    if flow == Flow::Close || flags::is_any() {
                        return (TurnEnd::Close, next);
                    }
                    if self.output.is_full() {
                        match self.output.drain() {
                            Ok(true) => {}
                            Ok(false) => end = TurnEnd::Full,
                            Err(_) => return (TurnEnd::Close, next),
                        }
                    }
                    // Nearly always, a buffer ends with a command.
                    if next + 1 >= buffer.len() {
                        return (end, next);
                    }
                    if let Some(place) = buffer.get_mut(next) {
                        *place = behind;
                    }
                    if end == TurnEnd::Full {
                        at = next;
                        break;
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
        verbose: bool,
    ) -> Flow {
        self.output.enter(command);
        match place {
            Place::Loop if !verbose => self.session.dispatch(&service.filter, command, bytes),
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
