//! Exported functions that set a filter up.

use std::ffi::{c_char, c_int, c_uint};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use super::callbacks::{CFilter, version_fits};
use super::guard::{guard, guard_system, text};
use super::settings::SETTINGS;
use super::socket;
use super::types::{MI_FAILURE, MI_SUCCESS, c_bool, smfiDesc};
use super::variables::log_destination;
use crate::proto::codes::{DEFAULT_MAX_DATA_SIZE, LIBRARY_VERSION};
use crate::runtime::Log;
use crate::sys::log::Priority;

/// Bytes; of all sessions, those that are open too.
pub(super) static MAX_DATA_SIZE: LazyLock<Arc<AtomicUsize>> =
    LazyLock::new(|| Arc::new(AtomicUsize::new(DEFAULT_MAX_DATA_SIZE)));

/// Registers a filter; the structure is copied, its name too.
///
/// Call before smfi_main. A later call replaces the registration for the next smfi_main. Thread:
/// the one that calls smfi_main. Returns MI_SUCCESS, or MI_FAILURE if xxfi_version is not one this
/// library knows; the registration before stays then.
///
/// # Safety
/// The name is NULL or terminated, the callbacks are NULL or as their types say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_register(descr: smfiDesc) -> c_int {
    // SAFETY: by the caller's promise.
    let name = unsafe { text(descr.xxfi_name) }.unwrap_or(b"Unknown");
    guard(MI_FAILURE, || {
        let log = Log::new(name);
        log_destination(&log);
        if !version_fits(descr.xxfi_version) {
            let text = format!(
                "smfi_register: version mismatch application: {} != milter: {LIBRARY_VERSION}",
                descr.xxfi_version
            );
            log.line(Priority::Error, &text);
            return MI_FAILURE;
        }
        SETTINGS.lock().filter = Some((CFilter::new(descr), Arc::new(log)));
        MI_SUCCESS
    })
}

/// Sets where to listen: "unix:/path", "local:/path", "/path", "inet:port@host",
/// "inet6:port@host" or "fd:number"; also "systemd:name" and "abstract:name", and several of them with
/// commas between, see libmilter(3).
///
/// Call before smfi_opensocket or smfi_main. The string is copied; it is looked at when the socket
/// is opened. Thread: the one that calls smfi_main. Returns MI_SUCCESS, or MI_FAILURE if the
/// string is NULL or empty.
///
/// # Safety
/// The string is NULL or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_setconn(oconn: *mut c_char) -> c_int {
    // SAFETY: by the caller's promise.
    let Some(spec) = unsafe { text(oconn) }.filter(|spec| !spec.is_empty()) else {
        return MI_FAILURE;
    };
    guard(MI_FAILURE, || {
        SETTINGS.lock().connection = Some(spec.to_vec());
        MI_SUCCESS
    })
}

/// Opens the listening socket, or all of several, now, so that its errors are seen early and privileges can be
/// dropped before smfi_main.
///
/// Call after smfi_register and smfi_setconn. If rmsocket is true, a unix socket that is at the
/// path already is removed first. Starts no thread. Thread: the one that calls smfi_main. Returns
/// MI_SUCCESS, or MI_FAILURE; the reason is logged, unless it is that one of these two is missing, and
/// errno has its number if it was a system call.
/// If the socket is open already, or a run has it, the call succeeds and changes nothing.
#[unsafe(no_mangle)]
pub extern "C" fn smfi_opensocket(rmsocket: c_bool) -> c_int {
    guard_system(|| socket::open(rmsocket & 0xff != 0))
}

/// Sets how many connections may wait to be accepted.
///
/// Call before smfi_opensocket. Thread: the one that calls smfi_main. Returns MI_SUCCESS, or
/// MI_FAILURE if the number is not positive.
#[unsafe(no_mangle)]
pub extern "C" fn smfi_setbacklog(obacklog: c_int) -> c_int {
    if obacklog <= 0 {
        return MI_FAILURE;
    }
    guard(MI_FAILURE, || {
        SETTINGS.lock().backlog = obacklog;
        MI_SUCCESS
    })
}

/// Sets the level of debug output, which goes to stdout; 0 for none, 6 for all.
///
/// Call before smfi_main; a run under way keeps its level. Thread: any. Returns MI_SUCCESS.
#[unsafe(no_mangle)]
pub extern "C" fn smfi_setdbg(odbg: c_int) -> c_int {
    guard(MI_FAILURE, || {
        SETTINGS.lock().debug = odbg;
        MI_SUCCESS
    })
}

/// Sets how many seconds the MTA may be silent, and may take for one packet in either direction.
///
/// Default 7210. Negative: for ever. 0: one second for a packet, for ever between packets. Call
/// before smfi_main. Thread: the one that calls smfi_main. Returns MI_SUCCESS.
#[unsafe(no_mangle)]
pub extern "C" fn smfi_settimeout(otimeout: c_int) -> c_int {
    guard(MI_FAILURE, || {
        SETTINGS.lock().timeout = otimeout;
        MI_SUCCESS
    })
}

/// Sets how many bytes of payload a packet may have, in either direction, in all sessions.
///
/// Default 65535. Larger packets from the MTA end their session, larger ones to it are refused.
/// Sessions that negotiated a size keep it. Thread: any, at any time. Returns the limit before.
#[unsafe(no_mangle)]
pub extern "C" fn smfi_setmaxdatasize(sz: usize) -> usize {
    // Relaxed: a number on its own.
    guard(DEFAULT_MAX_DATA_SIZE, || MAX_DATA_SIZE.swap(sz, Ordering::Relaxed))
}

/// Gives the version of the library: 1, 0 and 1.
///
/// Each pointer may be NULL. Thread: any, at any time. Returns MI_SUCCESS.
///
/// # Safety
/// Each pointer is NULL or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smfi_version(
    pmajor: *mut c_uint,
    pminor: *mut c_uint,
    ppl: *mut c_uint,
) -> c_int {
    for (pointer, value) in [
        (pmajor, LIBRARY_VERSION >> 24),
        (pminor, LIBRARY_VERSION >> 8 & 0x7fff),
        (ppl, LIBRARY_VERSION & 0x7f),
    ] {
        // SAFETY: by the caller's promise.
        if let Some(place) = unsafe { pointer.as_mut() } {
            *place = value;
        }
    }
    MI_SUCCESS
}
