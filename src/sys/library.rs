//! Which library this is.

use std::ffi::{CStr, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Name and version, whole in the file, for `strings`.
pub const NAME: &str = concat!("libmilter in Rust, version ", env!("CARGO_PKG_VERSION"));

/// The file that this code was loaded from: the library, or the program that it is linked into.
#[must_use]
pub fn file() -> Option<&'static Path> {
    let here: *const c_void = (file as fn() -> Option<&'static Path> as *const ()).cast();
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: looks an address up; the pointer is valid for writing.
    if unsafe { libc::dladdr(here, found.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: zeros are valid for it, and the call has filled it.
    let name = unsafe { found.assume_init() }.dli_fname;
    if name.is_null() {
        return None;
    }
    // SAFETY: the loader's name of an object that stays loaded as long as this code does.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(std::ffi::OsStr::from_bytes(name.to_bytes())))
}
