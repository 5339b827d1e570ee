//! `include/libmilter/libmilter.h` is what cbindgen makes of `src/ffi`.
//!
//! After a change there: `UPDATE_HEADER=1 cargo test --test header`.

use std::path::Path;

/// The sources in the order of the header's sections.
const SOURCES: [&str; 8] = [
    "types.rs",
    "process.rs",
    "run.rs",
    "macros.rs",
    "reply.rs",
    "setmlreply.rs",
    "changes.rs",
    "progress.rs",
];

/// Leaves out what only Rust programmers need, the sections headed "# Safety", and turns C++
/// comments, which C89 lacks, into C ones.
fn for_c(header: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut in_safety = false;
    for line in header.lines() {
        if line.trim() == "* # Safety" {
            in_safety = true;
            if kept.last().is_some_and(|blank| blank.trim() == "*") {
                kept.pop();
            }
        }
        in_safety &= line.trim() != "*/";
        if !in_safety {
            kept.push(line);
        }
    }
    kept.join("\n").replace("// __cplusplus", "/* __cplusplus */") + "\n"
}

#[test]
fn the_checked_in_header_is_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(root.join("src/ffi").join(source));
    }
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    let made = for_c(&String::from_utf8(made).unwrap());
    let header = root.join("include/libmilter/libmilter.h");
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(&header, &made).unwrap();
    }
    let checked_in = std::fs::read_to_string(&header).unwrap_or_default();
    assert!(
        made == checked_in,
        "{} differs from what cbindgen makes of src/ffi; run UPDATE_HEADER=1 cargo test --test header",
        header.display()
    );
}
