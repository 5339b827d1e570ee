//! The protocol without I/O: packets, commands, replies and flags.
//!
//! A packet is `length (4 bytes, big endian) | letter (1 byte) | payload (length - 1 bytes)`, the
//! same in both directions. The MTA speaks first.

pub mod command;
pub mod flags;
pub mod frame;
pub mod reply;
pub mod text;
pub mod words;

pub use command::{Command, Origin};
pub use frame::{FrameError, OwnedPacket, Packet};
pub use reply::{FormatError, Reply};
pub use words::{Words, command_in_words, macros_in};

/// Longest body part an MTA puts in one packet, and a milter in one replacement, in bytes.
pub const BODY_CHUNK: usize = 65_535;
