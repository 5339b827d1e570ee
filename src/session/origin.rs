//! Where a client connects from, out of a connect packet.

use super::report::Report;
use crate::proto::address::{self, Address};
use crate::proto::command::Command;
use crate::proto::nul;

/// The end of the host name with its NUL, and the address.
pub(super) fn parse(payload: &[u8]) -> Result<(usize, Address), Report<'static>> {
    let wrong = Report::Malformed(Command::Connect, "the host name is not terminated");
    let nul = nul::first(payload).ok_or(wrong)?;
    let address = address::parse(payload, nul + 1).map_err(Report::Address)?;
    Ok((nul + 1, address))
}
