//! Where things are: the workspace, cargo's target directory, and the lock between test processes.

use crate::error::{Error, Result};
use crate::start;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Root of the workspace.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// A file of this package, such as `milters/trace.c`.
pub fn in_package(relative: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Cargo's target directory of the running test: the one that holds its executable.
pub fn target() -> Result<&'static Path> {
    static TARGET: OnceLock<Option<PathBuf>> = OnceLock::new();
    TARGET
        .get_or_init(|| {
            let exe = std::env::current_exe().ok()?;
            // Cargo marks the top of every target directory with this file.
            exe.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()).map(Path::to_path_buf)
        })
        .as_deref()
        .ok_or_else(|| {
            Error(
                "the running test is not inside a cargo target directory; run it with cargo".into(),
            )
        })
}

/// A directory of the harness below the target directory, created on first use.
pub fn work_dir(name: &str) -> Result<PathBuf> {
    start::usual_process();
    let dir = target()?.join("c-tests").join(name);
    fs::create_dir_all(&dir).map_err(|e| Error::new(format!("create {}", dir.display()), e))?;
    Ok(dir)
}

/// Runs `work` while no other test process runs work under the same lock name.
pub fn locked<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let path = work_dir("locks")?.join(name);
    let fail = |e: std::io::Error| Error::new(format!("lock {}", path.display()), e);
    let file = File::create(&path).map_err(fail)?;
    flock(&file, FlockOperation::LockExclusive).map_err(|e| fail(e.into()))?;
    work()
}

/// Writes a file only if its content would change, so that time stamps tell real changes.
pub fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::write(path, content).map_err(|e| Error::new(format!("write {}", path.display()), e))
}
