//! A stream of packets as it arrives: received in parts, packets taken off in place.

use crate::memory::counted;
use crate::partial::Partial;
use crate::proto::frame::{self, FrameError, HEAD};
use crate::session::Flow;

/// What a loop of the runtime does with what it receives.
#[derive(Default)]
pub(crate) struct Receiver {
    partial: Partial,
}

impl Receiver {
    /// Takes in some bytes; `packet` gets each packet, its payload with a NUL behind it.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        limit: impl Fn() -> usize,
        mut packet: impl FnMut(u8, &mut [u8]) -> Flow,
    ) -> Result<Flow, FrameError> {
        let had = self.partial.bytes().len();
        if had > 0 && frame::wanted(self.partial.bytes()).unwrap_or(HEAD - 1) > had + bytes.len() {
            counted(|| self.partial.extend(bytes)).unwrap();
            return Ok(Flow::Continue);
        }
        // The byte behind is none that was received.
        let mut buffer = [self.partial.bytes(), bytes, &[0xee]].concat();
        counted(|| self.partial.clear());
        let mut at = 0;
        while let Some(frame) = frame::complete(&mut buffer[at..], limit()) {
            at += frame.size();
            let behind = std::mem::take(frame.bytes.last_mut().expect("the byte behind"));
            let flow = packet(frame.letter, frame.bytes);
            *frame.bytes.last_mut().expect("the byte behind") = behind;
            if flow == Flow::Close {
                return Ok(flow);
            }
        }
        frame::check(&buffer[at..], limit())?;
        let rest = &buffer[at..buffer.len() - 1];
        counted(|| self.partial.extend(rest)).unwrap();
        Ok(Flow::Continue)
    }

    /// Bytes of a packet that has not arrived in full.
    pub(crate) fn waiting(&self) -> usize {
        self.partial.bytes().len()
    }

    pub(crate) fn end(self) {
        counted(|| drop(self));
    }
}

/// What there is at the front of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// A packet: its letter, and where its payload ends.
    Packet(u8, usize),
    /// Part of one.
    Part,
    /// None, nor can there be one.
    Garbage,
}

/// The same by a walk over all that has been received.
pub(crate) fn front(received: &[u8], limit: usize) -> Front {
    let mut length = 0u64;
    for byte in received.iter().take(4) {
        length = length * 256 + u64::from(*byte);
    }
    if received.len() < 4 {
        return Front::Part;
    }
    if length == 0 || length >= 1 << 31 || length > limit as u64 + 1 {
        return Front::Garbage;
    }
    if (received.len() as u64) < 4 + length {
        return Front::Part;
    }
    Front::Packet(received[4], 4 + length as usize)
}

/// Appends a packet.
pub(crate) fn put(stream: &mut Vec<u8>, letter: u8, payload: &[u8]) {
    stream.extend_from_slice(&(payload.len() as u32 + 1).to_be_bytes());
    stream.push(letter);
    stream.extend_from_slice(payload);
}
