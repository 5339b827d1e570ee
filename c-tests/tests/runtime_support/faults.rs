//! System calls that fail when the test says so; see `milters/faults.h`.

use super::Filter;
use c_tests::{Compile, Linkage};
use rustix::io::Errno;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A call that can fail, by its place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Receive,
    Send,
    Accept,
    /// Has a poller watch a descriptor.
    Add,
    /// Has a poller watch it in another way.
    Change,
    /// Has a poller forget it.
    Delete,
    /// Waits for what a poller watches.
    Wait,
    /// Waits for one session.
    Poll,
    /// Takes a wake-up.
    Clear,
    /// Wakes.
    Wake,
    /// Looks what is behind a descriptor.
    Stat,
    /// Makes a poller or something to be woken by.
    Create,
    /// Looks at the state of a thread in `/proc`.
    Look,
    /// Opens the file for that.
    Open,
    Thread,
    Clock,
}

pub(crate) const NONE: Range<i64> = i64::MAX..i64::MAX;

/// Which calls of the library fail.
pub(crate) struct Faults(File);

impl Faults {
    /// A filter that is just being started, under a plan in which these calls fail with an error.
    pub(crate) fn launch(
        variables: &[(&str, &str)],
        options: &[&str],
        (call, error, numbers): (Call, Errno, Range<i64>),
    ) -> (Faults, Filter) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let program = Compile::c("milters/runtime.c").flag("-DFAULTS").build().unwrap();
        let mut command = Linkage::OursDynamic.command(&program).unwrap();
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("faults-{}-{n}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        file.set_len(4096).unwrap();
        let faults = Faults(file);
        faults.fail(call, error, numbers);
        command.env("FAULTS", &path).envs(variables.iter().copied());
        let filter = Filter::launch_command(command, "unix:{dir}/socket", options);
        filter.wait_for("ready ");
        std::fs::remove_file(&path).unwrap();
        (faults, filter)
    }

    /// A filter under a plan in which nothing fails.
    pub(crate) fn start(variables: &[(&str, &str)], options: &[&str]) -> (Faults, Filter) {
        Faults::launch(variables, options, (Call::Receive, Errno::IO, NONE))
    }

    /// Has those calls of a kind fail that have these numbers from now on, counted from 1.
    pub(crate) fn fail(&self, call: Call, error: Errno, numbers: Range<i64>) {
        let write = |n: u64, number: i64| {
            let place = (call as u64 * 4 + n) * 8;
            self.0.write_all_at(&number.to_ne_bytes(), place).unwrap();
        };
        // First what makes none fail.
        write(1, i64::MAX);
        write(0, 0);
        write(3, error.raw_os_error().into());
        write(2, numbers.end);
        write(1, numbers.start);
    }

    /// Has none fail any more.
    pub(crate) fn lift(&self, call: Call) {
        self.fail(call, Errno::IO, NONE);
    }

    /// How many of a kind there have been since the plan for it was changed.
    pub(crate) fn seen(&self, call: Call) -> i64 {
        let mut number = [0; 8];
        self.0.read_exact_at(&mut number, call as u64 * 32).unwrap();
        i64::from_ne_bytes(number)
    }
}
