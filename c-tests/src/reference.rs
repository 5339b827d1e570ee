//! Debian's libmilter: downloaded with apt, unpacked below the target directory, never installed.

use crate::error::{Error, Result, run};
use crate::paths;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The packages; the second holds the shared object.
const PACKAGES: [&str; 2] = ["libmilter-dev", "libmilter1.0.1"];

const ADVICE: &str = "the reference library comes from Debian or Ubuntu packages: run the tests on such a \
     system with a reachable package mirror, or unpack libmilter-dev and libmilter1.0.1 with \
     `dpkg -x` into the `reference/root` directory below cargo's target directory";

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
        let top = paths::target()?.join("reference");
        let root = top.join("root");
        if let Ok(found) = locate(&root) {
            return Ok(found);
        }
        fetch(&top, &root)?;
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

fn fetch(top: &Path, root: &Path) -> Result<()> {
    let debs = top.join("debs");
    for dir in [&debs, &root.to_path_buf()] {
        fs::create_dir_all(dir).map_err(|e| Error::new(format!("create {}", dir.display()), e))?;
    }
    if download(&debs).is_err() {
        // A fresh machine has no package lists yet.
        let _ = run(Command::new("apt-get").args(["-q", "update"]), ADVICE);
        download(&debs)?;
    }
    let entries = fs::read_dir(&debs).map_err(|e| Error::new(debs.display(), e))?;
    for deb in entries.flatten().map(|entry| entry.path()) {
        run(Command::new("dpkg").arg("-x").arg(&deb).arg(root), ADVICE)?;
    }
    Ok(())
}

fn download(into: &Path) -> Result<()> {
    let mut apt = Command::new("apt-get");
    // apt's sandbox user usually cannot write below the target directory; only root may say so.
    if rustix::process::geteuid().is_root() {
        apt.args(["-o", "APT::Sandbox::User=root"]);
    }
    apt.args(["-q", "download"]).args(PACKAGES).current_dir(into);
    run(&mut apt, ADVICE).map(drop)
}
