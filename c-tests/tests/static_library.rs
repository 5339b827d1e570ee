//! The static library that is installed, in one program with another static library in Rust.

use c_tests::error::run;
use c_tests::ours::ours;
use c_tests::paths;
use std::path::{Path, PathBuf};
use std::process::Command;

const ADVICE: &str = "needs a C compiler, binutils and rustc: apt-get install gcc binutils";

/// The static library as `make` installs it.
fn installed(dir: &Path) -> PathBuf {
    let archive = dir.join("libmilter.a");
    let mut script = Command::new(paths::workspace().join("packaging/archive.sh"));
    run(script.arg(ours().unwrap().archive()).arg(&archive), ADVICE).unwrap();
    archive
}

/// Links a program with these libraries, and gives its output.
fn program(dir: &Path, libraries: &[&Path]) -> c_tests::Result<String> {
    let program = dir.join("program");
    let mut cc = Command::new("gcc");
    cc.arg("-I").arg(&ours()?.include).arg("-o").arg(&program);
    cc.arg(paths::in_package("programs/beside.c")).args(libraries);
    run(&mut cc, ADVICE)?;
    let output = run(&mut Command::new(&program), "it is to run")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn another_rust_library_fits_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("libbeside.a");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "staticlib", "-o"]).arg(&other);
    run(rustc.arg(paths::in_package("programs/beside.rs")), ADVICE).unwrap();
    let ours = installed(dir.path());
    for libraries in [[ours.as_path(), &other], [&other, &ours]] {
        assert_eq!(program(dir.path(), &libraries).unwrap(), "-7\n1.0.1 0 -1\n2\n");
    }
}

#[test]
fn only_the_interface_is_global_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut nm = Command::new("nm");
    nm.args(["-g", "--defined-only", "--format=just-symbols"]).arg(installed(dir.path()));
    let names = String::from_utf8(run(&mut nm, ADVICE).unwrap().stdout).unwrap();
    let mut names: Vec<&str> =
        names.lines().filter(|l| !l.is_empty() && !l.ends_with(':')).collect();
    names.sort_unstable();
    let wanted = std::fs::read_to_string(paths::in_package("symbols.txt")).unwrap();
    assert_eq!(names, wanted.lines().collect::<Vec<_>>());
}
