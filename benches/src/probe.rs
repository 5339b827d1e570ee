//! What a process uses: CPU time, memory, threads.

use c_tests::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// CPU time of all threads of a process so far, those that have ended included.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let fail = |e: std::io::Error| Error::new(format!("CPU clock of process {pid}"), e);
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the pointer is to a local variable of the type that the call fills in.
    let errno = unsafe { libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) };
    if errno != 0 {
        return Err(fail(std::io::Error::from_raw_os_error(errno)));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above; a clock that is gone by now is an error, not undefined.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(fail(std::io::Error::last_os_error()));
    }
    Ok(Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32))
}

/// CPU time of the threads of a process so far, by their numbers; with each thread's name.
pub type Threads = BTreeMap<u32, (String, Duration)>;

/// What each thread of a process has used so far, those that have ended left out.
pub fn threads(pid: u32) -> Result<Threads> {
    let path = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&path).map_err(|e| Error::new(&path, e))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // One that has just ended has no files any more.
    let thread = |number: u32| {
        let name = fs::read_to_string(format!("{path}/{number}/comm")).ok()?;
        let stat = fs::read_to_string(format!("{path}/{number}/schedstat")).ok()?;
        Some((number, (name.trim_end().to_owned(), on_cpu(&stat)?)))
    };
    let threads: Threads = numbers.filter_map(thread).collect();
    match threads.contains_key(&pid) {
        true => Ok(threads),
        false => {
            Err(Error(format!("{path}/{pid}/schedstat can't be read: has the process ended?")))
        }
    }
}

/// The first field of a thread's schedstat: time on a processor, in nanoseconds.
fn on_cpu(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Bytes of memory that a process has now, counted page by page: what `usage` tells of it may lag behind
/// by some dozens of pages for each processor.
pub fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(|e| Error::new(&path, e))?;
    let kib = text.lines().find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"));
    let kib = kib.and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| Error(format!("{path} has no line \"Rss:\"")))
}

/// Memory and threads of a process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub resident: u64,
    /// Address space, in bytes.
    pub virt: u64,
    /// Threads.
    pub threads: u64,
}

/// What a process has now.
pub fn usage(pid: u32) -> Result<Usage> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|e| Error::new(&path, e))?;
    let number = |name: &str| {
        status
            .lines()
            .find_map(|line| {
                line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok()
            })
            .ok_or_else(|| Error(format!("{path} has no line {name:?}: has the process ended?")))
    };
    Ok(Usage {
        resident: number("VmRSS:")? << 10,
        virt: number("VmSize:")? << 10,
        threads: number("Threads:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_computes_uses_cpu_time() {
        let pid = std::process::id();
        let before = cpu_time(pid).unwrap();
        let mut spins = 0_u64;
        while cpu_time(pid).unwrap() < before + Duration::from_millis(2) {
            spins += 1;
        }
        assert!(spins > 0);
        let usage = usage(pid).unwrap();
        assert!(usage.threads >= 1 && usage.virt >= usage.resident && usage.resident > 0);
        assert!(resident(pid).unwrap() > 0);
    }

    #[test]
    fn threads_are_told_apart() {
        let (start, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("waits".into()).spawn(move || wait.recv());
        let pid = std::process::id();
        let is_there = |t: &Threads| t.values().any(|(name, _)| name == "waits");
        // A thread names itself once it runs.
        while !is_there(&threads(pid).unwrap()) {
            std::thread::yield_now();
        }
        drop(start);
        let _closed = thread.unwrap().join().unwrap();
        assert_eq!(on_cpu("52208 7 1\n"), Some(Duration::from_nanos(52_208)));
        assert_eq!(on_cpu(""), None);
    }
}
