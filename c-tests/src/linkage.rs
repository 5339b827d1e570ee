//! The ways a compiled filter gets its libmilter, and the command that runs it so.

use crate::compile::Program;
use crate::error::{Error, Result};
use crate::machine::{Machine, machine};
use crate::{ours, reference, start, syslog};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which libmilter a program runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Linkage {
    /// Linked with `-lmilter`; the loader finds Debian's.
    ReferenceDynamic,
    /// Linked with Debian's `libmilter.a`.
    ReferenceStatic,
    /// The very executable of `ReferenceDynamic`; the loader finds ours.
    OursDynamic,
    /// Linked with our `libmilter.a`.
    OursStatic,
    /// The executable of `ReferenceDynamic` with Debian's library, and ours in `LD_PRELOAD`.
    OursPreload,
}

/// Names what programs that run with our library have preloaded first: the functions of the sanitizer
/// that it was compiled for (scripts/sanitize.sh).
const SANITIZER_VARIABLE: &str = "C_TESTS_SANITIZER";

/// What to preload before anything else; its options are handed to the command.
fn sanitizer(command: &mut Command) -> OsString {
    let Some(mut library) = std::env::var_os(SANITIZER_VARIABLE) else { return OsString::new() };
    for name in ["ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"] {
        if let Some(options) = std::env::var_os(name) {
            command.env(name, options);
        }
    }
    library.push(":");
    library
}

/// Whether programs run with a sanitizer, which looks for leaks when they end by themselves.
pub(crate) fn is_sanitized() -> bool {
    std::env::var_os(SANITIZER_VARIABLE).is_some()
}

/// Threads that a sanitizer has in every program that runs with our library.
pub fn sanitizer_threads() -> usize {
    let library = std::env::var(SANITIZER_VARIABLE).unwrap_or_default();
    usize::from(library.contains("libtsan"))
}

impl Linkage {
    /// All five.
    pub const ALL: [Self; 5] = [
        Self::ReferenceDynamic,
        Self::ReferenceStatic,
        Self::OursDynamic,
        Self::OursStatic,
        Self::OursPreload,
    ];

    /// The three that run our library.
    pub const OURS: [Self; 3] = [Self::OursDynamic, Self::OursStatic, Self::OursPreload];

    /// Whether the functions called are ours.
    pub fn is_ours(self) -> bool {
        Self::OURS.contains(&self)
    }

    /// The program as a command that runs with this library and no other.
    ///
    /// Its syslog lines go to stderr unless [`syslog::Log`] or the caller redirects them.
    pub fn command(self, program: &Program) -> Result<Command> {
        if let Some(machine) = machine().filter(|_| self.is_ours()) {
            return self.command_on(machine, &program.on(machine)?);
        }
        let mut command = Command::new(match self {
            Self::ReferenceStatic => program.static_reference()?,
            Self::OursStatic => program.static_ours()?,
            _ => program.dynamic()?,
        });
        self.apply(&mut command)?;
        Ok(command)
    }

    /// As [`Self::command`], for a program compiled for another machine.
    fn command_on(self, machine: &Machine, program: &Program) -> Result<Command> {
        let (program, preload) = match self {
            Self::OursDynamic => (program.dynamic()?, true),
            Self::OursStatic => (program.static_ours()?, !machine.all_static),
            other => return Err(Error(format!("{other:?} is tested on this machine only"))),
        };
        let mut command = match machine.runner.split_first() {
            None => Command::new(program),
            Some((runner, arguments)) => {
                let mut command = Command::new(runner);
                command.args(arguments).arg(program);
                command
            }
        };
        start::afresh(&mut command);
        command.env("LD_LIBRARY_PATH", machine.library_path(&ours::ours()?.lib));
        if preload {
            command.env("LD_PRELOAD", syslog::shim_for(Some(machine))?);
        }
        Ok(command)
    }

    /// Sets the loader's environment of any command, such as a daemon built elsewhere, and has it start
    /// as [`start`] says.
    pub fn apply(self, command: &mut Command) -> Result<()> {
        start::afresh(command);
        let mut preload = OsString::new();
        if self.is_ours() {
            preload = sanitizer(command);
        }
        preload.push(syslog::shim()?);
        match self {
            Self::ReferenceStatic | Self::OursStatic => {}
            Self::ReferenceDynamic => {
                command.env("LD_LIBRARY_PATH", &reference::reference()?.lib);
            }
            Self::OursDynamic => {
                command.env("LD_LIBRARY_PATH", &ours::ours()?.lib);
            }
            Self::OursPreload => {
                command.env("LD_LIBRARY_PATH", &reference::reference()?.lib);
                preload.push(":");
                preload.push(ours::ours()?.shared());
            }
        }
        command.env("LD_PRELOAD", preload);
        Ok(())
    }

    /// Fails unless the running process has exactly the intended libraries mapped.
    pub fn check_mapped(self, pid: u32) -> Result<()> {
        let path = format!("/proc/{pid}/maps");
        self.check_maps(pid, &fs::read_to_string(&path).map_err(|e| Error::new(&path, e))?)
    }

    /// The same with what the `maps` file of the process says, for one that only root may look at.
    pub fn check_maps(self, pid: impl fmt::Display, maps: &str) -> Result<()> {
        let mapped = |file: PathBuf| -> Result<bool> {
            let real = fs::canonicalize(&file).map_err(|e| Error::new(file.display(), e))?;
            Ok(maps
                .lines()
                .any(|line| line.split_whitespace().nth(5).is_some_and(|m| Path::new(m) == real)))
        };
        let reference = mapped(reference::reference()?.shared())?;
        // Without a build of ours nothing of it can be mapped.
        let ours = match self.is_ours() {
            true => mapped(ours::ours()?.shared())?,
            false => maps.contains("/release/libmilter.so"),
        };
        let wanted = match self {
            Self::ReferenceDynamic => (true, false),
            Self::ReferenceStatic | Self::OursStatic => (false, false),
            // Preloaded, ours also answers for the name that the program asks the loader for.
            Self::OursDynamic | Self::OursPreload => (false, true),
        };
        if (reference, ours) == wanted {
            return Ok(());
        }
        Err(Error(format!(
            "{self:?}: process {pid} maps (reference, ours) = {:?}, wanted {wanted:?}\n{maps}",
            (reference, ours)
        )))
    }
}
