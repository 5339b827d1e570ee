//! Exported functions for the time a callback takes and for the filter's own data.

use std::ffi::{c_int, c_void};

use super::guard::{context, note_value, with_context};
use super::types::SMFICTX;
use crate::proto::describe::Argument;

fn pointer(pointer: *mut c_void) -> Argument<'static> {
    if pointer.is_null() { Argument::Null } else { Argument::Address(pointer.addr() as u64) }
}

/// Tells the MTA that the filter is still at work, so that its timeout starts anew.
///
/// Stages: any callback. Sent at once. Thread: the callback's, or another while the callback runs.
/// Returns MI_SUCCESS, or MI_FAILURE if ctx is NULL or the MTA can't be reached.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_progress(ctx: *mut SMFICTX) -> c_int {
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_progress", [], crate::session::Context::progress) }
}

/// Sets the filter's own pointer of a session.
///
/// Stages: any callback. The library never follows, frees or clears it; a filter frees what is
/// behind it and sets it to NULL in xxfi_close at the latest. Thread: the callback's. Returns
/// MI_SUCCESS, or MI_FAILURE if ctx is NULL.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_setpriv(ctx: *mut SMFICTX, privatedata: *mut c_void) -> c_int {
    let set = |context: &crate::session::Context| {
        context.set_private(privatedata);
        Ok(())
    };
    let arguments = [pointer(privatedata)];
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_setpriv", arguments, set) }
}

/// Gives the filter's own pointer of a session.
///
/// Stages: any callback. Thread: the callback's. Returns what smfi_setpriv has set; NULL if
/// nothing was set or ctx is NULL.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_getpriv(ctx: *mut SMFICTX) -> *mut c_void {
    // SAFETY: by the caller's promise.
    let context = unsafe { context(ctx) };
    let Some(context) = context else { return std::ptr::null_mut() };
    let private = context.private();
    if context.is_watched() {
        note_value(context, "smfi_getpriv", &[], pointer(private));
    }
    private
}
