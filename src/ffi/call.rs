//! The way into a filter's callbacks, by `call.c`: threads that callbacks end come back from there.

use std::ffi::{c_int, c_ulong, c_void};

use super::types::{SMFICTX, sfsistat};
use crate::proto::codes::status;
use crate::session::Context;
use crate::sys::{thread, tsan};

/// The forms of callbacks; `call.c` has the same numbers.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(super) enum Form {
    /// `(ctx)`
    Event = 0,
    /// `(ctx, first)`
    Pointer = 1,
    /// `(ctx, first, second)`
    TwoPointers = 2,
    /// `(ctx, first, size)`
    Chunk = 3,
    /// `(ctx, flags.offered[0..4], &flags.wanted[0..4])`
    Negotiate = 4,
}

/// A call of a callback with its arguments, as `call.c` has it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Call {
    form: Form,
    callback: *const c_void,
    ctx: *mut SMFICTX,
    first: *mut c_void,
    second: *mut c_void,
    size: usize,
    /// Whether the callback has ended its thread.
    left: c_int,
}

/// Arguments of `xxfi_negotiate`, as `call.c` has them.
#[repr(C)]
pub(super) struct Flags {
    pub(super) offered: [c_ulong; 4],
    pub(super) wanted: [c_ulong; 4],
}

unsafe extern "C" {
    fn milter_call(call: *mut Call) -> sfsistat;
}

/// The context as C gets it. It is only ever shared; C has no means to look into it.
fn pointer(context: &Context) -> *mut SMFICTX {
    std::ptr::from_ref(context).cast_mut().cast()
}

impl Call {
    /// A call without arguments but the context.
    #[inline]
    pub(super) fn new(form: Form, callback: *const c_void, context: &Context) -> Call {
        let null = std::ptr::null_mut();
        Call { form, callback, ctx: pointer(context), first: null, second: null, size: 0, left: 0 }
    }

    /// With a first argument, for `xxfi_negotiate` the [`Flags`].
    #[inline]
    pub(super) fn first(self, first: *mut c_void) -> Call {
        Call { first, ..self }
    }

    /// With a second argument.
    #[inline]
    pub(super) fn second(self, second: *mut c_void) -> Call {
        Call { second, ..self }
    }

    /// With a size as second argument.
    #[inline]
    pub(super) fn size(self, size: usize) -> Call {
        Call { size, ..self }
    }

    /// Calls it. If the callback has ended its thread, the thread is marked as leaving, and the
    /// result is a temporary failure.
    ///
    /// # Safety
    /// The callback has the call's form, and its arguments are what its type asks for.
    #[inline]
    pub(super) unsafe fn run(mut self) -> sfsistat {
        if tsan::watched() {
            // SAFETY: by the caller's promise.
            return unsafe { self.run_watched() };
        }
        // SAFETY: by the caller's promise; `call.c` comes back however the callback ends.
        let result = unsafe { milter_call(&raw mut self) };
        self.returned(result)
    }

    /// As [`Call::run`], in a program that is compiled for ThreadSanitizer.
    ///
    /// # Safety
    /// As for [`Call::run`].
    #[cold]
    unsafe fn run_watched(mut self) -> sfsistat {
        let in_filter = tsan::callback(self.ctx.cast());
        // SAFETY: by the caller's promise; `call.c` comes back however the callback ends.
        let result = unsafe { milter_call(&raw mut self) };
        drop(in_filter);
        self.returned(result)
    }

    /// What came of a call.
    #[inline]
    fn returned(&self, result: sfsistat) -> sfsistat {
        if self.left != 0 {
            thread::leave();
            return status::TEMPFAIL;
        }
        result
    }
}
