//! Threads that run callbacks of C programs.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Bytes. C filters put large buffers on the stack; the defaults of musl (128 KiB), of macOS
/// (512 KiB) and of Rust (2 MiB) are too small for some.
const STACK_MIN: usize = 8 << 20;

/// The platform's default stack size for threads, where it can be asked for.
fn platform_stack_size() -> Option<usize> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the pointer is valid for writing an attributes object.
    if unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let mut size = 0;
    // SAFETY: pthread_attr_init succeeded, so the object is initialised.
    let result = unsafe { libc::pthread_attr_getstacksize(attributes.as_ptr(), &raw mut size) };
    // SAFETY: the object is initialised and not used afterwards.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (result == 0).then_some(size)
}

/// Starts a thread with at least 8 MiB of stack, more where the platform gives more.
///
/// # Errors
/// The system has no thread to give.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let stack = platform_stack_size().unwrap_or(0).max(STACK_MIN);
    Builder::new().name(name.to_owned()).stack_size(stack).spawn(body)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_large_array_fits_the_stack() {
        let thread = super::spawn("test", || {
            let big = std::hint::black_box([1u8; 3 << 20]);
            assert_eq!(big[big.len() - 1], 1);
        });
        thread.unwrap().join().unwrap();
    }
}
