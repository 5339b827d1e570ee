//! What is played, and how what is said is written down.

use milter_mta::OwnedPacket;
use milter_mta::wire::Command;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A filter that says nothing for so long fails the test.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

pub(super) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 5);

/// A message to play.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    /// Envelope sender, without brackets.
    pub sender: &'a str,
    /// Envelope recipients, likewise.
    pub recipients: &'a [&'a str],
    /// Header and body, with LF line ends.
    pub text: &'a str,
}

/// Letter and payload.
pub(super) fn sent(command: &Command<'_>) -> String {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    // The first four are the length.
    format!("> {}", bytes[4..].escape_ascii())
}

pub(super) fn received(packet: &OwnedPacket) -> String {
    format!("< {}{}", packet.letter.escape_ascii(), packet.payload.escape_ascii())
}
