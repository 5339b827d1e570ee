//! Atomic operations of the runtime; its models have others in their place (models).

pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
