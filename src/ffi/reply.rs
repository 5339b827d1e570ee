//! The exported function for replies of one line.

use std::ffi::{c_char, c_int};

use super::guard::{texts, with_context};
use super::types::SMFICTX;
use crate::proto::describe::Argument;
use crate::session::{Refused, Wrong};

/// Sets the SMTP reply for a refusal that this or a later callback returns.
///
/// Stages: any callback but xxfi_negotiate. rcode has three digits and begins with 4 or 5; it is
/// used with SMFIS_TEMPFAIL or SMFIS_REJECT respectively, and otherwise kept. xcode is an enhanced
/// status code or NULL. message is at most 980 bytes without CR and LF, or NULL; to sendmail and
/// Postfix, "%%" stands for "%". The strings are copied. Thread: the callback's. Returns
/// MI_SUCCESS, or MI_FAILURE if an argument is not as described; the reply set before is kept then.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; strings are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_setreply(
    ctx: *mut SMFICTX,
    rcode: *mut c_char,
    xcode: *mut c_char,
    message: *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let [code, enhanced, message] = unsafe { texts([rcode, xcode, message]) };
    let set = |context: &crate::session::Context| {
        context.set_reply(code.ok_or(Refused::Argument(Wrong::Code))?, enhanced, message)
    };
    let arguments = [code, enhanced, message].map(Argument::optional);
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_setreply", arguments, set) }
}
