//! Counts what the code under test has allocated, and not what the fuzz target has.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering::Relaxed};

/// Fuzz targets have one thread.
static COUNTING: AtomicBool = AtomicBool::new(false);
static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counter;

fn count(bytes: isize) {
    if COUNTING.load(Relaxed) {
        HELD.fetch_add(bytes, Relaxed);
    }
}

// SAFETY: all is left to `System`.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: by the caller's promise.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTER: Counter = Counter;

fn with<T>(counting: bool, work: impl FnOnce() -> T) -> T {
    let before = COUNTING.swap(counting, Relaxed);
    let result = work();
    COUNTING.store(before, Relaxed);
    result
}

/// Runs code whose memory counts.
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> T {
    with(true, work)
}

/// Runs code of the fuzz target that is called by code whose memory counts.
pub(crate) fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    with(false, work)
}

/// Starts at nothing.
pub(crate) fn reset() {
    COUNTING.store(false, Relaxed);
    HELD.store(0, Relaxed);
}

/// Bytes held.
pub(crate) fn held() -> usize {
    usize::try_from(HELD.load(Relaxed)).expect("more was freed than was allocated")
}
