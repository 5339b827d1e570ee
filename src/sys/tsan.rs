//! What a program compiled for ThreadSanitizer has to be told; nothing happens in others.
//!
//! The library itself is not compiled for it: the tool sees the library's `memcpy` and `free`, but not
//! the locks and atomic operations between them, and would report races that are none, in the library
//! and in whatever a filter keeps for a session. So accesses of the library are not looked at, and a
//! session's way from one callback to the next counts as synchronisation.

use std::ffi::c_void;

// SAFETY: as declared in tsan.c. The tool takes an address for a name, and reads nothing there.
unsafe extern "C" {
    /// NULL where there is nobody to tell.
    safe static milter_tsan: Option<unsafe extern "C" fn(*mut c_void)>;
    safe fn milter_tsan_enter();
    safe fn milter_tsan_leave();
    safe fn milter_tsan_acquire(address: *mut c_void);
    safe fn milter_tsan_release(address: *mut c_void);
}

/// The end of every callback comes before the end of the run.
static RUN: u8 = 0;

fn run() -> *mut c_void {
    (&raw const RUN).cast_mut().cast()
}

/// Whether the tool watches: one look, as this is asked around every callback and call. A library that
/// is compiled for it needs none of this, and is to be looked at itself.
#[inline]
#[must_use]
pub fn watched() -> bool {
    !cfg!(sanitized) && milter_tsan.is_some()
}

/// The calling thread is in the library until this is dropped.
#[derive(Debug)]
pub struct Library(());

/// Enters the library, from C or at the start of a thread.
#[must_use]
#[inline]
pub fn library() -> Library {
    if watched() {
        milter_tsan_enter();
    }
    Library(())
}

impl Drop for Library {
    #[inline]
    fn drop(&mut self) {
        if watched() {
            milter_tsan_leave();
        }
    }
}

/// The calling thread is in a callback until this is dropped.
#[derive(Debug)]
pub struct Callback(*mut c_void);

/// Leaves the library for a callback of the session at an address.
#[must_use]
#[inline]
pub fn callback(session: *mut c_void) -> Callback {
    if watched() {
        milter_tsan_acquire(session);
        milter_tsan_leave();
    }
    Callback(session)
}

impl Drop for Callback {
    #[inline]
    fn drop(&mut self) {
        if watched() {
            milter_tsan_enter();
            milter_tsan_release(self.0);
            milter_tsan_release(run());
        }
    }
}

/// A run has ended: what its callbacks did is to be seen by whoever started it.
pub fn run_ended() {
    if watched() {
        milter_tsan_acquire(run());
    }
}
