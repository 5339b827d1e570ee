//! The libmilter that the milter is to run with.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::loaded::{self, Kind};
use crate::options::Library;
use crate::status::{Failure, Status};

/// Names a libmilter, when neither the command line nor the place of this program does.
const VARIABLE: &str = "MILTER_TRY_LIBRARY";

/// Names under which milters have been linked with libmilter on one system or another.
///
/// The dynamic loader looks for the name it finds in the milter. Under LD_PRELOAD glibc is content
/// with a library whose own name is the same; for all other cases there is a directory in which
/// every name leads to the same file.
const SONAMES: [&str; 6] = [
    "libmilter.so",
    "libmilter.so.1",
    "libmilter.so.1.0",
    "libmilter.so.1.0.1",
    "libmilter.so.1.0.2",
    "libmilter.so.6",
];

/// By this variable the dynamic loader takes functions from another library first.
const PRELOAD: &str =
    if cfg!(target_vendor = "apple") { "DYLD_INSERT_LIBRARIES" } else { "LD_PRELOAD" };

/// By this variable the dynamic loader looks for libraries in other directories first.
const SEARCH: &str =
    if cfg!(target_vendor = "apple") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// Finds the library; `None` stands for the one the milter was linked with.
pub(crate) fn locate(wanted: &Library) -> Result<Option<PathBuf>, Failure> {
    match wanted {
        Library::Linked => Ok(None),
        Library::At(path) => existing(path, "--library").map(Some),
        Library::Find => {
            if let Some(path) = env::var_os(VARIABLE) {
                return existing(Path::new(&path), VARIABLE).map(Some);
            }
            let candidates = candidates();
            let found = candidates.iter().find_map(|path| path.canonicalize().ok());
            found.map(Some).ok_or_else(|| not_found(&candidates))
        }
    }
}

/// Says what a library is: `--library` without a milter.
pub(crate) fn describe(wanted: &Library) -> Result<String, Failure> {
    let Some(path) = locate(wanted)? else {
        return Ok(String::new());
    };
    let shown = path.display();
    match loaded::kind(&path) {
        Kind::Ours(version) => {
            Ok(format!("{shown}: libmilter {version}, the replacement in Rust\n"))
        }
        Kind::Other => Ok(format!("{shown}: sendmail's libmilter, or another\n")),
        Kind::Not => Err(Failure::usage(format!("--library: {shown} is no libmilter"))),
    }
}

fn not_found(candidates: &[PathBuf]) -> Failure {
    let places = candidates.iter().map(|path| format!("    {}", path.display()));
    let places: Vec<String> = places.collect();
    Failure::new(
        Status::Unavailable,
        format!(
            "no libmilter found to run the milter with. Looked at\n{}\n\
             Build it (cargo build --release), name it with --library PATH or ${VARIABLE},\n\
             or run the milter with the one it was linked with: --linked",
            places.join("\n")
        ),
    )
}

fn existing(path: &Path, from: &str) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .map_err(|error| Failure::usage(format!("{from}: cannot use {}: {error}", path.display())))
}

/// Where a library may be: beside this program (a build directory), `../lib`, the system.
fn candidates() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    if let Ok(program) = env::current_exe()
        && let Some(here) = program.parent()
    {
        directories.push(here.to_path_buf());
        if let Some(above) = here.parent() {
            directories.push(above.join("lib"));
        }
    }
    let multiarch = format!("{}-linux-gnu", env::consts::ARCH);
    for directory in ["/usr/local/lib", "/usr/lib"] {
        directories.push(PathBuf::from(directory).join(&multiarch));
        directories.push(PathBuf::from(directory));
    }
    directories.push(PathBuf::from("/usr/lib64"));
    let names = ["libmilter.so", "libmilter.so.1.0.1"];
    let all = directories.iter().flat_map(|directory| names.map(|name| directory.join(name)));
    all.collect()
}

/// Makes the directory of names under `private` and gives the variables for the milter.
pub(crate) fn environment(
    library: &Path,
    private: &Path,
) -> std::io::Result<Vec<(&'static str, OsString)>> {
    let names = private.join("lib");
    std::fs::create_dir(&names)?;
    for name in SONAMES {
        symlink(library, names.join(name))?;
    }
    Ok(vec![(PRELOAD, before_old(library, PRELOAD)), (SEARCH, before_old(&names, SEARCH))])
}

/// A path in front of what the variable holds already.
fn before_old(first: &Path, variable: &str) -> OsString {
    let mut value = first.as_os_str().to_owned();
    if let Some(old) = env::var_os(variable).filter(|old| !old.is_empty()) {
        value.push(":");
        value.push(old);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_the_library() {
        let private = tempfile::tempdir().unwrap();
        let library = private.path().join("ours.so");
        std::fs::write(&library, b"").unwrap();
        let variables = environment(&library, private.path()).unwrap();
        for name in SONAMES {
            let link = private.path().join("lib").join(name);
            assert_eq!(link.canonicalize().unwrap(), library.canonicalize().unwrap());
        }
        let first = variables[0].1.as_encoded_bytes();
        assert!(first.starts_with(library.as_os_str().as_encoded_bytes()));
    }

    #[test]
    fn a_library_that_is_not_there_is_a_mistake_on_the_command_line() {
        let failure = locate(&Library::At("/no/such/lib.so".into())).unwrap_err();
        assert_eq!(failure.status, Status::Usage);
        let message = failure.message;
        assert!(
            message.contains("--library: cannot use /no/such/lib.so: No such file"),
            "{message}"
        );
        assert_eq!(locate(&Library::Linked).unwrap(), None);
    }
}
