//! Compiles one C or C++ source and links the same object with each library.

use crate::error::{Error, Result, run};
use crate::machine::Machine;
use crate::make::{make, modified};
use crate::{ours, paths, reference, syslog};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

const ADVICE: &str = "the C tests need a C compiler: apt-get install gcc g++ libc6-dev";

/// Which headers the source is compiled against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Headers {
    /// Debian's; such an object is what existing filters are.
    Reference,
    /// Ours, in `include/libmilter`.
    Ours,
}

impl Headers {
    /// Directory to give to `-I`.
    pub fn include(self) -> Result<PathBuf> {
        match self {
            Self::Reference => Ok(reference::reference()?.include.clone()),
            Self::Ours => Ok(paths::workspace().join("include")),
        }
    }
}

/// What to compile and how.
#[derive(Clone, Debug)]
pub struct Compile {
    source: PathBuf,
    compiler: String,
    headers: Headers,
    flags: Vec<String>,
    libs: Vec<String>,
    machine: Option<&'static Machine>,
}

impl Compile {
    /// A C source: absolute, or relative to the `c-tests` directory.
    pub fn c(source: impl AsRef<Path>) -> Self {
        Self {
            source: paths::in_package(source),
            compiler: "gcc".into(),
            headers: Headers::Reference,
            flags: vec!["-O1".into(), "-g".into(), "-Wall".into(), "-pthread".into()],
            libs: Vec::new(),
            machine: None,
        }
    }

    /// A C++ source.
    pub fn cxx(source: impl AsRef<Path>) -> Self {
        Self { compiler: "g++".into(), ..Self::c(source) }
    }

    /// Compiles against these headers in place of Debian's.
    pub fn headers(mut self, headers: Headers) -> Self {
        self.headers = headers;
        self
    }

    /// Adds a compiler flag.
    pub fn flag(mut self, flag: impl Into<String>) -> Self {
        self.flags.push(flag.into());
        self
    }

    /// Adds something to link with, such as `-lresolv`, after libmilter.
    pub fn lib(mut self, lib: impl Into<String>) -> Self {
        self.libs.push(lib.into());
        self
    }

    /// Compiles for another machine.
    fn machine(mut self, machine: &'static Machine) -> Self {
        self.compiler.clone_from(&machine.compiler);
        self.machine = Some(machine);
        self
    }

    /// Compiles the object (cached by content); the executables are linked when first asked for.
    pub fn build(self) -> Result<Program> {
        let text = fs::read(&self.source).map_err(|e| Error::new(self.source.display(), e))?;
        let mut hasher = DefaultHasher::new();
        (&text, &self.compiler, &self.flags, &self.libs, self.headers).hash(&mut hasher);
        newest_header(&self.headers.include()?.join("libmilter"))?.hash(&mut hasher);
        newest_header(self.source.parent().unwrap_or(Path::new(".")))?.hash(&mut hasher);
        let stem = self.source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let base = paths::work_dir("bin")?.join(format!("{stem}-{:016x}", hasher.finish()));
        let object = base.with_extension("o");
        make(&object, &[], |output| {
            let mut cc = Command::new(&self.compiler);
            cc.args(&self.flags).arg("-I").arg(self.headers.include()?);
            cc.arg("-c").arg(&self.source).arg("-o").arg(output);
            run(&mut cc, ADVICE).map(drop)
        })?;
        Ok(Program { compile: self, base, object })
    }
}

/// A compiled source, ready to run under any [`crate::Linkage`].
#[derive(Clone, Debug)]
pub struct Program {
    compile: Compile,
    base: PathBuf,
    object: PathBuf,
}

impl Program {
    /// The same source compiled for another machine, to run with our library only.
    pub fn on(&self, machine: &'static Machine) -> Result<Self> {
        self.compile.clone().machine(machine).build()
    }

    /// The executable linked with `-lmilter` (Debian's, as existing filters are; on other machines
    /// ours, which has the same name).
    pub fn dynamic(&self) -> Result<PathBuf> {
        let lib = match self.compile.machine {
            Some(_) => &ours::ours()?.lib,
            None => &reference::reference()?.lib,
        };
        self.link("dynamic", &[], &[format!("-L{}", lib.display()), "-lmilter".into()])
    }

    /// The executable with Debian's static library in it.
    pub fn static_reference(&self) -> Result<PathBuf> {
        let archive = reference::reference()?.archive();
        self.link("static-reference", &[&archive], &[archive.display().to_string()])
    }

    /// The executable with our static library in it.
    pub fn static_ours(&self) -> Result<PathBuf> {
        let archive = ours::ours()?.archive();
        let mut with = vec![archive.display().to_string()];
        if let Some(machine) = self.compile.machine.filter(|machine| machine.all_static) {
            with.push("-static".into());
            with.push(syslog::shim_source().display().to_string());
            with.extend(machine.static_library.clone());
        }
        self.link("static-ours", &[&archive], &with)
    }

    fn link(&self, kind: &str, newer_than: &[&Path], with: &[String]) -> Result<PathBuf> {
        let exe = self.base.with_extension(kind);
        make(&exe, newer_than, |output| {
            let mut cc = Command::new(&self.compile.compiler);
            cc.args(&self.compile.flags).arg(&self.object).arg("-o").arg(output);
            cc.args(with).args(&self.compile.libs);
            run(&mut cc, ADVICE).map(drop)
        })?;
        Ok(exe)
    }
}

/// When the newest header in a directory changed; a program compiled before that is stale.
fn newest_header(dir: &Path) -> Result<Option<SystemTime>> {
    let entries = fs::read_dir(dir).map_err(|e| Error::new(dir.display(), e))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let headers = paths.filter(|path| path.extension().is_some_and(|e| e == "h"));
    Ok(headers.filter_map(|path| modified(&path).ok()).max())
}
