//! Files made once, by whichever test needs them first.

use crate::error::{Error, Result};
use crate::paths;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Makes a file under the lock unless it is there and newer than its inputs; never half a file.
pub(crate) fn make(
    file: &Path,
    inputs: &[&Path],
    recipe: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths::locked(&name, || {
        let fresh = modified(file).is_ok_and(|made| {
            inputs.iter().all(|input| modified(input).is_ok_and(|changed| changed <= made))
        });
        if fresh {
            return Ok(());
        }
        let partial = file.with_file_name(format!("{name}.partial"));
        recipe(&partial)?;
        fs::rename(&partial, file).map_err(|e| Error::new(file.display(), e))
    })
}

/// When a file changed.
pub(crate) fn modified(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}
