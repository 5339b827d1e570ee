//! No files of a package use each other in a circle, be they Rust or C.

use crate::graph::{Graph, circles};
use crate::headers;
use crate::modules::{self, graph_of};
use crate::text::{files, root};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Folders with the Rust files of one package each. The tests of the library are files beside it.
const PACKAGES: [&str; 6] = ["src", "tests", "mta", "c-tests", "compliance", "benches"];

/// Folders with C programs and their headers.
const PROGRAMS: [&str; 4] =
    ["benches/programs", "c-tests/milters", "c-tests/programs", "compliance/milters"];

fn told(graph: &Graph) -> Vec<String> {
    circles(graph).into_iter().map(|(_, arrows)| arrows.join("\n")).collect()
}

#[test]
fn rust_files_use_each_other_in_no_circle() {
    let mut found = Vec::new();
    for folder in PACKAGES {
        let graph = graph_of(folder);
        let arrows: usize = graph.values().map(|to| to.len()).sum();
        assert!(arrows > 2, "only {arrows} imports were found in {folder}");
        found.extend(told(&graph));
    }
    assert!(found.is_empty(), "circles:\n{}", found.join("\n\n"));
}

#[test]
fn c_files_use_each_other_in_no_circle() {
    let mut found = Vec::new();
    for folder in PROGRAMS {
        let top = root().join(folder);
        let texts = files(&top, &["c", "cc", "h"])
            .into_iter()
            .map(|file| {
                let text = fs::read_to_string(top.join(&file)).unwrap();
                (file.to_string_lossy().into_owned(), text)
            })
            .collect();
        let graph = headers::uses(&texts);
        assert!(graph.values().any(|to| !to.is_empty()), "{folder} uses no header");
        found.extend(told(&graph));
    }
    assert!(found.is_empty(), "circles:\n{}", found.join("\n\n"));
}

/// The reader sees a circle that is put in on purpose, by whatever path it goes.
#[test]
fn the_reader_finds_circles() {
    let graph = |a: &str, b: &str| {
        let texts = [
            ("src/lib.rs", "mod a; mod b; pub use b::deep::Shown; #[cfg(test)] mod tests;"),
            ("src/tests.rs", "use crate::a::A;"),
            ("src/b/mod.rs", "pub mod deep; pub use deep::Shown;"),
            ("src/a.rs", a),
            ("src/b/deep.rs", b),
        ];
        let own = |(file, text): (&str, &str)| (PathBuf::from(file), text.to_owned());
        modules::uses(texts.into_iter().map(own).collect::<BTreeMap<_, _>>())
    };
    let circle = |a: &str, b: &str| circles(&graph(a, b)).pop().map(|(files, _)| files);
    let both = BTreeSet::from(["src/a.rs".to_owned(), "src/b/deep.rs".to_owned()]);
    let back = "use super::super::a::A; pub struct Shown;";
    for there in [
        "use crate::b::deep::Shown;",
        "use crate::b::{self, deep::{Shown as Other}};",
        "use super::b; fn f() { b::deep::f(); }",
        // Through those who only hand it on.
        "use crate::b::Shown;",
        "fn f() { let c = '{'; crate::Shown::new(); }",
        "mod inner { fn f() { super::super::b::deep::f() } }",
    ] {
        assert_eq!(circle(there, back), Some(both.clone()), "{there}");
    }
    for apart in [
        "// use crate::b::Shown;",
        "fn f() { print(\"crate::b::Shown\") }",
        "#[cfg(test)] mod tests { use crate::b::Shown; }",
        "#[cfg(test)] pub(crate) fn f() { crate::b::deep::f(); } pub struct A;",
        "use std::b::Shown;",
    ] {
        assert_eq!(circle(apart, back), None, "{apart}");
    }
}

#[test]
fn the_reader_finds_circles_of_headers() {
    let circle = |low: &str| {
        let texts = [
            (
                "p.c",
                "#include \"low.h\"\nint out = 1;\nstatic void up(void) {}\nint main(void) { low(); }",
            ),
            ("low.h", low),
        ];
        let own = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        !circles(&headers::uses(&texts.into_iter().map(own).collect())).is_empty()
    };
    assert!(circle("extern int out;\nstatic void low(void) {}"));
    assert!(circle("static void up(void);\nstatic void low(void) { up(); }"));
    assert!(circle("#include \"p.c\""));
    assert!(!circle("/* up() */ static void low(int out) { x->up(); }"));
}
