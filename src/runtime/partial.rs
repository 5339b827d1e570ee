//! What has arrived of a packet.

use std::collections::TryReserveError;

use crate::proto::frame;
use crate::proto::planted::{Bug, planted};

/// Bytes. The least that is allocated, if the packet is not shorter.
const FIRST: usize = 64;

/// The bytes of a packet that has not arrived in full; none for nearly all sessions that wait, so
/// that a pointer is all they have for it.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "a third of the size in each session")]
pub(super) struct Partial(Option<Box<Vec<u8>>>);

impl Partial {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Appends bytes that have arrived.
    ///
    /// Room is doubled, so that bytes which drip in are moved a few times only, but not beyond the
    /// packet; and nothing is allocated for a length that a peer has only announced.
    ///
    /// # Errors
    /// There is no memory for them.
    #[inline]
    pub(super) fn extend(&mut self, more: &[u8]) -> Result<(), TryReserveError> {
        if more.is_empty() { Ok(()) } else { self.append(more) }
    }

    #[cold]
    fn append(&mut self, more: &[u8]) -> Result<(), TryReserveError> {
        let bytes = self.0.get_or_insert_default();
        let needed = bytes.len() + more.len();
        if needed > bytes.capacity() {
            let start = if bytes.is_empty() { more } else { bytes.as_slice() };
            let packet = frame::wanted(start).unwrap_or(FIRST);
            let least = if planted(Bug::AnnouncedRoom) { packet } else { FIRST };
            let room = least.max(2 * bytes.capacity()).min(packet).max(needed);
            bytes.try_reserve_exact(room - bytes.len())?;
        }
        bytes.extend_from_slice(more);
        Ok(())
    }

    /// Bytes that are allocated.
    pub(super) fn room(&self) -> usize {
        self.0.as_ref().map_or(0, |bytes| bytes.capacity())
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        frame::put_head(&mut bytes, b'B', payload);
        bytes.resize(bytes.len() + payload, b'x');
        bytes
    }

    fn room(partial: &Partial) -> usize {
        partial.room()
    }

    /// Drips a packet in parts; how often what was there had to move.
    fn moves(packet: &[u8], part: usize) -> usize {
        let mut partial = Partial::default();
        let mut moves = 0;
        for more in packet.chunks(part) {
            let (before, had) = (room(&partial), partial.bytes().len());
            partial.extend(more).unwrap();
            moves += usize::from(room(&partial) != before && had > 0);
            assert!(room(&partial) <= FIRST.max(2 * partial.bytes().len()), "more than arrived");
        }
        assert_eq!(partial.bytes(), packet);
        assert_eq!(room(&partial), packet.len().max(FIRST), "not beyond the packet");
        partial.clear();
        assert!(partial.is_empty() && room(&partial) == 0, "nothing is kept without need");
        moves
    }

    #[test]
    fn bytes_that_drip_in_are_moved_a_few_times() {
        assert_eq!(moves(&packet(65_535), 1), 11);
        assert_eq!(moves(&packet(65_535), 1000), 7);
        assert_eq!(moves(&packet(1_048_575), 1), 15);
        assert_eq!(moves(&packet(50), 1), 0);
    }

    #[test]
    fn what_is_there_at_once_is_allocated_at_once() {
        let mut partial = Partial::default();
        let bytes = packet(65_535);
        partial.extend(&bytes[..65_536]).unwrap();
        assert_eq!(room(&partial), 65_536);
        let mut partial = Partial::default();
        partial.extend(&bytes[..5]).unwrap();
        assert_eq!(room(&partial), FIRST);
    }
}
