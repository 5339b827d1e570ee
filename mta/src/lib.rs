//! The MTA's side of the milter protocol.
//!
//! This crate speaks to a milter as sendmail and Postfix do. It deliberately shares no code with
//! `libmilter`: it is written from the protocol alone, so that tests which use it are an
//! independent witness of what goes over the wire. A mistake made once in shared code would be
//! made on both sides and never show.
//!
//! From the bottom up:
//!
//! * [`wire`]: packets, command letters, replies, flags. No I/O.
//! * [`spec`]: connection specifications such as `unix:/run/x.sock` and `inet:8891@localhost`.
//! * [`client`]: one connection; raw bytes and packets, queued into one write, read with a bound.

pub mod client;
pub mod spec;
pub mod wire;

pub use client::{Client, ClientError};
pub use spec::ConnSpec;
pub use wire::{Command, OwnedPacket, Packet, Reply};
