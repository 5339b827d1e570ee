//! The arguments of MAIL and RCPT as callbacks get them: an array of strings with NULL at the end.

use std::ffi::c_char;
use std::ops::ControlFlow;

use crate::proto::nul::{count, each};

/// Strings for which no memory is allocated: an address and some ESMTP arguments.
const FEW: usize = 15;

/// Hands an array of pointers to the strings in `bytes`, with NULL at the end, to `take`; each
/// string ends in NUL.
///
/// `None` without memory for the array.
pub(super) fn with_arguments<T>(
    bytes: &mut [u8],
    take: impl FnOnce(&mut [*mut c_char]) -> T,
) -> Option<T> {
    let mut few = [std::ptr::null_mut(); FEW + 1];
    let mut many = pointers(bytes, &mut few)?;
    Some(take(if many.is_empty() { &mut few } else { &mut many }))
}

/// Points to the strings in `bytes`, with NULL at the end: in `few` if they fit, else in what is
/// returned, which is allocated once; `None` without memory for that.
fn pointers(bytes: &mut [u8], few: &mut [*mut c_char; FEW + 1]) -> Option<Vec<*mut c_char>> {
    let mut places = few.iter_mut().take(FEW);
    let all = each_string(bytes, |string| match places.next() {
        Some(place) => {
            *place = string;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    });
    if all.is_continue() {
        return Some(Vec::new());
    }
    let mut many = Vec::new();
    many.try_reserve_exact(count(bytes) + 1).ok()?;
    let _all = each_string(bytes, |string| {
        many.push(string);
        ControlFlow::Continue(())
    });
    many.push(std::ptr::null_mut());
    Some(many)
}

/// Hands a pointer to each string in `bytes` to `take`, until it breaks.
#[inline]
fn each_string(
    bytes: &mut [u8],
    mut take: impl FnMut(*mut c_char) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let first: *mut c_char = bytes.as_mut_ptr().cast();
    let mut start = 0;
    each(bytes, |nul| take(first.wrapping_add(std::mem::replace(&mut start, nul + 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_point_to_their_strings_and_are_allocated_once() {
        for number in [0, 1, FEW - 1, FEW, FEW + 1, 17, 100, 10_000, 32_767] {
            let mut bytes = b"a\0".repeat(number);
            let start: *mut c_char = bytes.as_mut_ptr().cast();
            let mut few = [std::ptr::null_mut(); FEW + 1];
            let many = pointers(&mut bytes, &mut few).unwrap();
            assert_eq!(many.capacity(), if number > FEW { number + 1 } else { 0 });
            let all = if many.is_empty() { &few[..=number] } else { &many[..] };
            let wanted: Vec<_> = (0..number).map(|n| start.wrapping_add(2 * n)).collect();
            assert_eq!(all.split_last(), Some((&std::ptr::null_mut(), &wanted[..])), "{number}");
        }
    }
}
