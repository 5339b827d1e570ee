//! What a run does, and what its threads share.

use crate::message::Script;
use crate::server::Address;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

/// What all connections of a run do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the filter listens.
    pub address: Address,
    /// What is sent, and what is expected.
    pub script: Arc<Script>,
    /// Connections at any time.
    pub connections: usize,
    /// Send message after message on one connection rather than one on each.
    pub reuse: bool,
    /// How long the SMTP client pauses before each of its commands.
    pub pause: Duration,
    /// Connections begin one after the other over this time.
    pub spread: Duration,
    /// Threads of the generator.
    pub threads: usize,
    /// Messages after which a connection does nothing more; `None`: no end.
    pub messages_each: Option<u64>,
}

impl Plan {
    /// Connections that are busy all the time, each with a new connection per message.
    pub fn new(address: &Address, script: &Arc<Script>, connections: usize) -> Plan {
        Plan {
            address: address.clone(),
            script: Arc::clone(script),
            connections,
            reuse: false,
            pause: Duration::ZERO,
            spread: Duration::ZERO,
            threads: connections.min(THREADS),
            messages_each: None,
        }
    }
}

/// Threads of the generator for loads with enough connections.
///
/// Two, as on the machine the targets were set on: one cannot keep a fast server busy.
pub const THREADS: usize = 2;

/// What the threads of a run share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    pub(super) recording: AtomicBool,
    pub(super) messages: AtomicU64,
    /// Connections that have sent all their messages.
    pub(super) complete: AtomicU64,
}
