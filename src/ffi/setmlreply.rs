//! `smfi_setmlreply`, which is variadic.
//!
//! Stable Rust can't define a variadic function, and rustc does not export symbols that C code
//! defines. So the exported function is a naked one which does nothing but jump, with all its
//! arguments where the caller put them, to a hidden C function (`setmlreply.c`); that one collects
//! the lines and calls [`milter_setmlreply_lines`].
//!
//! Naked functions came with Rust 1.88. Older compilers do export a C function if it is declared as
//! below in [`declared`] with `no_mangle`, although they warn that this has no effect; so for them
//! the build script makes the C function the exported one.

use std::ffi::{c_char, c_int};

use super::guard::{text, texts, with_context};
use super::types::SMFICTX;
use crate::proto::describe::Argument;
use crate::proto::reply::{LINES_MAX, ReplyError};
use crate::session::{Refused, Wrong};

/// What the header declares. The symbol is the one defined in [`exported`].
mod declared {
    #![allow(clashing_extern_declarations, reason = "the definition is naked: it has no arguments")]

    use super::{SMFICTX, c_char, c_int};

    #[cfg_attr(exported_from_c, link(name = "milter_setmlreply", kind = "static"))]
    unsafe extern "C" {
        /// Sets an SMTP reply of several lines for a refusal that this or a later callback returns.
        ///
        /// As smfi_setreply, but with 1 to 32 lines of at most 980 bytes, the last of which is
        /// followed by NULL. If xcode is NULL, it is 4.0.0 or 5.0.0 after rcode.
        #[cfg_attr(exported_from_c, unsafe(no_mangle))]
        #[cfg_attr(exported_from_c, allow(unused_attributes, reason = "it has the effect wanted"))]
        pub fn smfi_setmlreply(
            ctx: *mut SMFICTX,
            rcode: *const c_char,
            xcode: *const c_char,
            ...
        ) -> c_int;
    }
}
pub use declared::smfi_setmlreply;

#[cfg(not(exported_from_c))]
unsafe extern "C" {
    /// Defined in `setmlreply.c`.
    fn milter_setmlreply_va(
        ctx: *mut SMFICTX,
        rcode: *const c_char,
        xcode: *const c_char,
        ...
    ) -> c_int;
}

/// The definition behind the declaration above.
#[cfg(not(exported_from_c))]
mod exported {
    use super::milter_setmlreply_va;
    use std::arch::naked_asm;

    macro_rules! jump {
        ($($instruction:literal),+) => {
            /// cbindgen:ignore
            #[unsafe(no_mangle)]
            #[unsafe(naked)]
            unsafe extern "C" fn smfi_setmlreply() {
                naked_asm!($($instruction),+, target = sym milter_setmlreply_va)
            }
        };
    }

    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    jump!("jmp {target}");
    #[cfg(any(target_arch = "aarch64", target_arch = "arm"))]
    jump!("b {target}");
    #[cfg(any(target_arch = "riscv64", target_arch = "riscv32"))]
    jump!("tail {target}");
    #[cfg(target_arch = "s390x")]
    jump!("jg {target}");
    // Callers from outside arrive with the table of contents pointer of another module.
    #[cfg(target_arch = "powerpc64")]
    jump!(
        "0: addis 2, 12, .TOC.-0b@ha",
        "addi 2, 2, .TOC.-0b@l",
        ".localentry smfi_setmlreply, .-smfi_setmlreply",
        "b {target}"
    );
    #[cfg(not(any(
        target_arch = "x86_64",
        target_arch = "x86",
        target_arch = "aarch64",
        target_arch = "arm",
        target_arch = "riscv64",
        target_arch = "riscv32",
        target_arch = "s390x",
        target_arch = "powerpc64"
    )))]
    compile_error!("smfi_setmlreply needs one jump instruction for this architecture");
}

/// cbindgen:ignore
///
/// The Rust half, called by `setmlreply.c` only, which makes the symbol hidden.
///
/// # Safety
/// ctx is NULL or the context of a session that has not ended; strings are NULL or terminated;
/// `lines` points to `count` strings.
#[unsafe(no_mangle)]
unsafe extern "C" fn milter_setmlreply_lines(
    ctx: *mut SMFICTX,
    rcode: *const c_char,
    xcode: *const c_char,
    lines: *const *const c_char,
    count: usize,
) -> c_int {
    // SAFETY: the C half passes its array with the number of entries it has filled.
    let pointers = unsafe { std::slice::from_raw_parts(lines, count) };
    // SAFETY: by the caller's promise.
    let [code, enhanced] = unsafe { texts([rcode, xcode]) };
    let mut texts: [&[u8]; LINES_MAX + 1] = [&[]; LINES_MAX + 1];
    for (place, &line) in texts.iter_mut().zip(pointers) {
        // SAFETY: the C half stops at NULL, and by the caller's promise strings are terminated.
        *place = unsafe { text(line) }.unwrap_or_default();
    }
    let set = |context: &crate::session::Context| {
        let lines = texts.get(..count).ok_or(Refused::Reply(ReplyError::LineCount))?;
        context.set_multiline_reply(code.ok_or(Refused::Argument(Wrong::Code))?, enhanced, lines)
    };
    // The first line; the reply itself shows the others.
    let first = texts.first().copied().filter(|_| count > 0);
    let arguments =
        [Argument::optional(code), Argument::optional(enhanced), Argument::optional(first)];
    // SAFETY: by the caller's promise.
    unsafe { with_context(ctx, "smfi_setmlreply", arguments, set) }
}
