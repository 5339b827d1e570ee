//! What a process uses: CPU time, memory, threads.

use c_tests::{Error, Result};
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
    }
}
