//! Another machine than this one: our library and the filters built for it, run through an emulator.
//!
//! With [`VARIABLE`] set, the linkages that run our library run it on that machine, and those that run
//! the reference stay here: what the reference does is the same everywhere but for its defects.

use std::path::Path;
use std::sync::OnceLock;

/// Names the machine as Debian's cross compilers do, such as `aarch64-linux-gnu`; needs
/// [`crate::ours::DIRECTORY_VARIABLE`] with our library built for it.
pub const VARIABLE: &str = "C_TESTS_MACHINE";

/// Names a library that a program needs there as well if it is linked statically.
pub const STATIC_VARIABLE: &str = "C_TESTS_MACHINE_STATIC";

/// A machine that is not this one.
#[derive(Debug)]
pub struct Machine {
    /// The C compiler for it.
    pub compiler: String,
    /// What a program is started with: an emulator or a loader, or nothing.
    pub runner: Vec<String>,
    /// Directories that its loader does not search by itself.
    pub libraries: Vec<String>,
    /// `long` has 32 bits.
    pub narrow: bool,
    /// Linked statically means all of it, libc too; nothing can be preloaded then.
    pub all_static: bool,
    /// What comes after our static library.
    pub static_library: Option<String>,
}

impl Machine {
    fn new(name: &str) -> Self {
        let root = format!("/usr/{name}");
        let compiler = format!("{name}-gcc");
        let plain = Self {
            compiler,
            runner: Vec::new(),
            libraries: Vec::new(),
            narrow: name.starts_with("i686-") || name.starts_with("arm-"),
            all_static: false,
            static_library: std::env::var(STATIC_VARIABLE).ok(),
        };
        match name {
            // This processor runs it; only the loader is not where programs look for it.
            "i686-linux-gnu" => Self {
                runner: vec![format!("{root}/lib/ld-linux.so.2")],
                libraries: vec![format!("{root}/lib")],
                ..plain
            },
            "x86_64-linux-musl" => Self { compiler: "musl-gcc".into(), all_static: true, ..plain },
            _ => {
                let processor = name.split('-').next().unwrap_or_default();
                let emulator = match processor {
                    "powerpc64le" => "ppc64le",
                    other => other,
                };
                let runner = [&format!("qemu-{emulator}-static"), "-L", &root];
                Self { runner: runner.map(str::to_owned).to_vec(), ..plain }
            }
        }
    }

    /// A value for `LD_LIBRARY_PATH` that begins with this directory.
    pub fn library_path(&self, first: &Path) -> String {
        let mut path = first.display().to_string();
        for library in &self.libraries {
            path.push(':');
            path.push_str(library);
        }
        path
    }
}

/// The machine of our library, if it is not this one.
pub fn machine() -> Option<&'static Machine> {
    static MACHINE: OnceLock<Option<Machine>> = OnceLock::new();
    MACHINE.get_or_init(|| std::env::var(VARIABLE).ok().map(|name| Machine::new(&name))).as_ref()
}
