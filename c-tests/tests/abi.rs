//! What the linker and the loader see: exported names, SONAME, needed libraries.

use c_tests::differences::assert_differs;
use c_tests::error::run;
use c_tests::{ours, paths, reference};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const BINUTILS: &str = "the test reads object files: apt-get install binutils";

fn output(command: &mut Command) -> String {
    String::from_utf8(run(command, BINUTILS).unwrap().stdout).unwrap()
}

fn exported(library: &Path) -> BTreeSet<String> {
    let text = output(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
    text.lines().filter_map(|line| line.split(' ').nth(2)).map(str::to_owned).collect()
}

/// Values of one tag of the dynamic section, such as `NEEDED`.
fn dynamic(library: &Path, tag: &str) -> Vec<String> {
    let text = output(Command::new("readelf").arg("-d").arg(library).env("LC_ALL", "C"));
    text.lines()
        .filter(|line| line.contains(&format!("({tag})")))
        .filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned()))
        .collect()
}

fn listed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(paths::in_package("symbols.txt")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn exported_names_are_the_listed_ones() {
    assert_eq!(listed().len(), 27);
    assert_eq!(exported(&ours::ours().unwrap().shared()), listed());
}

#[test]
fn the_reference_exports_all_of_them_and_more() {
    let theirs = exported(&reference::reference().unwrap().shared());
    let missing: Vec<String> = listed().difference(&theirs).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
    // An application may have a global `Errors` of its own, say.
    let intrudes = |names: &BTreeSet<String>| names.contains("Errors");
    let ours = exported(&ours::ours().unwrap().shared());
    assert_differs("D52", (intrudes(&theirs), true), (intrudes(&ours), false));
}

/// A versioned symbol would keep LD_PRELOAD from replacing an unversioned one, and warn at run time.
#[test]
fn no_symbol_has_a_version() {
    let library = ours::ours().unwrap().shared();
    let text = output(Command::new("readelf").args(["-W", "--dyn-syms"]).arg(library));
    let versioned: Vec<&str> =
        text.lines().filter(|line| line.contains("smfi_") && line.contains('@')).collect();
    assert_eq!(versioned, Vec::<&str>::new());
}

#[test]
fn soname_is_the_one_programs_ask_for() {
    let theirs = dynamic(&reference::reference().unwrap().shared(), "SONAME");
    assert_eq!(theirs, [ours::SONAME]);
    assert_eq!(dynamic(&ours::ours().unwrap().shared(), "SONAME"), theirs);
}

#[test]
fn only_the_c_library_is_needed() {
    let needed = dynamic(&ours::ours().unwrap().shared(), "NEEDED");
    let fine = |name: &String| ["libc.so", "ld-linux"].iter().any(|start| name.starts_with(start));
    assert!(needed.iter().any(|name| name.starts_with("libc.so")), "{needed:?}");
    assert_eq!(needed.iter().filter(|name| !fine(name)).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// A statically linked filter finds every function.
#[test]
fn the_static_library_defines_the_same_names() {
    // nm sees no names in objects that were made for link-time optimisation.
    let mut command = Command::new("readelf");
    let text = output(command.args(["-W", "--symbols"]).arg(ours::ours().unwrap().archive()));
    let defined: BTreeSet<&str> = text
        .lines()
        .filter(|line| line.contains("FUNC") && line.contains("GLOBAL"))
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let missing: Vec<String> =
        listed().into_iter().filter(|name| !defined.contains(name.as_str())).collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// Fedora's, of which the first three must not reach `call.c`: an exception would find its way out of it.
const FLAGS: &str = "-O2 -g -fexceptions -fasynchronous-unwind-tables -flto=auto -ffat-lto-objects \
                     -fstack-protector-strong -Wp,-D_FORTIFY_SOURCE=3 -fstack-clash-protection";

#[test]
fn the_way_into_callbacks_has_no_unwind_table_whatever_the_flags() {
    let target = paths::work_dir("flags").unwrap();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["rustc", "--quiet", "--package", "libmilter", "--lib", "--crate-type", "cdylib"])
        .arg("--target-dir")
        .arg(&target)
        .env("CFLAGS", FLAGS)
        .current_dir(paths::workspace());
    run(&mut command, "the library has to build with the flags of a distribution").unwrap();
    let library = target.join("debug/libmilter.so");
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let symbols = output(Command::new("nm").arg(&library));
    let place = symbols.lines().find_map(|line| line.strip_suffix(" t milter_call"));
    let place = number(place.expect("milter_call is in the library"));
    let frames = output(Command::new("readelf").arg("--debug-dump=frames").arg(&library));
    // "00000018 0000000000000014 0000001c FDE cie=00000000 pc=0000000000001020..0000000000001030", and
    // what is said of .debug_frame is for debuggers only.
    let unwound =
        frames.split("Contents of the ").find(|part| part.starts_with(".eh_frame section"));
    let ranges: Vec<(u64, u64)> = unwound
        .expect("a section .eh_frame")
        .lines()
        .filter_map(|line| line.split_once(" pc=")?.1.split_once(".."))
        .map(|(start, end)| (number(start), number(end)))
        .collect();
    assert!(ranges.len() > 100, "{frames}");
    let covering = ranges.iter().find(|(start, end)| (start..end).contains(&&place));
    assert_eq!(covering, None, "milter_call is at {place:x}");
}
