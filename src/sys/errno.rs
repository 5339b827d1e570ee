//! The calling thread's `errno`, which belongs to the program that calls the library.

use std::ffi::c_int;

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
use libc::___errno as location;
#[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "android"))]
use libc::__errno as location;
#[cfg(any(target_os = "linux", target_os = "hurd"))]
use libc::__errno_location as location;
#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "dragonfly"))]
use libc::__error as location;

/// Puts `errno` back to what it was when this was made, when it is dropped.
#[derive(Debug)]
pub struct Kept(c_int);

/// Keeps `errno` as it is now; may be called in a signal handler.
#[must_use]
#[inline]
pub fn keep() -> Kept {
    // SAFETY: the place is this thread's own, and lasts as long as the thread.
    Kept(unsafe { *place() })
}

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        set(self.0);
    }
}

/// Sets `errno`.
#[inline]
pub fn set(number: c_int) {
    // SAFETY: the place is this thread's own, and lasts as long as the thread.
    unsafe { *place() = number };
}

#[inline]
fn place() -> *mut c_int {
    // SAFETY: takes no argument; the C library has a place for each thread.
    unsafe { location() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_number_is_put_back() {
        set(libc::ERANGE);
        {
            let _kept = keep();
            set(libc::EBADF);
        }
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::ERANGE));
    }
}
