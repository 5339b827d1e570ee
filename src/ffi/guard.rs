//! Pointers from C, and panics kept from it.

use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::types::{MI_FAILURE, MI_SUCCESS, SMFICTX};
use crate::proto::describe::Argument;
use crate::session::{Context, Event, Outcome, Refused, Why};
use crate::sys::thread::Uncancelled;
use crate::sys::{errno, tsan};

/// Runs the body of an exported function that makes no system calls but for a lock or a log line: a
/// panic becomes a line in the log and `failure`, and `errno` is left as it was.
pub(super) fn guard<T>(failure: T, body: impl FnOnce() -> T) -> T {
    let _library = tsan::library();
    let _errno = errno::keep();
    quiet_panics();
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(failure)
}

/// As [`guard`], for a function that makes system calls: cancellation of the thread waits.
fn guard_calls<T>(failure: T, body: impl FnOnce() -> T) -> T {
    let _uncancelled = Uncancelled::begin();
    guard(failure, body)
}

/// Why an exported function that makes system calls has failed: the number for `errno`, if it was
/// one of them. The reason itself has been logged.
#[derive(Debug, Default)]
pub(super) struct Failed(pub(super) Option<c_int>);

/// As [`guard`], for a function after whose failure callers look at `errno`.
pub(super) fn guard_system(body: impl FnOnce() -> Result<(), Failed>) -> c_int {
    match guard_calls(Err(Failed::default()), body) {
        Ok(()) => MI_SUCCESS,
        Err(Failed(number)) => {
            if let Some(number) = number {
                errno::set(number);
            }
            MI_FAILURE
        }
    }
}

/// Panics go to the system log: stderr belongs to the program.
pub(super) fn quiet_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // Only the shared library has this copy of the standard library for itself.
        if cfg!(not(test)) {
            std::panic::set_hook(Box::new(|info| {
                crate::runtime::panicked(&info.to_string());
            }));
        }
    });
}

/// A string from C, without its NUL.
///
/// # Safety
/// The pointer is NULL or a NUL-terminated string that stays as it is while it is used.
pub(super) unsafe fn text<'a>(string: *const c_char) -> Option<&'a [u8]> {
    if string.is_null() {
        return None;
    }
    // SAFETY: not NULL, and by the caller's promise terminated.
    Some(unsafe { CStr::from_ptr(string) }.to_bytes())
}

/// Several strings from C, without their NULs.
///
/// # Safety
/// Each is as [`text`] asks.
pub(super) unsafe fn texts<'a, const N: usize>(
    strings: [*const c_char; N],
) -> [Option<&'a [u8]>; N] {
    // SAFETY: by the caller's promise.
    strings.map(|string| unsafe { text(string) })
}

/// The context behind a pointer from C.
///
/// # Safety
/// The pointer is NULL or the context a callback got, whose session has not ended.
pub(super) unsafe fn context<'a>(ctx: *mut SMFICTX) -> Option<&'a Context> {
    // SAFETY: by the caller's promise; contexts are only ever shared, never borrowed mutably.
    unsafe { ctx.cast::<Context>().as_ref() }
}

/// Runs the body of an exported function, of which name and arguments are given, on a context; NULL is a
/// failure.
///
/// # Safety
/// The pointer is NULL or the context a callback got, whose session has not ended.
pub(super) unsafe fn with_context<const N: usize>(
    ctx: *mut SMFICTX,
    function: &'static str,
    arguments: [Argument<'_>; N],
    body: impl FnOnce(&Context) -> Result<(), Refused>,
) -> c_int {
    // SAFETY: by the caller's promise.
    let Some(context) = (unsafe { context(ctx) }) else { return MI_FAILURE };
    guard_calls(MI_FAILURE, || {
        let done = body(context);
        if context.is_watched() {
            let done = done.map_err(|why| Why(why, context.max_data_size()));
            context.note(Event::Call(function, &arguments, Outcome::Status(done)));
        }
        match done {
            Ok(()) => MI_SUCCESS,
            Err(why) => {
                context.failed(function, why);
                MI_FAILURE
            }
        }
    })
}

/// Tells those who watch a session of a function that gives its caller a value.
#[cold]
pub(super) fn note_value(
    context: &Context,
    name: &'static str,
    arguments: &[Argument<'_>],
    value: Argument<'_>,
) {
    guard_calls((), || context.note(Event::Call(name, arguments, Outcome::Value(value))));
}
