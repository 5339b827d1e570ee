//! Imports go downwards only and in no circle, unsafe code stays where it is allowed, and source
//! files stay short.

mod circles;
mod graph;
mod headers;
mod modules;
mod order;
mod pages;
mod source;
mod text;

use std::fs;
use std::path::Path;
use text::{code, files, root, words};

/// The layers of `src/`, each with those it may import from.
const LAYERS: [(&str, &[&str]); 6] = [
    ("proto", &[]),
    ("session", &["proto"]),
    ("sys", &["proto"]),
    ("net", &["proto", "sys"]),
    ("runtime", &["proto", "session", "sys", "net"]),
    ("ffi", &["proto", "session", "sys", "net", "runtime"]),
];

/// Where unsafe code is allowed beside the layers `sys` and `ffi`, and why.
const UNSAFE_EXCEPTIONS: [&str; 1] = [
    // Takes over a descriptor whose number the filter passed as `fd:N`.
    "net/listener.rs",
];

/// Lines a source file may have.
const LINES_MAX: usize = 500;

/// What follows each occurrence of a prefix up to the end of the path or group of paths.
fn paths_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    code.match_indices(prefix)
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|(at, _)| &code[at + prefix.len()..])
        .collect()
}

/// Top-level names behind `crate::`, be it one path or a group in braces.
fn layers_named(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for rest in paths_after(code, "crate::") {
        let first = |text: &str| words(text).next().unwrap_or_default().to_owned();
        let Some(group) = rest.strip_prefix('{') else {
            named.push(first(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    named.push(first(&group[start..at]));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    named.push(first(&group[start..at]));
                    start = at + 1;
                }
                _ => {}
            }
        }
    }
    named.retain(|name| !name.is_empty());
    named
}

/// The name a chain of `super::` leads to if it leaves the file's own layer.
fn names_above(file: &Path, code: &str) -> Vec<String> {
    // From layer/mod.rs one `super` leaves the layer, from layer/x.rs two, and so on.
    let own = file.file_name().is_some_and(|name| name == "mod.rs");
    let depth = file.components().count() - usize::from(own);
    let chain = "super::".repeat(depth);
    paths_after(code, &chain)
        .into_iter()
        .filter_map(|rest| words(rest).next().map(str::to_owned))
        .filter(|name| LAYERS.iter().any(|(layer, _)| layer == name))
        .collect()
}

fn layer_of(file: &Path) -> Option<(&'static str, &'static [&'static str])> {
    let top = file.components().next()?.as_os_str().to_str()?;
    LAYERS.into_iter().find(|(layer, _)| *layer == top.trim_end_matches(".rs"))
}

#[test]
fn imports_go_downwards() {
    let mut offenders = Vec::new();
    let src = root().join("src");
    let all = files(&src, &["rs"]);
    assert!(all.len() > 20, "{} has only {} files", src.display(), all.len());
    for file in all.iter().filter(|file| **file != Path::new("lib.rs")) {
        let Some((layer, below)) = layer_of(file) else {
            offenders.push(format!("src/{} belongs to no layer", file.display()));
            continue;
        };
        let code = code(&fs::read_to_string(src.join(file)).unwrap());
        for name in layers_named(&code).into_iter().chain(names_above(file, &code)) {
            if name != layer && !below.contains(&name.as_str()) {
                offenders.push(format!("src/{} ({layer}) uses {name}", file.display()));
            }
        }
    }
    assert!(offenders.is_empty(), "imports must go downwards:\n{}", offenders.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_layers() {
    let mut offenders = Vec::new();
    let src = root().join("src");
    for file in files(&src, &["rs"]) {
        let allowed = file.starts_with("sys")
            || file.starts_with("ffi")
            || UNSAFE_EXCEPTIONS.iter().any(|exception| file == Path::new(exception));
        let text = fs::read_to_string(src.join(&file)).unwrap();
        if !allowed && words(&code(&text)).any(|word| word == "unsafe") {
            offenders.push(format!("src/{}", file.display()));
        }
    }
    assert!(offenders.is_empty(), "unsafe code outside of sys and ffi:\n{}", offenders.join("\n"));
    for exception in UNSAFE_EXCEPTIONS {
        let text = fs::read_to_string(src.join(exception)).unwrap();
        let needed = words(&code(&text)).any(|word| word == "unsafe");
        assert!(needed, "src/{exception} needs no exception any more");
    }
}

#[test]
fn source_files_are_short() {
    let mut offenders = Vec::new();
    for dir in ["src", "tests", "mta", "c-tests", "compliance", "benches", "fuzz"] {
        let top = root().join(dir);
        if !top.exists() {
            continue;
        }
        for file in files(&top, &["rs"]) {
            let lines = fs::read_to_string(top.join(&file)).unwrap().lines().count();
            if lines > LINES_MAX {
                offenders.push(format!("{dir}/{}: {lines} lines", file.display()));
            }
        }
    }
    assert!(offenders.is_empty(), "over {LINES_MAX} lines:\n{}", offenders.join("\n"));
}

/// The reader of sources sees what it is meant to see.
#[test]
fn the_reader_finds_imports_and_unsafe() {
    let source = r##"
        //! unsafe in a comment; use crate::ffi::x;
        use crate::proto::{a, b};
        use crate::{session::Context, sys::{fd, log}, net};
        let text = "crate::runtime, unsafe"; let quote = '"'; let raw = r#"crate::ffi"#;
        unsafe { crate::runtime::serve() }
    "##;
    let code = code(source);
    assert_eq!(layers_named(&code), ["proto", "session", "sys", "net", "runtime"]);
    assert_eq!(words(&code).filter(|word| *word == "unsafe").count(), 1);
    let up = names_above(Path::new("proto/state.rs"), "use super::super::session::Context;");
    assert_eq!(up, ["session"]);
    let up = names_above(Path::new("proto/mod.rs"), "use super::session::Context;");
    assert_eq!(up, ["session"]);
    let own = names_above(Path::new("proto/state.rs"), "use super::command::Command;");
    assert!(own.is_empty());
}

/// With `autotests = false` a file that no other names would be no error, and its tests never run.
#[test]
fn every_file_of_tests_is_in_a_test_program() {
    for package in ["c-tests", "compliance", "mta"] {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let dir = root().join(package).join("tests");
        let main = fs::read_to_string(dir.join("main.rs")).unwrap();
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let module = main.lines().any(|line| line == format!("mod {name};"));
            let program = manifest.contains(&format!("[[test]]\nname = \"{name}\"\n"));
            assert!(module || program, "{} is in no test program", path.display());
        }
    }
}

/// All that is logged goes through `runtime/log.rs`, which bounds how much that can be.
#[test]
fn log_lines_are_bounded() {
    let top = root().join("src");
    let mut writers = Vec::new();
    for file in files(&top, &["rs"]) {
        let text = fs::read_to_string(top.join(&file)).unwrap();
        let used = paths_after(&code(&text), "sys::log::").iter().any(|rest| {
            rest.split(';').next().is_some_and(|item| words(item).any(|w| w == "write"))
        });
        if used {
            writers.push(file.display().to_string());
        }
    }
    assert_eq!(writers, ["runtime/log.rs"]);
}
