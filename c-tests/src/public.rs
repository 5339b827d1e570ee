//! Places that every user may enter: daemons change their user, and cannot read below a closed home.

use crate::error::{Error, Result};
use crate::paths;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Where a place is made if cargo's target directory is closed; packages are too large for a `/tmp` in memory.
const OUTSIDE: &str = "/var/tmp";

/// Names a file that says which target directory a place belongs to.
const OWNER: &str = "target";

/// The directory on the way to `path`, from the root, that others may not enter.
pub fn closed(path: &Path) -> Option<PathBuf> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    let enterable = |dir: &&Path| fs::metadata(dir).is_ok_and(|meta| meta.mode() & 0o001 != 0);
    way.into_iter().find(|dir| !enterable(dir)).map(Path::to_path_buf)
}

/// A directory for what daemons under any user read: below the target directory, or outside of it
/// if that is closed to them.
pub fn dir() -> Result<&'static Path> {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = DIR.get() {
        return Ok(found);
    }
    let inside = paths::work_dir("public")?;
    let found = match closed(&inside) {
        None => inside,
        Some(closed) => paths::locked("public", || outside(Path::new(OUTSIDE), paths::target()?))
            .map_err(|e| {
            let closed = closed.display();
            Error(format!("{closed} is closed to the users that daemons run as, and {e}"))
        })?,
    };
    Ok(DIR.get_or_init(|| found))
}

/// A temporary directory that every user may enter and read.
pub fn tempdir() -> Result<TempDir> {
    let usual = std::env::temp_dir();
    // Some systems give each user a closed one.
    let place = if closed(&usual).is_none() { usual } else { PathBuf::from(OUTSIDE) };
    let fail = |e| Error::new(format!("make a temporary directory in {}", place.display()), e);
    let dir = tempfile::tempdir_in(&place).map_err(fail)?;
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).map_err(fail)?;
    Ok(dir)
}

/// The place in `parent` for a target directory, made if need be. Takes no directory that another
/// user has made or may change.
fn outside(parent: &Path, target: &Path) -> Result<PathBuf> {
    let fail = |path: &Path, e| Error::new(path.display(), e);
    let prefix = format!("libmilter-tests-{}-", geteuid().as_raw());
    let meta = fs::metadata(parent).map_err(|e| fail(parent, e))?;
    let sticky = meta.mode() & 0o1000 != 0;
    if meta.uid() != 0 && meta.uid() != geteuid().as_raw() || meta.mode() & 0o022 != 0 && !sticky {
        return Err(Error(format!("{} is not safe: others may rename in it", parent.display())));
    }
    if let Some(closed) = closed(parent) {
        return Err(Error(format!("so is {}", closed.display())));
    }
    remove_abandoned(parent, &prefix);
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    let dir = parent.join(format!("{prefix}{:016x}", hasher.finish()));
    match DirBuilder::new().mode(0o755).create(&dir) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(fail(&dir, e)),
        made => check(&dir, made.is_ok())?,
    }
    let owner = dir.join(OWNER);
    fs::write(&owner, target.as_os_str().as_encoded_bytes()).map_err(|e| fail(&owner, e))?;
    Ok(dir)
}

/// Whether the directory is ours alone to change, and everyone's to read.
fn check(dir: &Path, new: bool) -> Result<()> {
    let fail = |e| Error::new(dir.display(), e);
    // Not what a link points to.
    let meta = fs::symlink_metadata(dir).map_err(fail)?;
    if !meta.is_dir() || meta.uid() != geteuid().as_raw() {
        let dir = dir.display();
        return Err(Error(format!("{dir} is not a directory of the user who runs the tests")));
    }
    if new {
        // Whatever the umask.
        return fs::set_permissions(dir, Permissions::from_mode(0o755)).map_err(fail);
    }
    if meta.mode() & 0o777 != 0o755 {
        let (dir, mode) = (dir.display(), meta.mode() & 0o777);
        return Err(Error(format!("{dir} has mode {mode:o} in place of 755: remove it")));
    }
    Ok(())
}

/// Removes places of ours whose target directories are gone.
fn remove_abandoned(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let dir = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes())
            && check(&dir, false).is_ok()
            && fs::read_to_string(dir.join(OWNER)).is_ok_and(|target| !Path::new(&target).exists())
        {
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn refusal(parent: &Path, target: &Path) -> String {
        outside(parent, target).unwrap_err().to_string()
    }

    #[test]
    fn a_closed_directory_is_named() {
        let dir = tempdir().unwrap();
        let (home, below) = (dir.path().join("home"), dir.path().join("home/of/it"));
        fs::create_dir_all(&below).unwrap();
        fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(home.join("of"), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&below, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(closed(&below), None);
        fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
        assert_eq!(closed(&below), Some(home));
    }

    #[test]
    fn a_place_outside_is_made_once_and_goes_with_its_target() {
        let dir = tempdir().unwrap();
        let targets = tempfile::tempdir().unwrap();
        let old = targets.path().join("old");
        fs::create_dir(&old).unwrap();
        let of_old = outside(dir.path(), &old).unwrap();
        assert_eq!(closed(&of_old), None);
        assert_eq!(outside(dir.path(), &old).unwrap(), of_old);
        let of_other = outside(dir.path(), targets.path()).unwrap();
        assert_ne!(of_other, of_old);
        assert!(of_old.exists());
        fs::remove_dir(&old).unwrap();
        assert_eq!(outside(dir.path(), targets.path()).unwrap(), of_other);
        assert!(!of_old.exists());
    }

    #[test]
    fn a_place_that_others_have_made_or_may_change_is_refused() {
        let dir = tempdir().unwrap();
        let target = dir.path();
        let place = outside(dir.path(), target).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
        assert!(refusal(dir.path(), target).contains("has mode 777"));
        fs::remove_dir_all(&place).unwrap();
        let elsewhere = tempdir().unwrap();
        symlink(elsewhere.path(), &place).unwrap();
        assert!(refusal(dir.path(), target).contains("is not a directory of the user"));
        fs::remove_file(&place).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(refusal(dir.path(), target).contains("others may rename in it"));
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(refusal(dir.path(), target).contains("so is "));
    }
}
