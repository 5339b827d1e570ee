//! The three signals that stop a filter, SIGPIPE, and signal masks.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;

use super::thread::Thread;

/// A signal that stops the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM or SIGHUP.
    Stop,
    /// SIGINT.
    Abort,
}

/// The set of SIGHUP, SIGINT and SIGTERM.
fn stop_set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is valid for writing a signal set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the set was initialised by sigemptyset; the signal numbers are valid.
        unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    }
    // SAFETY: sigemptyset initialised the set.
    unsafe { set.assume_init() }
}

/// Ignores SIGPIPE, process-wide.
pub fn ignore_sigpipe() {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// The calling thread's signal mask, which is put back when this is dropped.
pub struct MaskGuard {
    before: libc::sigset_t,
}

/// Blocks the stop signals in the calling thread, and in threads it starts from now on.
///
/// # Errors
/// As `pthread_sigmask(3)`.
pub fn block_stop_signals() -> io::Result<MaskGuard> {
    let set = stop_set();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both pointers are valid; `before` is written by a successful call.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    // SAFETY: the call succeeded and wrote the set.
    Ok(MaskGuard { before: unsafe { before.assume_init() } })
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        // SAFETY: `before` was written by pthread_sigmask; the old mask is not asked for.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut())
        };
    }
}

/// Waits for a stop signal, which must be blocked.
///
/// # Errors
/// As `sigwait(3)`.
pub fn wait_for_stop_signal() -> io::Result<StopSignal> {
    let set = stop_set();
    let mut signal: c_int = 0;
    // SAFETY: both pointers are valid during the call.
    let result = unsafe { libc::sigwait(&raw const set, &raw mut signal) };
    match result {
        0 if signal == libc::SIGINT => Ok(StopSignal::Abort),
        0 => Ok(StopSignal::Stop),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Sends SIGTERM to one thread, which waits for it.
pub fn interrupt(thread: &Thread) {
    // SAFETY: a thread that was not joined has a valid id.
    unsafe { libc::pthread_kill(thread.raw(), libc::SIGTERM) };
}
