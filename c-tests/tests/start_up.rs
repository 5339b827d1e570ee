//! What it takes to start a program that is linked with the library.

use c_tests::{Compile, Program, ours, reference, start};
use std::path::Path;

/// Instructions of a whole run, with the library of a directory.
fn instructions(program: &Program, library: &Path) -> u64 {
    let mut command = start::command("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program.dynamic().unwrap()).env("LD_LIBRARY_PATH", library);
    let output = command.output().expect("valgrind is needed: apt-get install valgrind");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let count =
        said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.unwrap_or_else(|| panic!("no count: {said}"))
}

/// The loader's work is nearly all: names to look up, addresses to fill in.
#[test]
fn takes_little_more_than_with_the_reference() {
    let program = Compile::c("programs/linked.c").build().unwrap();
    let reference = instructions(&program, &reference::reference().unwrap().lib);
    let ours = instructions(&program, &ours::ours().unwrap().lib);
    assert!(ours * 10 <= reference * 11, "{ours} instructions, {reference} with the reference");
}
