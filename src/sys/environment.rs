//! Settings from the environment, which nobody but the program's own user may have chosen.

use std::ffi::OsString;

/// A variable of the environment, and whether it may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// It is not set.
    Unset,
    /// It is set, and the program has no more rights than whoever started it.
    Set(OsString),
    /// It is set by somebody with fewer rights than the program has.
    Untrusted,
}

/// Why a variable that is [`Setting::Untrusted`] does nothing.
#[must_use]
pub fn ignored(name: &str) -> String {
    format!("{name} is ignored, since the program has rights that whoever started it has not")
}

/// Looks a variable up.
#[must_use]
pub fn setting(name: &str) -> Setting {
    match std::env::var_os(name) {
        None => Setting::Unset,
        Some(_) if privileged() => Setting::Untrusted,
        Some(value) => Setting::Set(value),
    }
}

/// Whether the program got rights when it was started: set-uid, set-gid, or by capabilities of its
/// file. As for `secure_getenv`, which not every C library has.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn privileged() -> bool {
    // SAFETY: looks a number up that the kernel has passed to the program.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// As above. On some of these systems also a process that has changed its user since.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn privileged() -> bool {
    #[cfg(any(target_os = "illumos", target_os = "solaris"))]
    unsafe extern "C" {
        fn issetugid() -> std::ffi::c_int;
    }
    #[cfg(not(any(target_os = "illumos", target_os = "solaris")))]
    use libc::issetugid;
    // SAFETY: takes no argument, and always succeeds.
    unsafe { issetugid() != 0 }
}
