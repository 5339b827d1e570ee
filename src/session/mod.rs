//! One MTA connection, pure over two traits: [`Filter`] has the callbacks, [`Output`] takes what
//! goes back to the MTA and to the log.
//!
//! [`Session::handle`] is given one packet at a time; it never waits and knows no clock, so that
//! tests and fuzzers drive a whole session without a socket or a thread.

#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

mod changes;
mod commands;
mod complaints;
mod context;
mod core;
mod engine;
mod event;
mod filter;
mod mistake;
mod negotiation;
mod origin;
mod output;
mod overrun;
mod refused;
mod report;
mod respond;
mod seldom;
mod settled;
mod slow;
#[cfg(test)]
mod tests;
mod watch;

pub use context::Context;
pub use core::{Flow, Session};
pub use event::{Due, Event, Outcome};
pub use filter::Filter;
pub use mistake::{Mistake, Why};
pub use output::{Output, SendError};
pub use refused::{Refused, Wrong};
pub use report::{Report, Severity};
pub use slow::{Fate, Slow};
