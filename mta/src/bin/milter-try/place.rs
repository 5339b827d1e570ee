//! Where the milter listens: as its command line tells, or in a directory of its own.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use milter_mta::{ConnSpec, spec};
use tempfile::TempDir;

use crate::status::Failure;

/// Stands for a fresh socket as a specification.
const SOCKET: &str = "{socket}";

/// Stands for the path of a fresh socket.
const PATH: &str = "{path}";

/// Puts the fresh socket's path into the arguments, and says whether there was a place for it.
pub(crate) fn fill_in(command: &mut [OsString], path: &Path) -> bool {
    let path = path.as_os_str().as_bytes();
    let spec = [b"unix:", path].concat();
    let mut found = false;
    for word in command.iter_mut() {
        let mut bytes = word.as_bytes().to_vec();
        for (mark, value) in [
            ("unix:{socket}", spec.as_slice()),
            ("local:{socket}", &spec),
            (SOCKET, &spec),
            (PATH, path),
        ] {
            while let Some(at) = position(&bytes, mark.as_bytes()) {
                bytes.splice(at..at + mark.len(), value.iter().copied());
                found = true;
            }
        }
        *word = OsString::from_vec(bytes);
    }
    found
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// The private directory, and in it one for the socket and for what the milter may write itself.
///
/// A milter that is started by root may become another user before it opens its socket. For it the
/// latter can be written to by everybody, and the former entered but not listed, so that nobody else
/// finds it.
#[derive(Debug)]
pub(crate) struct Private {
    directory: TempDir,
}

impl Private {
    pub(crate) fn make() -> io::Result<Private> {
        let directory = tempfile::Builder::new().prefix("milter-try.").tempdir()?;
        let private = Private { directory };
        fs::create_dir(private.open())?;
        if rustix::process::geteuid().is_root() {
            fs::set_permissions(private.path(), Permissions::from_mode(0o711))?;
            fs::set_permissions(private.open(), Permissions::from_mode(0o1777))?;
        }
        Ok(private)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The directory that the milter may write to.
    pub(crate) fn open(&self) -> PathBuf {
        self.path().join("open")
    }

    /// Makes the file that the library logs to: also when it has logged as root and the milter is another
    /// user then.
    pub(crate) fn make_log(&self) -> io::Result<PathBuf> {
        let path = self.open().join("log");
        fs::write(&path, "")?;
        let mode = if rustix::process::geteuid().is_root() { 0o666 } else { 0o600 };
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        Ok(path)
    }
}

/// What to do if other users cannot reach the directory of a socket; empty if that is no question.
pub(crate) fn closed_hint(spec: &ConnSpec) -> String {
    let ConnSpec::Unix(path) = spec else {
        return String::new();
    };
    if !rustix::process::geteuid().is_root() {
        return String::new();
    }
    let closed = |directory: &Path| {
        fs::metadata(directory).is_ok_and(|data| data.permissions().mode() & 0o001 == 0)
    };
    match path.ancestors().skip(1).find(|directory| closed(directory)) {
        None => String::new(),
        Some(directory) => format!(
            "\nIf it changes its user: only some may enter {}. Set TMPDIR to a directory that all \
             may enter, such as /tmp, or give the milter a socket of its own and say --socket SPEC.",
            directory.display()
        ),
    }
}

/// Looks for a specification among the arguments of the milter.
///
/// It may be an argument of its own, follow a `=`, or be attached to an option of one letter.
pub(crate) fn find(command: &[OsString]) -> Result<ConnSpec, Failure> {
    let mut found: Vec<ConnSpec> = Vec::new();
    for word in command.iter().skip(1) {
        let Some(text) = word.to_str().and_then(spec_in) else {
            continue;
        };
        let parsed = text.parse::<ConnSpec>();
        let parsed =
            parsed.map_err(|error| Failure::usage(format!("{error}\n{}", spec::GRAMMAR)))?;
        if !found.contains(&parsed) {
            found.push(parsed);
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::usage(format!(
            "cannot tell where the milter listens: no connection specification among its \
             arguments.\n\
             Put {SOCKET} where the milter takes its socket, for example\n    \
             milter-try -- {} -p {SOCKET}\n\
             or say where it listens with --socket SPEC. SPEC is one of\n{}",
            command[0].to_string_lossy(),
            spec::GRAMMAR
        ))),
        _ => {
            let all: Vec<String> = found.iter().map(ConnSpec::to_string).collect();
            Err(Failure::usage(format!(
                "several connection specifications among the milter's arguments ({}): \
                 say with --socket which is the milter's own",
                all.join(", ")
            )))
        }
    }
}

/// The part of an argument that looks like a specification.
fn spec_in(word: &str) -> Option<&str> {
    let value = word.split_once('=').map(|(_, value)| value);
    let attached = word.strip_prefix('-').and_then(|rest| rest.get(1..));
    [Some(word), value, attached].into_iter().flatten().find(|text| ConnSpec::looks_like(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn a_fresh_socket_is_filled_in_whatever_the_form() {
        let mut command = words("m {socket} -plocal:{socket} unix:{socket} --s={path} -x");
        assert!(fill_in(&mut command, Path::new("/t/s")));
        let filled = words("m unix:/t/s -punix:/t/s unix:/t/s --s=/t/s -x");
        assert_eq!(command, filled);
        assert!(!fill_in(&mut command, Path::new("/t/s")));
    }

    #[test]
    fn a_specification_is_recognised_in_every_form() {
        for line in [
            "m -p inet:25@h",
            "m inet:25@h",
            "m -pinet:25@h",
            "m --socket=inet:25@h -v",
            "m -p inet:25@h inet:25@h",
        ] {
            let found = find(&words(line)).unwrap();
            assert_eq!(found.to_string(), "inet:25@h", "{line}");
        }
    }

    #[test]
    fn without_exactly_one_the_user_is_asked() {
        let error = |line| find(&words(line)).unwrap_err().to_string();
        assert!(error("./m -v").contains("milter-try -- ./m -p {socket}"));
        assert!(error("unix:/m -v").contains("--socket SPEC"));
        assert!(error("m unix:/a unix:/b").contains("(unix:/a, unix:/b)"));
        assert!(error("m inet:x@h").contains("not a port number"));
    }
}
