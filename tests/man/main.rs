//! The manual pages are what the header's comments, `milter-try --help` and `man/src` say.
//!
//! After a change there: `UPDATE_MAN=1 cargo test --test man`. The comments of `src/ffi` are the
//! source for each function and callback; `man/src/NAME.mdoc` adds what does not belong into a header.

mod header;
mod help;
mod mdoc;
mod page;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use header::{Declaration, declarations};

/// Of all pages; that of the last change to one of them, or of the release.
const DATE: &str = "November 27, 2026";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn declared() -> Vec<Declaration> {
    let mut found = declarations(&read("include/libmilter/libmilter.h"));
    found.retain(|d| d.name.starts_with("smfi_") || d.name.starts_with("xxfi_"));
    found
}

/// A list of pages with what they are about, those whose names begin so.
fn list(all: &[Declaration], start: &str) -> String {
    let mut out = String::from(".Bl -tag -width xxfi_negotiate -compact\n");
    for one in all.iter().filter(|one| one.name.starts_with(start)) {
        writeln!(out, ".It Xr {} 3\n{}", one.name, page::meaning(one)).unwrap();
    }
    out + ".El\n"
}

/// File names and contents of all pages.
fn pages() -> BTreeMap<String, String> {
    let all = declared();
    let mut names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    names.push("libmilter".into());
    let mut out = BTreeMap::new();
    for one in &all {
        let added = read(&format!("man/src/{}.mdoc", one.name));
        out.insert(format!("{}.3", one.name), page::page(one, &added, &names, DATE));
    }
    let fill = |text: String, marks: &[(&str, String)]| {
        let text = marks.iter().fold(text, |text, (mark, value)| text.replace(mark, value));
        format!("{}.Dd {DATE}\n{text}", mdoc::NOTICE)
    };
    let marks = [("@FUNCTIONS@\n", list(&all, "smfi_")), ("@CALLBACKS@\n", list(&all, "xxfi_"))];
    out.insert("libmilter.3".into(), fill(read("man/src/libmilter.mdoc"), &marks));
    let help = read("mta/src/bin/milter-try/help.txt");
    let marks = [
        ("@SECTIONS@\n", help::sections(&help)),
        ("@EXIT@\n", help::exit_status(&help)),
        ("@NOTES@\n", help::notes(&help)),
    ];
    out.insert("milter-try.1".into(), fill(read("man/src/milter-try.mdoc"), &marks));
    out.into_iter().map(|(name, text)| (name, mdoc::wrapped(&text))).collect()
}

fn files(dir: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(dir)).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

#[test]
fn the_checked_in_pages_are_up_to_date() {
    let pages = pages();
    if std::env::var_os("UPDATE_MAN").is_some() {
        for (name, text) in &pages {
            std::fs::write(root().join("man").join(name), text).unwrap();
        }
    }
    for (name, text) in &pages {
        let kept = std::fs::read_to_string(root().join("man").join(name)).unwrap_or_default();
        assert!(kept == *text, "man/{name} is out of date; run UPDATE_MAN=1 cargo test --test man");
    }
    for path in files("man") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(pages.contains_key(&name), "man/{name} is no page of anything");
    }
}

#[test]
fn references_lead_to_pages() {
    let pages = pages();
    let elsewhere = ["listen.2", "openlog.3", "setlogmask.3", "syslog.3", "umask.2"];
    for (name, text) in &pages {
        let mut words = text.lines().flat_map(|line| match line.split_once("Xr ") {
            Some((before, after)) if before == "." || before == ".It " => Some(after),
            _ => None,
        });
        let lost = words.find(|after| {
            let mut parts = after.split(' ');
            let page = [parts.next(), parts.next()].map(Option::unwrap_or_default).join(".");
            !pages.contains_key(&page) && !elsewhere.contains(&page.as_str())
        });
        assert_eq!(lost, None, "{name} refers to a page that there is not");
    }
}

#[test]
fn mandoc_has_no_complaint() {
    let pages: Vec<PathBuf> =
        pages().into_keys().map(|name| root().join("man").join(name)).collect();
    let done = Command::new("mandoc")
        .args(["-Tlint", "-Wstyle"])
        .args(&pages)
        .output()
        .expect("the test needs mandoc: apt-get install mandoc");
    let said = String::from_utf8_lossy(&done.stdout);
    // It looks for references among the pages that are installed; the test above does it here.
    let complaints: Vec<&str> =
        said.lines().filter(|line| !line.contains("referenced manual not found")).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_source_of_a_page_is_used() {
    let pages = pages();
    for path in files("man/src") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let used = ["1", "3"].iter().any(|number| pages.contains_key(&format!("{name}.{number}")));
        assert!(used, "man/src/{name}.mdoc belongs to no page");
    }
}

/// The C code between `.Bd -literal` and `.Ed`, without roff's escapes.
fn examples(text: &str) -> Vec<String> {
    let blocks = text.split(".Bd -literal").skip(1).filter_map(|block| block.split_once(".Ed"));
    let code = blocks.map(|(code, _)| code.split_once('\n').unwrap_or_default().1);
    code.map(|code| code.replace("\\e", "\\").replace("\\&", "")).collect()
}

#[test]
fn the_examples_compile() {
    let mut count = 0;
    for path in files("man/src").iter().filter(|path| !path.ends_with("milter-try.mdoc")) {
        for code in examples(&std::fs::read_to_string(path).unwrap()) {
            count += 1;
            let source = tempfile(&code);
            let done = Command::new("cc")
                .args(["-std=c99", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"])
                .args(["-D_DEFAULT_SOURCE", "-Wno-unused-function", "-Wno-unused-parameter"])
                .arg(format!("-I{}", root().join("include").display()))
                .arg(&source)
                .output()
                .expect("the test needs a C compiler: apt-get install gcc libc6-dev");
            let messages = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{}:\n{code}\n{messages}", path.display());
        }
    }
    assert!(count >= 12, "{count} examples found");
}

/// The code in a file, after the headers that every filter includes.
fn tempfile(code: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("manual-page-example.c");
    let before = "#include <libmilter/mfapi.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n";
    std::fs::write(&file, format!("{before}{code}")).unwrap();
    file
}
