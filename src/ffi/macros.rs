//! Exported functions for the MTA's macros.

use std::ffi::{c_char, c_int};

use super::guard::{context, guard, note_value, text, with_context};
use super::types::SMFICTX;
use crate::proto::describe::Argument;
use crate::session::{Refused, Wrong};

/// Gives the value of a macro the MTA has sent.
///
/// Stages: any callback. Names of more than one letter have braces: "{mail_addr}"; "i" and "{i}"
/// are the same. The value belongs to the library; it is valid until the MTA sends new macros for
/// the stage it came with, a command of an earlier stage clears it, or the session ends. Thread:
/// the callback's. Returns NULL if ctx or symname is NULL or there is no such macro.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; the string is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_getsymval(ctx: *mut SMFICTX, symname: *mut c_char) -> *mut c_char {
    // SAFETY: by the caller's promise.
    let context = unsafe { context(ctx) };
    // SAFETY: by the caller's promise.
    let name = unsafe { text(symname) };
    let (Some(context), Some(name)) = (context, name) else { return std::ptr::null_mut() };
    let value = guard(std::ptr::null_mut(), || {
        let value = context.macro_pointer(name);
        value.map_or(std::ptr::null_mut(), <*mut u8>::cast)
    });
    if context.is_watched() {
        // SAFETY: NULL, or a macro's value, which ends in NUL and stays until the callback returns.
        let shown = unsafe { text(value) };
        note_value(context, "smfi_getsymval", &[Argument::Text(name)], Argument::optional(shown));
    }
    value
}

/// Tells the MTA which macros the filter wants at a stage, in place of those configured.
///
/// Stages: xxfi_negotiate. stage is one of SMFIM_CONNECT to SMFIM_EOH, macros a list of names
/// separated by blanks. The string is copied. Sent if the MTA offers SMFIF_SETSYMLIST. Thread: the
/// callback's. Returns MI_SUCCESS, or MI_FAILURE if ctx or macros is NULL, there is no such stage,
/// or the stage has a list already.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; the string is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_setsymlist(
    ctx: *mut SMFICTX,
    stage: c_int,
    macros: *mut c_char,
) -> c_int {
    // SAFETY: by the caller's promise.
    let list = unsafe { text(macros) };
    let set = |context: &crate::session::Context| {
        context.set_symbol_list(stage, list.ok_or(Refused::Argument(Wrong::List))?)
    };
    let arguments = [Argument::Number(stage.into()), Argument::optional(list)];
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_setsymlist", arguments, set) }
}
