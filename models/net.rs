//! The listening socket, which no model uses.

pub mod listener {
    pub const SOCKETS_MAX: usize = 1;

    #[derive(Debug)]
    pub struct Listener;

    impl crate::sys::poller::Source for Listener {
        fn id(&self) -> usize {
            0
        }
    }
}
