//! Bytes for the MTA that have not gone out.

use std::collections::TryReserveError;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::proto::response::{Payload, encode};
use crate::sys::clock::Time;
use crate::sys::socket::send_some;

/// Bytes. More than this is not held back, and a callback that sends more waits for the MTA to read: the
/// most that a session has for an MTA that does not, beside one packet.
pub(super) const HELD_MAX: usize = 128 << 10;
/// Bytes that are allocated for the first of several packets: what most filters change fits.
const FIRST: usize = 256;
/// An MTA that has not taken a byte for so long, although there are some for it, will not be missed at a
/// stop.
pub(super) const STALLED: Duration = Duration::from_millis(500);

/// Packets that are held back, and those that the MTA has not taken.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// When the MTA has last taken some of them.
    moved: Option<Time>,
}

impl Held {
    /// What is left of a packet.
    pub(super) fn rest(packet: &[u8]) -> Held {
        Held { bytes: packet.to_vec(), moved: Some(Time::now()) }
    }

    /// Adds a packet.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn push(&mut self, letter: u8, payload: Payload<'_>) -> Result<(), TryReserveError> {
        if self.bytes.capacity() == 0 {
            self.bytes.try_reserve_exact(FIRST)?;
        }
        encode(&mut self.bytes, letter, payload)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that are allocated.
    pub(super) fn room(&self) -> usize {
        self.bytes.capacity()
    }

    /// Sends what fits.
    pub(super) fn send(&mut self, socket: impl AsFd) -> io::Result<()> {
        let sent = send_some(socket, &self.bytes)?;
        if sent < self.bytes.len() {
            self.keep_rest(sent);
        } else {
            self.bytes.clear();
        }
        Ok(())
    }

    #[cold]
    fn keep_rest(&mut self, sent: usize) {
        if sent > 0 || self.moved.is_none() {
            self.moved = Some(Time::now());
        }
        self.bytes.drain(..sent);
    }

    /// Whether the MTA has not taken anything for long.
    pub(super) fn is_stalled(&self, now: Time) -> bool {
        self.moved.is_some_and(|moved| moved.until(now) >= STALLED)
    }
}
