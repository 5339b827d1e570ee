//! The queue of a pool; its models have another one in its place (models).

pub use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
