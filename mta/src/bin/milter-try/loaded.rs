//! Which libmilter a process runs with.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::milter::Milter;

/// What stands before the version in a libmilter of this project.
const MARK: &[u8] = b"libmilter in Rust, version ";

/// A function that each libmilter has.
const FUNCTION: &[u8] = b"smfi_main";

/// Largest file that is searched, in bytes.
const LARGEST: u64 = 1 << 28;

/// A libmilter, as far as its file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One of this project, with its version.
    Ours(String),
    /// Another.
    Other,
    /// None.
    Not,
}

/// Looks into a file.
pub(crate) fn kind(file: &Path) -> Kind {
    let small = fs::metadata(file).is_ok_and(|data| data.is_file() && data.len() <= LARGEST);
    let bytes = if small { fs::read(file).unwrap_or_default() } else { Vec::new() };
    if let Some(at) = find(&bytes, MARK) {
        return Kind::Ours(version_at(&bytes[at + MARK.len()..]));
    }
    if find(&bytes, FUNCTION).is_some() { Kind::Other } else { Kind::Not }
}

/// Three numbers at the front; other texts of the file may follow without a gap.
fn version_at(bytes: &[u8]) -> String {
    let mut dots = 0;
    let length = bytes.iter().take_while(|byte| {
        dots += usize::from(**byte == b'.');
        byte.is_ascii_digit() || **byte == b'.' && dots <= 2
    });
    String::from_utf8_lossy(&bytes[..length.count()]).into_owned()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == part[0]) {
        if bytes[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// What is known of a milter's library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Its file, or words where there is none.
    pub(crate) library: String,
    /// Its version, if it is of this project.
    pub(crate) version: Option<String>,
    /// That it is not the one that was wanted.
    pub(crate) remark: Option<String>,
}

impl Loaded {
    /// For the report.
    pub(crate) fn in_words(&self) -> String {
        match (&self.remark, &self.version) {
            (Some(remark), _) => remark.clone(),
            (None, Some(version)) => format!("{} ({version})", self.library),
            (None, None) => self.library.clone(),
        }
    }
}

/// Which library the milter has loaded, and a remark if it is not the one it should be.
pub(crate) fn look(milter: &Milter, wanted: Option<PathBuf>) -> Loaded {
    let mapped = milter.processes().into_iter().filter_map(mapped_files);
    let mapped: Vec<Vec<PathBuf>> = mapped.collect();
    let seen: Vec<PathBuf> = mapped.iter().flatten().cloned().collect();
    let Some(wanted) = wanted else {
        return linked(&seen);
    };
    let mut loaded = Loaded { library: wanted.display().to_string(), ..Loaded::default() };
    if seen.contains(&wanted) || !cfg!(target_os = "linux") {
        loaded.version = version(&wanted);
    } else {
        loaded.remark = Some(format!(
            "the milter has not loaded {}: is it set-uid, or linked statically?",
            wanted.display()
        ));
    }
    loaded
}

fn version(file: &Path) -> Option<String> {
    match kind(file) {
        Kind::Ours(version) => Some(version),
        _ => None,
    }
}

/// The library among the files of a milter that runs with the one it was linked with: a shared one
/// of its own, else what is linked into the program or into a module of its language.
fn linked(mapped: &[PathBuf]) -> Loaded {
    let found: Vec<&PathBuf> = mapped.iter().filter(|path| is_libmilter(path)).collect();
    if let Some(first) = found.first() {
        let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
        let version = version(first);
        return Loaded { library: names.join(", "), version, remark: None };
    }
    for path in mapped {
        match kind(path) {
            Kind::Not => {}
            Kind::Ours(version) => {
                let library = format!("linked into {}", path.display());
                return Loaded { library, version: Some(version), remark: None };
            }
            Kind::Other => {
                let library = format!("linked into {}", path.display());
                return Loaded { library, ..Loaded::default() };
            }
        }
    }
    Loaded { library: "as linked (none is to be seen)".to_owned(), ..Loaded::default() }
}

/// Whether a file is named like a shared libmilter.
fn is_libmilter(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("libmilter") && name.contains(".so"))
}

/// The files that a process has mapped; `None` if that cannot be seen.
fn mapped_files(pid: Pid) -> Option<Vec<PathBuf>> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", pid.as_raw_nonzero())).ok()?;
    let mut found: Vec<PathBuf> = Vec::new();
    for line in maps.lines() {
        let Some(path) = line.find('/').map(|at| Path::new(&line[at..])) else {
            continue;
        };
        if !found.iter().any(|old| old == path) {
            found.push(path.to_path_buf());
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_by_what_is_in_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let ours = file(
            "module.so",
            b"\x7fELF\0libmilter in Rust\0libmilter in Rust, version 1.2.3.smfi_main\0",
        );
        let other = file("other.so", b"\x7fELF\0smfi_main\0");
        let none = file("libc.so.6", b"\x7fELF\0smfi_mai");
        assert_eq!(kind(&ours), Kind::Ours("1.2.3".to_owned()));
        assert_eq!(kind(&other), Kind::Other);
        assert_eq!(kind(&none), Kind::Not);
        assert_eq!(kind(directory.path()), Kind::Not);

        let inside = linked(&[none.clone(), ours.clone()]);
        assert_eq!(inside.in_words(), format!("linked into {} (1.2.3)", ours.display()));
        let named = file("libmilter.so.1.0.1", b"\x7fELF\0smfi_main\0");
        let shared = linked(&[other.clone(), named.clone()]);
        assert_eq!(shared.in_words(), named.display().to_string());
        assert_eq!(linked(&[none]).in_words(), "as linked (none is to be seen)");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_files_of_a_process_are_seen() {
        let mapped = mapped_files(rustix::process::getpid()).unwrap();
        assert!(mapped.contains(&std::env::current_exe().unwrap()), "{mapped:?}");
    }
}
