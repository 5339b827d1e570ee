//! Packages that a release does not have are told from packages that cannot be had now.

use c_tests::error::run;
use c_tests::{Packages, paths, public};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Unpacks a package with apt set up in `dir`, whose file `Packages` is all that its mirror has.
fn unpack(dir: &Path, package: &str) -> Output {
    let mut command = Command::new(paths::in_package("mta/unpack.sh"));
    command.arg(dir.join("root")).arg(package).env("APT_CONFIG", dir.join("apt.conf"));
    command.env_remove("DEB_CACHE").output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Sets apt up in a directory, with a mirror that is this directory.
fn set_up(dir: &Path) {
    let show = dir.display();
    for name in ["lists", "cache"] {
        fs::create_dir_all(dir.join(name).join("partial")).unwrap();
    }
    fs::create_dir_all(dir.join("cache/archives/partial")).unwrap();
    let config = format!(
        "Dir::State::lists \"{show}/lists\";\nDir::Cache \"{show}/cache\";\nAPT::Sandbox::User \"root\";\n\
         Dir::Etc::sourcelist \"{show}/sources.list\";\nDir::Etc::sourceparts \"-\";\n"
    );
    fs::write(dir.join("apt.conf"), config).unwrap();
    fs::write(dir.join("sources.list"), format!("deb [trusted=yes] file:{show} ./\n")).unwrap();
}

fn update(dir: &Path) {
    let mut update = Command::new("apt-get");
    update.args(["-qq", "update"]).env("APT_CONFIG", dir.join("apt.conf"));
    run(&mut update, "apt reads a mirror in a directory").unwrap();
}

/// What a mirror says of a package that is not there.
fn entry(package: &str) -> String {
    format!(
        "Package: {package}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.example>\n\
         Filename: ./{package}.deb\nSize: 10\nSHA256: {}\nDescription: x\n\n",
        "0".repeat(64)
    )
}

#[test]
fn what_the_release_lacks_is_told() {
    let why = Packages::of_release(&["libmilter-no-such-package"]).unwrap().unwrap_err();
    assert!(why.starts_with("no package libmilter-no-such-package in "), "{why}");
    let release = c_tests::packages::release().unwrap();
    let (name, version) = release.split_once(' ').unwrap();
    assert!(why.contains(name) && why.contains(version), "{why}");
}

#[test]
fn lists_that_cannot_be_fetched_are_no_lack_of_the_release() {
    let dir = public::tempdir().unwrap();
    set_up(dir.path());
    let (status, text) = said(&unpack(dir.path(), "x"));
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("can the package mirror be reached?"), "{text}");
}

#[test]
fn a_package_that_cannot_be_fetched_is_no_lack_of_the_release() {
    let dir = public::tempdir().unwrap();
    set_up(dir.path());
    let packages = ["base-files", "x"].map(entry).concat();
    fs::write(dir.path().join("Packages"), packages).unwrap();
    update(dir.path());
    let (status, text) = said(&unpack(dir.path(), "x"));
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("apt-get download failed for x: can the package mirror"), "{text}");
    // The same lists, and a package that they lack.
    let (status, text) = said(&unpack(dir.path(), "y"));
    assert_eq!(status, Some(3), "{text}");
    assert!(text.starts_with("no package y in "), "{text}");
}
