//! Exported functions that change the message, at its end.

use std::ffi::{c_char, c_int, c_uchar};

use super::guard::{text, texts, with_context};
use super::types::SMFICTX;
use crate::proto::describe::Argument;
use crate::session::{Refused, Wrong};

/// Appends a header to the message.
///
/// Stages: xxfi_eom. Needs SMFIF_ADDHDRS. The strings are copied. Thread: the callback's, or
/// another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if ctx, name or value is
/// NULL, name is empty, the action was not negotiated, the stage is another one, the packet is
/// over the data size limit, or the MTA can't be reached.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; strings are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_addheader(
    ctx: *mut SMFICTX,
    headerf: *mut c_char,
    headerv: *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let [name, value] = unsafe { texts([headerf, headerv]) };
    let arguments = [Argument::optional(name), Argument::optional(value)];
    // SAFETY: by the caller's promise.
    unsafe {
        with_context(ctx, "smfi_addheader", arguments, |context| context.add_header(name, value))
    }
}

/// Changes the index-th header of a name, counted from 1, or deletes it.
///
/// Stages: xxfi_eom. Needs SMFIF_CHGHDRS. A NULL or empty value deletes the header; 0 is passed
/// on and means the first to most MTAs. The strings are copied. Thread: the callback's, or another
/// while the callback runs. Returns MI_SUCCESS, or MI_FAILURE as smfi_addheader does, or if index
/// is negative.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; strings are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_chgheader(
    ctx: *mut SMFICTX,
    headerf: *mut c_char,
    index: c_int,
    headerv: *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let [name, value] = unsafe { texts([headerf, headerv]) };
    let arguments =
        [Argument::optional(name), Argument::Number(index.into()), Argument::optional(value)];
    // SAFETY: by the caller's promise.
    unsafe {
        with_context(ctx, "smfi_chgheader", arguments, |context| {
            context.change_header(name, index, value)
        })
    }
}

/// Inserts a header so that it becomes the index-th of all, counted from 0.
///
/// Stages: xxfi_eom. Needs SMFIF_ADDHDRS. The strings are copied. Thread: the callback's, or
/// another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE as smfi_addheader does, or
/// if index is negative.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; strings are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_insheader(
    ctx: *mut SMFICTX,
    index: c_int,
    headerf: *mut c_char,
    headerv: *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let [name, value] = unsafe { texts([headerf, headerv]) };
    let arguments =
        [Argument::Number(index.into()), Argument::optional(name), Argument::optional(value)];
    // SAFETY: by the caller's promise.
    unsafe {
        with_context(ctx, "smfi_insheader", arguments, |context| {
            context.insert_header(index, name, value)
        })
    }
}

/// Changes the envelope sender.
///
/// Stages: xxfi_eom. Needs SMFIF_CHGFROM. args holds ESMTP arguments, or is NULL. The strings are
/// copied. Thread: the callback's, or another while the callback runs. Returns MI_SUCCESS, or
/// MI_FAILURE if ctx or from is NULL, from is empty, or as smfi_addheader does.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; strings are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_chgfrom(
    ctx: *mut SMFICTX,
    from: *mut c_char,
    args: *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let [from, args] = unsafe { texts([from, args]) };
    let arguments = [Argument::optional(from), Argument::optional(args)];
    // SAFETY: by the caller's promise.
    unsafe {
        with_context(ctx, "smfi_chgfrom", arguments, |context| context.change_from(from, args))
    }
}

/// Adds a recipient.
///
/// Stages: xxfi_eom. Needs SMFIF_ADDRCPT. The string is copied. Thread: the callback's, or another
/// while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if ctx or rcpt is NULL, rcpt is
/// empty, or as smfi_addheader does.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; the string is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_addrcpt(ctx: *mut SMFICTX, rcpt: *mut c_char) -> c_int {
    // SAFETY: by the caller's promise.
    let rcpt = unsafe { text(rcpt) };
    let arguments = [Argument::optional(rcpt)];
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_addrcpt", arguments, |context| context.add_recipient(rcpt)) }
}

/// Adds a recipient with ESMTP arguments.
///
/// Stages: xxfi_eom. Needs SMFIF_ADDRCPT_PAR; SMFIF_ADDRCPT is not enough. args may be NULL. The
/// strings are copied. Thread: the callback's, or another while the callback runs. Returns
/// MI_SUCCESS, or MI_FAILURE as smfi_addrcpt does.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; strings are NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_addrcpt_par(
    ctx: *mut SMFICTX,
    rcpt: *mut c_char,
    args: *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let [rcpt, args] = unsafe { texts([rcpt, args]) };
    let arguments = [Argument::optional(rcpt), Argument::optional(args)];
    // SAFETY: by the caller's promise.
    unsafe {
        with_context(ctx, "smfi_addrcpt_par", arguments, |context| {
            context.add_recipient_with(rcpt, args)
        })
    }
}

/// Deletes a recipient, named as in xxfi_envrcpt.
///
/// Stages: xxfi_eom. Needs SMFIF_DELRCPT. The string is copied. Thread: the callback's, or another
/// while the callback runs. Returns MI_SUCCESS, or MI_FAILURE as smfi_addrcpt does.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; the string is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_delrcpt(ctx: *mut SMFICTX, rcpt: *mut c_char) -> c_int {
    // SAFETY: by the caller's promise.
    let rcpt = unsafe { text(rcpt) };
    let arguments = [Argument::optional(rcpt)];
    // SAFETY: by the caller's promise.
    unsafe {
        with_context(ctx, "smfi_delrcpt", arguments, |context| context.delete_recipient(rcpt))
    }
}

/// Replaces the body; further calls append to the new body.
///
/// Stages: xxfi_eom. Needs SMFIF_CHGBODY. Lines end in CRLF. The bytes are copied. Thread: the
/// callback's, or another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if len is
/// negative, bodyp is NULL and len is not 0, or as smfi_addheader does; part of the body may have
/// been sent then.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; bodyp is NULL or has len bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_replacebody(
    ctx: *mut SMFICTX,
    bodyp: *mut c_uchar,
    len: c_int,
) -> c_int {
    let body = match usize::try_from(len) {
        Ok(0) => Some(&[][..]),
        // SAFETY: not NULL, and by the caller's promise that many bytes long.
        Ok(n) if !bodyp.is_null() => Some(unsafe { std::slice::from_raw_parts(bodyp, n) }),
        _ => None,
    };
    let replace = |context: &crate::session::Context| match body {
        Some(body) => context.replace_body(body),
        None => Err(Refused::Argument(Wrong::Body)),
    };
    let arguments = [Argument::optional(body), Argument::Number(len.into())];
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_replacebody", arguments, replace) }
}

/// Holds the message in the MTA's quarantine.
///
/// Stages: xxfi_eom. Needs SMFIF_QUARANTINE. The string is copied. Thread: the callback's, or
/// another while the callback runs. Returns MI_SUCCESS, or MI_FAILURE if ctx or reason is NULL,
/// reason is empty, or as smfi_addheader does.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; the string is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_quarantine(ctx: *mut SMFICTX, reason: *mut c_char) -> c_int {
    // SAFETY: by the caller's promise.
    let reason = unsafe { text(reason) };
    let arguments = [Argument::optional(reason)];
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_quarantine", arguments, |context| context.quarantine(reason)) }
}
