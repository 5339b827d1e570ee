//! The milter protocol, pure: no input or output, no clock, no unsafe code.
//!
//! Facts in this layer come from the public constants of `libmilter/mfapi.h` and
//! `libmilter/mfdef.h`, and from the behaviour observed in Debian's libmilter 8.17.1 and 8.18.1.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

pub mod address;
pub mod codes;
pub mod command;
pub mod describe;
pub mod foreign;
pub mod frame;
pub mod macros;
pub mod names;
pub mod negotiate;
pub mod nul;
pub mod planted;
pub mod printable;
pub mod quoted;
pub mod reply;
pub mod response;
mod stage;
pub mod state;
