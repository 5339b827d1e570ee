//! Debian's libmilter: downloaded with apt, unpacked below the target directory, never installed.

use crate::error::{Error, Result, run};
use crate::{packages, paths};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The packages; the second holds the shared object.
const PACKAGES: [&str; 2] = ["libmilter-dev", "libmilter1.0.1"];

const ADVICE: &str =
    "the reference library comes from packages of Debian or Ubuntu: run the tests on such a system";

/// The unpacked reference library.
#[derive(Debug)]
pub struct Reference {
    /// Directory to give to `-I`; holds `libmilter/mfapi.h`.
    pub include: PathBuf,
    /// Directory with `libmilter.so`, `libmilter.so.1.0.1` and `libmilter.a`.
    pub lib: PathBuf,
}

impl Reference {
    /// The shared object itself.
    pub fn shared(&self) -> PathBuf {
        self.lib.join("libmilter.so.1.0.1")
    }

    /// The static library.
    pub fn archive(&self) -> PathBuf {
        self.lib.join("libmilter.a")
    }
}

/// Returns the reference library, fetching it on first use.
pub fn reference() -> Result<&'static Reference> {
    static REFERENCE: OnceLock<Reference> = OnceLock::new();
    if let Some(found) = REFERENCE.get() {
        return Ok(found);
    }
    let found = paths::locked("reference", || {
        let root = root()?;
        if root.join("versions").exists()
            && let Ok(found) = locate(&root)
        {
            return Ok(found);
        }
        fetch(&root)?;
        locate(&root)
    })?;
    Ok(REFERENCE.get_or_init(|| found))
}

/// Finds the files in an unpacked tree.
fn locate(root: &Path) -> Result<Reference> {
    let include = root.join("usr/include");
    let header = include.join("libmilter/mfapi.h");
    let libs = root.join("usr/lib");
    let mut candidates = vec![libs.clone()];
    if let Ok(entries) = fs::read_dir(&libs) {
        candidates.extend(entries.flatten().map(|entry| entry.path()));
    }
    candidates
        .into_iter()
        .map(|lib| Reference { include: include.clone(), lib })
        .find(|r| header.exists() && r.shared().exists() && r.archive().exists())
        .ok_or_else(|| Error(format!("no libmilter below {}; {ADVICE}", root.display())))
}

fn fetch(root: &Path) -> Result<()> {
    let mut unpack = Command::new(paths::in_package("mta/unpack.sh"));
    run(unpack.arg(root).args(PACKAGES), ADVICE).map(drop)
}

/// Its upstream version, such as `8.17.1.9`.
pub fn version() -> Result<String> {
    reference()?;
    packages::version(&root()?, PACKAGES[1])
}

fn root() -> Result<PathBuf> {
    Ok(paths::target()?.join("reference/root"))
}
