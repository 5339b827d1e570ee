//! Exported functions for the time a callback takes and for the filter's own data.

use std::ffi::{c_int, c_void};

use super::guard::{context, with_context};
use super::types::SMFICTX;

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
    unsafe { with_context(ctx, "smfi_progress", crate::session::Context::progress) }
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
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_setpriv", set) }
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
    context.map_or(std::ptr::null_mut(), crate::session::Context::private)
}
