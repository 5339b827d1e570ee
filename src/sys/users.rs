//! Names of users and groups, looked up while the listening socket is opened.

use std::ffi::{CStr, CString, c_char};

/// Bytes. Room for what a database says of a user or a group at first, and at most.
const ROOM_MIN: usize = 1 << 10;
const ROOM_MAX: usize = 1 << 20;

/// The number of a user.
#[must_use]
pub fn user_id(name: &str) -> Option<u32> {
    look_up(name, |name, room| {
        let mut found = std::ptr::null_mut();
        // SAFETY: all fields are numbers or pointers, for which zero is a valid value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let (buffer, size) = (room.as_mut_ptr().cast::<c_char>(), room.len());
        // SAFETY: the name is a string; the others are valid for writing, the buffer for `size` bytes.
        let error = unsafe {
            libc::getpwnam_r(name.as_ptr(), &raw mut entry, buffer, size, &raw mut found)
        };
        (error, (!found.is_null()).then_some(entry.pw_uid))
    })
}

/// The number of a group.
#[must_use]
pub fn group_id(name: &str) -> Option<u32> {
    look_up(name, |name, room| {
        let mut found = std::ptr::null_mut();
        // SAFETY: all fields are numbers or pointers, for which zero is a valid value.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let (buffer, size) = (room.as_mut_ptr().cast::<c_char>(), room.len());
        // SAFETY: the name is a string; the others are valid for writing, the buffer for `size` bytes.
        let error = unsafe {
            libc::getgrnam_r(name.as_ptr(), &raw mut entry, buffer, size, &raw mut found)
        };
        (error, (!found.is_null()).then_some(entry.gr_gid))
    })
}

/// Asks with more and more room for the answer, as long as there is too little; `ask` returns the number
/// of an error, and the answer.
fn look_up(name: &str, ask: impl Fn(&CStr, &mut [u8]) -> (i32, Option<u32>)) -> Option<u32> {
    let name = CString::new(name).ok()?;
    let mut room = vec![0; ROOM_MIN];
    loop {
        match ask(&name, &mut room) {
            (libc::ERANGE, _) if room.len() < ROOM_MAX => room.resize(room.len() * 2, 0),
            (_, found) => return found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_everywhere() {
        assert_eq!(user_id("root"), Some(0));
        let of_root = ["root", "wheel"].map(group_id);
        assert!(of_root.contains(&Some(0)));
        for none in ["", "no such user", "nul\0"] {
            assert_eq!((user_id(none), group_id(none)), (None, None), "{none:?}");
        }
    }
}
