//! Packages of the distribution, unpacked where every user may read them, never installed.

use crate::error::{Error, Result, failed};
use crate::{paths, public};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ADVICE: &str = "scripts/test.sh prepares a machine for these tests";

/// Unpacked packages with the libraries they need.
#[derive(Clone, Debug)]
pub struct Packages {
    /// Where they are: `usr/sbin/...` is below.
    pub root: PathBuf,
    /// Directories for `LD_LIBRARY_PATH`, with colons between them.
    pub libraries: String,
}

/// Exit status of `mta/unpack.sh` for a package that the release does not have.
const NO_SUCH_PACKAGE: i32 = 3;

impl Packages {
    /// Fetches and unpacks packages on first use; a set of packages is known by its first name.
    pub fn unpack(packages: &[&str]) -> Result<Self> {
        Self::of_release(packages)?.map_err(Error)
    }

    /// The same; for packages that the release of the distribution does not have, a line that says so.
    ///
    /// That apt's lists cannot be fetched, or what they name, is an error.
    pub fn of_release(packages: &[&str]) -> Result<std::result::Result<Self, String>> {
        let name = packages.first().copied().unwrap_or_default();
        let root = public::dir()?.join("packages").join(name);
        paths::locked(&format!("unpack-{name}"), || {
            let mut unpack = Command::new(paths::in_package("mta/unpack.sh"));
            unpack.arg(&root).args(packages);
            let output = unpack.output().map_err(|e| Error::new("run unpack.sh", e))?;
            let last = |bytes: &[u8]| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                text.lines().last().unwrap_or_default().to_owned()
            };
            if output.status.code() == Some(NO_SUCH_PACKAGE) {
                return Ok(Err(last(&output.stderr)));
            }
            if !output.status.success() {
                return Err(failed(&unpack, &output, ADVICE));
            }
            Ok(Ok(Self { root: root.clone(), libraries: last(&output.stdout) }))
        })
    }

    /// The upstream version of one of them: `3.7.11` of the Debian package `3.7.11-0+deb12u1`.
    pub fn version(&self, package: &str) -> Result<String> {
        version(&self.root, package)
    }
}

/// The upstream version of a package that `mta/unpack.sh` has put below this directory.
pub(crate) fn version(root: &Path, package: &str) -> Result<String> {
    let path = root.join("versions");
    let text = fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
    let field = text.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix(' '));
    let full = field.ok_or_else(|| Error(format!("no {package} in {}", path.display())))?;
    let upstream = full.split_once(':').map_or(full, |(_epoch, rest)| rest);
    let upstream = upstream.rsplit_once('-').map_or(upstream, |(rest, _revision)| rest);
    Ok(upstream.split(['+', '~']).next().unwrap_or(upstream).to_owned())
}

/// The distribution and its release: `Debian 12`.
pub fn release() -> Result<String> {
    let path = "/etc/os-release";
    let text = fs::read_to_string(path).map_err(|e| Error::new(path, e))?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(|value| value.trim_matches('"')).unwrap_or_default()
    };
    let name = field("NAME").split(' ').next().unwrap_or_default();
    Ok(format!("{name} {}", field("VERSION_ID")).trim_end().to_owned())
}
