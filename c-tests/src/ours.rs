//! Our library: built once per process with cargo, laid out in a directory programs can load from.

use crate::error::{Error, Result, run};
use crate::{machine, paths};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Set to a directory with `libmilter.so` and `libmilter.a` to test those in place of a fresh build.
pub const DIRECTORY_VARIABLE: &str = "LIBMILTER_DIR";

/// The SONAME that programs linked with the reference ask the loader for.
pub const SONAME: &str = "libmilter.so.1.0.1";

/// Our library, ready to be loaded or linked.
#[derive(Debug)]
pub struct Ours {
    /// Directory to give to `-I`; holds `libmilter/mfapi.h`.
    pub include: PathBuf,
    /// Directory with `libmilter.so`, `libmilter.so.1.0.1` and `libmilter.a`.
    pub lib: PathBuf,
}

impl Ours {
    /// The shared object under the name the loader looks for.
    pub fn shared(&self) -> PathBuf {
        self.lib.join(SONAME)
    }

    /// The static library.
    pub fn archive(&self) -> PathBuf {
        self.lib.join("libmilter.a")
    }
}

/// Returns our library, building it on first use.
pub fn ours() -> Result<&'static Ours> {
    static OURS: OnceLock<Ours> = OnceLock::new();
    if let Some(found) = OURS.get() {
        return Ok(found);
    }
    let built = match std::env::var_os(DIRECTORY_VARIABLE) {
        Some(dir) => PathBuf::from(dir),
        None => build()?,
    };
    let found = paths::locked("ours", || lay_out(&built))?;
    Ok(OURS.get_or_init(|| found))
}

fn build() -> Result<PathBuf> {
    let target = paths::target()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--release", "--package", "libmilter", "--lib"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(paths::workspace());
    run(&mut command, "the library has to build before it can be compared")?;
    Ok(target.join("release"))
}

fn lay_out(built: &Path) -> Result<Ours> {
    let lib = match std::env::var(machine::VARIABLE) {
        Ok(name) => paths::work_dir(&format!("ours-{name}"))?,
        Err(_) => paths::work_dir("ours")?,
    };
    for (name, file) in
        [("libmilter.so", "libmilter.so"), (SONAME, "libmilter.so"), ("libmilter.a", "libmilter.a")]
    {
        let real = built.join(file);
        let real = fs::canonicalize(&real).map_err(|e| Error::new(real.display(), e))?;
        let link = lib.join(name);
        if fs::read_link(&link).is_ok_and(|old| old == real) {
            continue;
        }
        let _ = fs::remove_file(&link);
        symlink(&real, &link).map_err(|e| Error::new(link.display(), e))?;
    }
    Ok(Ours { include: paths::workspace().join("include"), lib })
}
