//! Packages of the distribution, unpacked below the target directory, never installed.

use crate::error::{Error, Result, run};
use crate::paths;
use std::fs;
use std::path::PathBuf;
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

impl Packages {
    /// Fetches and unpacks packages on first use; a set of packages is known by its first name.
    pub fn unpack(packages: &[&str]) -> Result<Self> {
        let name = packages.first().copied().unwrap_or_default();
        let root = paths::work_dir("packages")?.join(name);
        let libraries = paths::locked(&format!("unpack-{name}"), || {
            let mut unpack = Command::new(paths::in_package("mta/unpack.sh"));
            let output = run(unpack.arg(&root).args(packages), ADVICE)?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(text.lines().last().unwrap_or_default().to_owned())
        })?;
        Ok(Self { root, libraries })
    }

    /// The upstream version of one of them: `3.7.11` of the Debian package `3.7.11-0+deb12u1`.
    pub fn version(&self, package: &str) -> Result<String> {
        let path = self.root.join("versions");
        let text = fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
        let field = text.lines().find_map(|line| line.strip_prefix(package)?.strip_prefix(' '));
        let full = field.ok_or_else(|| Error(format!("no {package} in {}", path.display())))?;
        let upstream = full.split_once(':').map_or(full, |(_epoch, rest)| rest);
        let upstream = upstream.rsplit_once('-').map_or(upstream, |(rest, _revision)| rest);
        Ok(upstream.split(['+', '~']).next().unwrap_or(upstream).to_owned())
    }
}
