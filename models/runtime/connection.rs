//! A session that can be in one place only: a turn needs it for itself.

use super::lifecycle::Phase;
use super::options::Limits;
use super::output::SocketOutput;
use crate::sys::Socket;
use crate::sys::clock::Time;
use crate::sys::sync::{AtomicBool, Ordering};
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    Expired,
    End,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) output: Arc<SocketOutput>,
    /// Not shared in any way: two turns at once would be a race that `loom` sees.
    turns: loom::cell::UnsafeCell<usize>,
}

impl Connection {
    pub(super) fn new(session: u64) -> Box<Connection> {
        let (socket, held) = (Socket::new(), AtomicBool::default());
        let output = Arc::new(SocketOutput { session, socket, held });
        Box::new(Connection { output, turns: loom::cell::UnsafeCell::new(0) })
    }

    /// A turn; whether something was received. A reply that does not fit is held, and nothing received
    /// meanwhile.
    pub(super) fn turn(&self) -> bool {
        let turns = self.turns.with_mut(|turns| {
            // SAFETY: whoever has the box has it alone, which is what `loom` checks.
            let turns = unsafe { &mut *turns };
            *turns += 1;
            *turns
        });
        assert!(turns < 5, "it is told again and again of what it does not wait for");
        let SocketOutput { socket, held, .. } = &*self.output;
        if held.load(Ordering::Relaxed) {
            held.store(socket.is_full(), Ordering::Relaxed);
            return false;
        }
        let received = socket.receive();
        held.store(received && socket.is_full(), Ordering::Relaxed);
        received
    }

    pub(super) fn deadline(&self, _: Limits) -> Option<Time> {
        None
    }

    pub(super) fn must_end(&self, phase: Phase) -> bool {
        phase >= Phase::Abort
    }

    pub(super) fn is_to_end(&self, phase: Phase, _: Time) -> bool {
        self.must_end(phase)
    }
}
