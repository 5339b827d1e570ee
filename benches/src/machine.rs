//! Where and when a run took place.

use std::fmt;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the figures depend on besides the code.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Cores.
    pub cores: usize,
    /// Memory, in GiB.
    pub memory: u64,
    /// Name and release of the kernel.
    pub kernel: String,
    /// Commit of the sources, with a plus sign if they were changed since.
    pub commit: String,
    /// Seconds since 1970.
    pub time: u64,
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Machine {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal")
            .and_then(|kib| kib.split(' ').next()?.parse::<u64>().ok());
        Machine {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: memory.unwrap_or(0) >> 20,
            kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            commit: output("git", &["describe", "--always", "--dirty=+"]),
            time: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs()),
        }
    }
}

/// First line of what a tool prints, or "unknown".
fn output(tool: &str, arguments: &[&str]) -> String {
    Command::new(tool)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into())
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, memory, kernel, commit, .. } = self;
        write!(f, "{cpu}, {cores} cores, {memory} GiB, {kernel}; commit {commit}")
    }
}
