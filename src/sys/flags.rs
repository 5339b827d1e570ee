//! What the calling thread has to remember of a session's turn, together in one place: whoever serves a
//! session looks after each packet.

use std::cell::Cell;

/// A callback has ended the thread.
const LEAVING: u8 = 1;
/// The system had no memory for something.
const SHORT: u8 = 2;

thread_local! {
    static FLAGS: Cell<u8> = const { Cell::new(0) };
}

/// Notes that the calling thread ends as soon as its work is in order.
pub fn leave() {
    FLAGS.set(FLAGS.get() | LEAVING);
}

/// Whether the calling thread is to end, see [`leave`].
#[must_use]
pub fn is_leaving() -> bool {
    FLAGS.get() & LEAVING != 0
}

/// Notes that the system had no memory for something; needs none itself.
pub(super) fn run_short() {
    FLAGS.set(FLAGS.get() | SHORT);
}

/// Begins something for which [`ran_short`] will be asked.
#[inline]
pub fn begin() {
    FLAGS.set(FLAGS.get() & !SHORT);
}

/// Whether the system had no memory for the calling thread since [`begin`].
#[inline]
#[must_use]
pub fn ran_short() -> bool {
    FLAGS.get() & SHORT != 0
}

/// Does something that a session does not depend on: a lack of memory in it is not the session's.
pub fn apart<T>(body: impl FnOnce() -> T) -> T {
    let short = FLAGS.get() & SHORT;
    let done = body();
    FLAGS.set(FLAGS.get() & !SHORT | short);
    done
}

/// Whether a session can't go on, for one reason or the other.
#[inline]
#[must_use]
pub fn is_any() -> bool {
    FLAGS.get() != 0
}
