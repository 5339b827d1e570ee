//! The types of the C interface; the source of the generated header.

#![allow(non_camel_case_types, reason = "the names are those of the C interface")]

use std::ffi::{c_char, c_int, c_uchar, c_ulong};

/// cbindgen:ignore
///
/// A session, as C sees it. Only pointers to it exist, and they point to a
/// [`Context`](crate::session::Context).
#[repr(C)]
#[derive(Debug)]
pub struct smfi_str {
    _opaque: [u8; 0],
}

/// cbindgen:ignore
///
/// The name C sources use.
pub type SMFICTX = smfi_str;

/// cbindgen:ignore
///
/// `struct sockaddr`, unless the including source says otherwise.
pub type _SOCK_ADDR = libc::sockaddr;

/// cbindgen:ignore
///
/// A `bool` argument. Callers pass an `int`, a `_Bool` or a C++ `bool`; only the low 8 bits are
/// defined in all cases.
pub type c_bool = c_int;

/// What a callback returns: one of SMFIS_CONTINUE, SMFIS_REJECT, SMFIS_DISCARD, SMFIS_ACCEPT,
/// SMFIS_TEMPFAIL, SMFIS_NOREPLY, SMFIS_SKIP. Anything else is logged and taken as
/// SMFIS_TEMPFAIL, or where the MTA waits for no reply as SMFIS_NOREPLY.
pub type sfsistat = c_int;

/// cbindgen:ignore
///
/// A callback with the context only.
pub type EventCallback = Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX) -> sfsistat>;

/// A filter: its name, what it wants to do, and its callbacks.
///
/// Each callback may be NULL. Callbacks of one session never run at the same time, but they may
/// run on different threads; those of different sessions run at the same time. All arguments
/// belong to the library and are valid until the callback returns; they may be written to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct smfiDesc {
    /// Name in log messages; NULL for "Unknown". Copied by smfi_register.
    pub xxfi_name: *mut c_char,
    /// SMFI_VERSION, or 2, 3 or 4 for old filters, which have fewer of the members below.
    pub xxfi_version: c_int,
    /// Actions the filter may want, SMFIF_*. smfi_* functions for other actions fail.
    pub xxfi_flags: c_ulong,
    /// A client has connected: its host name, and its address or NULL if that is not known.
    pub xxfi_connect: Option<
        unsafe extern "C-unwind" fn(
            ctx: *mut SMFICTX,
            hostname: *mut c_char,
            hostaddr: *mut _SOCK_ADDR,
        ) -> sfsistat,
    >,
    /// HELO or EHLO with its argument.
    pub xxfi_helo:
        Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX, helohost: *mut c_char) -> sfsistat>,
    /// MAIL: the sender, then its ESMTP arguments, then NULL.
    pub xxfi_envfrom:
        Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX, argv: *mut *mut c_char) -> sfsistat>,
    /// RCPT: a recipient, then its ESMTP arguments, then NULL.
    pub xxfi_envrcpt:
        Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX, argv: *mut *mut c_char) -> sfsistat>,
    /// One header: its name and its value, folded lines separated by LF.
    pub xxfi_header: Option<
        unsafe extern "C-unwind" fn(
            ctx: *mut SMFICTX,
            headerf: *mut c_char,
            headerv: *mut c_char,
        ) -> sfsistat,
    >,
    /// The headers are complete.
    pub xxfi_eoh: Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX) -> sfsistat>,
    /// A chunk of the body: not terminated, at least one byte, lines end in CRLF.
    pub xxfi_body: Option<
        unsafe extern "C-unwind" fn(ctx: *mut SMFICTX, bodyp: *mut c_uchar, len: usize) -> sfsistat,
    >,
    /// The message is complete; the only callback in which it may be changed.
    pub xxfi_eom: Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX) -> sfsistat>,
    /// The message is given up. The result is ignored.
    pub xxfi_abort: Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX) -> sfsistat>,
    /// The SMTP connection ends, or the MTA has hung up; called once for each. The result is ignored.
    pub xxfi_close: Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX) -> sfsistat>,
    /// A command the MTA does not know. Needs xxfi_version > 2.
    pub xxfi_unknown:
        Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX, arg: *const c_char) -> sfsistat>,
    /// DATA. Needs xxfi_version > 3.
    pub xxfi_data: Option<unsafe extern "C-unwind" fn(ctx: *mut SMFICTX) -> sfsistat>,
    /// Option negotiation: f0 the actions and f1 the protocol flags the MTA offers, pf0 and pf1
    /// those the filter wants. May also return SMFIS_ALL_OPTS. Needs xxfi_version > 4.
    pub xxfi_negotiate: Option<
        unsafe extern "C-unwind" fn(
            ctx: *mut SMFICTX,
            f0: c_ulong,
            f1: c_ulong,
            f2: c_ulong,
            f3: c_ulong,
            pf0: *mut c_ulong,
            pf1: *mut c_ulong,
            pf2: *mut c_ulong,
            pf3: *mut c_ulong,
        ) -> sfsistat,
    >,
}

/// cbindgen:ignore
pub(crate) const MI_SUCCESS: c_int = 0;
/// cbindgen:ignore
pub(crate) const MI_FAILURE: c_int = -1;
