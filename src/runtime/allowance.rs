//! What peers may use, as an administrator has set it.

use std::time::Duration;

/// What peers may use. By default no more is forbidden than by the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Sessions in all.
    pub sessions: usize,
    /// Sessions of one IP address.
    pub sessions_of_one: usize,
    /// Bytes that a session may keep while it waits: macros, what has arrived of a packet, and what the MTA
    /// has not taken.
    pub bytes: usize,
    /// Time until a session has negotiated.
    pub first_packet: Option<Duration>,
    /// What becomes of connections over the number of sessions.
    pub surplus: Surplus,
}

/// What becomes of connections for which there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surplus {
    /// They wait to be accepted.
    Waits,
    /// They are answered with a temporary failure, and closed.
    Fails,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance {
            sessions: usize::MAX,
            sessions_of_one: usize::MAX,
            bytes: usize::MAX,
            first_packet: None,
            surplus: Surplus::Waits,
        }
    }
}
