//! The end of what runs beside a test.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets what the threads of a scope look at, when it is dropped: also where a test fails, whose scope would
/// wait for them for ever.
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
