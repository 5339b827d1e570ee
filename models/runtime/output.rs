//! The socket of a session.

use crate::sys::Socket;
use crate::sys::poller::Source;
use crate::sys::sync::{AtomicBool, Ordering};

#[derive(Debug)]
pub(super) struct SocketOutput {
    pub(super) session: u64,
    pub(super) socket: Socket,
    /// A reply did not fit the socket.
    pub(super) held: AtomicBool,
}

impl SocketOutput {
    pub(super) fn is_full(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) {
        panic!("a session left its loop without having been watched");
    }

    pub(super) fn found(&self) {}

    pub(super) fn unwatched(&self, _: &std::io::Error) {}
}

impl Source for SocketOutput {
    fn id(&self) -> usize {
        self.socket.number()
    }
}
