//! What is measured, and the programs for it.

use c_tests::{Compile, Linkage, Program, Result};
use std::path::PathBuf;
use std::process::Command;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The benchmark filter with our library.
    Ours,
    /// The benchmark filter with Debian's library.
    Reference,
    /// The floor with a thread for each connection.
    Threads,
    /// The floor with one event loop for each core.
    Epoll,
    /// A design that was not chosen: workers take turns on one poller with one-shot events.
    OneShot,
    /// A design that was not chosen: one thread waits and hands each command to a worker.
    HandOff,
}

impl Subject {
    /// Those that loads compare.
    pub const ALL: [Subject; 4] =
        [Subject::Ours, Subject::Reference, Subject::Threads, Subject::Epoll];

    /// The two that run a library.
    pub const LIBRARIES: [Subject; 2] = [Subject::Ours, Subject::Reference];

    /// The name in tables and in the raw output.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Ours => "ours",
            Subject::Reference => "reference",
            Subject::Threads => "threads",
            Subject::Epoll => "epoll",
            Subject::OneShot => "one-shot",
            Subject::HandOff => "hand-off",
        }
    }

    /// The subject with a name.
    pub fn from_name(name: &str) -> Option<Subject> {
        Self::ALL.into_iter().find(|subject| subject.name() == name)
    }
}

/// The compiled programs.
#[derive(Debug)]
pub struct Programs {
    filter: Program,
    threads: Program,
    epoll: Program,
    one_shot: Program,
    hand_off: Program,
}

impl Programs {
    /// Compiles what has changed, and builds our library.
    pub fn build() -> Result<Programs> {
        let programs = Programs {
            filter: source("filter.c").build()?,
            threads: source("threads.c").build()?,
            epoll: source("epoll.c").build()?,
            one_shot: source("workers.c").build()?,
            hand_off: source("workers.c").flag("-DHAND_OFF").build()?,
        };
        for subject in Subject::ALL {
            programs.command(subject)?;
        }
        Ok(programs)
    }

    /// The command that runs a subject, without arguments.
    pub fn command(&self, subject: Subject) -> Result<Command> {
        match subject {
            Subject::Ours => Linkage::OursDynamic.command(&self.filter),
            Subject::Reference => Linkage::ReferenceDynamic.command(&self.filter),
            Subject::Threads => Ok(Command::new(self.threads.dynamic()?)),
            Subject::Epoll => Ok(Command::new(self.epoll.dynamic()?)),
            Subject::OneShot => Ok(Command::new(self.one_shot.dynamic()?)),
            Subject::HandOff => Ok(Command::new(self.hand_off.dynamic()?)),
        }
    }

    /// Fails unless a running process uses the library it is measured for, and no other.
    pub fn check(subject: Subject, pid: u32) -> Result<()> {
        match subject {
            Subject::Ours => Linkage::OursDynamic.check_mapped(pid),
            Subject::Reference => Linkage::ReferenceDynamic.check_mapped(pid),
            _ => Ok(()),
        }
    }
}

fn source(name: &str) -> Compile {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "programs", name].iter().collect();
    // The floors need no libmilter, and are not to look for one.
    Compile::c(path).flag("-O2").flag("-Wl,--as-needed")
}
