//! Safe wrappers over system calls; beside `ffi`, the only layer with unsafe code.

pub mod clock;
pub mod environment;
pub mod errno;
pub mod fd;
pub mod flags;
mod fork_lock;
pub mod jitter;
pub mod library;
pub mod log;
pub mod manager;
pub mod memory;
pub mod place;
pub mod poller;
pub mod queue;
pub mod resolve;
pub mod signal;
pub mod sink;
pub mod socket;
pub mod sync;
pub mod thread;
pub mod tsan;
pub mod users;
pub mod waker;
