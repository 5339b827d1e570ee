//! Threads that run callbacks of C programs.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::thread::{JoinHandleExt, RawPthread};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::fd::above_stdio;
pub use super::flags::{is_leaving, leave};
use super::{memory, tsan};

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
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    // The standard library and the C library end the process if there is not enough for a thread's own
    // data.
    if !memory::is_there() {
        return Err(memory::shortage());
    }
    let stack = platform_stack_size().unwrap_or(0).max(STACK_MIN);
    let body = move || {
        let _library = tsan::library();
        // For good: only callbacks may be cancelled.
        std::mem::forget(Uncancelled::begin());
        body();
    };
    let thread = Builder::new().name(name.to_owned()).stack_size(stack).spawn(body)?;
    Ok(Thread { id: thread.into_pthread_t() })
}

/// A thread that was started; it is joined, or else goes on by itself.
#[derive(Debug)]
pub struct Thread {
    id: RawPthread,
}

impl Thread {
    /// Joins it if it has ended, with all that runs at a thread's end; else gives it back.
    ///
    /// Where the system can't tell, waits for it.
    ///
    /// # Errors
    /// It has not ended.
    pub fn try_join(self) -> Result<(), Thread> {
        #[cfg(target_os = "linux")]
        {
            // SAFETY: the thread was neither joined nor detached, as that takes `self`.
            let result = unsafe { libc::pthread_tryjoin_np(self.raw(), std::ptr::null_mut()) };
            if result == libc::EBUSY {
                return Err(self);
            }
            std::mem::forget(self);
            Ok(())
        }
        #[cfg(not(target_os = "linux"))]
        {
            self.join();
            Ok(())
        }
    }

    /// Waits until it has ended.
    pub fn join(self) {
        // SAFETY: the thread was neither joined nor detached, as that takes `self`.
        unsafe { libc::pthread_join(self.raw(), std::ptr::null_mut()) };
        std::mem::forget(self);
    }

    /// What the system's calls take.
    pub(super) fn raw(&self) -> libc::pthread_t {
        self.id as libc::pthread_t
    }
}

impl Drop for Thread {
    /// Lets it end on its own.
    fn drop(&mut self) {
        // SAFETY: the thread was neither joined nor detached: where it was joined, this is not called.
        unsafe { libc::pthread_detach(self.raw()) };
    }
}

/// The system's number of the calling thread, as a debugger shows it; `None` where threads have none.
#[must_use]
pub fn own_id() -> Option<u64> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        Some(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs().into())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    None
}

/// While it lives, the calling thread is not cancelled; a request waits.
///
/// Cancellation ends frames without running what Rust has in them.
#[derive(Debug)]
pub struct Uncancelled {
    #[cfg(target_os = "linux")]
    before: libc::c_int,
}

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
}

impl Uncancelled {
    /// Begins the time in which the thread is not cancelled.
    #[must_use]
    pub fn begin() -> Uncancelled {
        #[cfg(target_os = "linux")]
        {
            const DISABLE: libc::c_int = 1;
            let mut before = 0;
            // SAFETY: the state is a valid one, the pointer valid for writing.
            unsafe { pthread_setcancelstate(DISABLE, &raw mut before) };
            Uncancelled { before }
        }
        #[cfg(not(target_os = "linux"))]
        Uncancelled {}
    }
}

#[cfg(target_os = "linux")]
impl Drop for Uncancelled {
    fn drop(&mut self) {
        // SAFETY: the state is one that the system has told.
        unsafe { pthread_setcancelstate(self.before, std::ptr::null_mut()) };
    }
}

/// How long something took the calling thread, apart from the time in which it could have run but
/// the system ran others.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    start: Instant,
    usage: Option<Usage>,
}

/// What a thread has used so far.
#[derive(Debug, Clone, Copy)]
struct Usage {
    cpu: Duration,
    /// Times it has given up the processor to wait for something.
    waits: libc::c_long,
}

impl Stopwatch {
    /// Starts it.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch { start: Instant::now(), usage: usage() }
    }

    /// The time on the clock if the thread has waited for something since the start, else the
    /// processor time.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match (self.usage, usage()) {
            (Some(before), Some(after)) if before.waits == after.waits => {
                after.cpu.saturating_sub(before.cpu)
            }
            _ => self.start.elapsed(),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn usage() -> Option<Usage> {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the pointer is valid for writing.
    if unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call succeeded and wrote the structure.
    let usage = unsafe { usage.assume_init() };
    let duration = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::from_secs(seconds)
            + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
    Some(Usage { cpu, waits: usage.ru_nvcsw })
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn usage() -> Option<Usage> {
    None
}

/// A view of one thread's state, for others to look at.
#[derive(Debug)]
pub struct StateView {
    file: OwnedFd,
}

impl StateView {
    /// Of the calling thread; `None` where the system has no such view.
    #[must_use]
    pub fn own() -> Option<StateView> {
        let file = File::open("/proc/thread-self/stat").ok()?;
        Some(StateView { file: above_stdio(file.into()).ok()? })
    }

    /// Whether the thread runs, or would if the system let it, rather than waits for something.
    #[must_use]
    pub fn could_run(&self) -> bool {
        let mut stat = [0; 64];
        let n = rustix::io::pread(&self.file, &mut stat, 0).unwrap_or(0);
        let stat = stat.get(..n).unwrap_or_default();
        // The state follows the name, which is in parentheses and may hold any character.
        let state = stat.iter().rposition(|&b| b == b')').and_then(|end| stat.get(end + 2));
        state == Some(&b'R')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_counts_by_the_clock() {
        let watch = Stopwatch::start();
        std::thread::sleep(Duration::from_millis(20));
        assert!(watch.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_thread_that_waits_could_not_run() {
        let (view, sender) = std::sync::mpsc::channel();
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            view.send(StateView::own()).unwrap();
            let _released = wait.recv();
        });
        if let Some(view) = sender.recv().unwrap() {
            while view.could_run() {
                std::thread::yield_now();
            }
        }
        assert!(!cfg!(target_os = "linux") || StateView::own().unwrap().could_run());
        drop(release);
        thread.join().unwrap();
    }

    #[test]
    fn a_large_array_fits_the_stack() {
        let thread = super::spawn("test", || {
            let big = std::hint::black_box([1u8; 3 << 20]);
            assert_eq!(big[big.len() - 1], 1);
        });
        thread.unwrap().join();
    }
}
