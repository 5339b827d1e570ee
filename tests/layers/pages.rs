//! Each line that the library logs is explained in docs/debugging.md.

use crate::text::{files, root};
use std::fs;

/// Words of the sources that are not logged: debug output goes to standard output.
const NOT_LOGGED: [&str; 9] = [
    "abort: cur {} cmd {command:?}",
    "cmd={command:?}, buf=NULL",
    "cmd '{}' unknown",
    "got cmd {command:?} len {size}",
    "milter_negotiate: mta_actions=0x{:x}, mta_flags=0x{:x} actions=0x{:x}, flags=0x{:x}",
    // Told by nobody: why it failed has been told.
    "the MTA can't be written to",
    "the callback has run for too long (see LIBMILTER_CALLBACK_LIMIT)",
    // Looked for in what the system says.
    " (os error",
    // In the trace itself.
    "- - - - lost {lost} lines could not be written",
];

/// The literals of a file's code that have two words or more, without what is for tests.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for line in code.replace("\\\n", "\\\u{1}").lines() {
        let line = line.trim_start();
        if line.starts_with("//") || line.contains("reason = \"") {
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find('"') {
            let inside = &rest[at + 1..];
            let mut escaped = false;
            let end = inside.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let Some(end) = end else { break };
            // Bytes are no text that is logged.
            if !rest[..at].ends_with('b') {
                found.push(joined(&inside[..end]));
            }
            rest = &inside[end + 1..];
        }
    }
    found.retain(|literal| literal.trim().contains(' ') && literal.contains(char::is_alphabetic));
    found
}

/// A literal as it is at run time: no line ends, no escapes of quotes.
fn joined(literal: &str) -> String {
    let parts = literal.split("\\\u{1}").map(str::trim_start);
    let first = literal.split("\\\u{1}").next().unwrap_or_default();
    let lead = first.len() - first.trim_start().len();
    format!("{}{}", " ".repeat(lead), parts.collect::<String>()).replace("\\\"", "\"")
}

/// What a literal says whatever is put into it.
fn constant_parts(literal: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for c in literal.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => {
                depth -= 1;
                parts.push(String::new());
            }
            _ if depth == 0 => parts.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    let wordy = |part: &String| part.chars().filter(|c| c.is_alphabetic()).count() >= 4;
    parts.into_iter().map(|part| part.trim().to_owned()).filter(wordy).collect()
}

#[test]
fn every_log_line_is_explained() {
    let page = fs::read_to_string(root().join("docs/debugging.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut looked_at = 0;
    let mut missing = Vec::new();
    for path in files(&root().join("src"), &["rs"]) {
        let name = path.display().to_string();
        let quiet = [
            "tests",
            "planted",
            "setmlreply",
            "sys/",
            "quoted",
            "trace_capture",
            "trace_json",
            "trace_text",
            "exposition",
            "proto/names",
            "inquirer",
            "readings",
        ];
        if name != "sys/environment.rs" && quiet.iter().any(|part| name.contains(part)) {
            continue;
        }
        let text = fs::read_to_string(root().join("src").join(&path)).unwrap();
        for literal in literals(&text).iter().filter(|l| !NOT_LOGGED.contains(&l.as_str())) {
            looked_at += 1;
            let lacks = |part: &String| !page.contains(part.as_str());
            if let Some(part) = constant_parts(literal).into_iter().find(lacks) {
                missing.push(format!("{name}: {part:?} of {literal:?}"));
            }
        }
    }
    assert!(looked_at > 100, "{looked_at} literals are not all there are");
    assert!(missing.is_empty(), "docs/debugging.md does not have\n{}", missing.join("\n"));
}

/// An administrator finds each variable, with what it may be and what it costs.
#[test]
fn every_variable_is_described() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let mut names = std::collections::BTreeSet::new();
    for path in files(&root().join("src"), &["rs"]) {
        let text = fs::read_to_string(root().join("src").join(path)).unwrap();
        names.extend(text.split('"').filter(|word| is_variable(word)).map(str::to_owned));
    }
    // For fuzzing only.
    assert!(names.remove("LIBMILTER_PLANTED") && names.len() > 25, "{names:?}");
    for page in ["docs/operations.md", "man/src/libmilter.mdoc"] {
        let text = read(page);
        let words: Vec<&str> =
            text.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).collect();
        let missing: Vec<_> = names.iter().filter(|name| !words.contains(&name.as_str())).collect();
        assert!(missing.is_empty(), "{page} does not have {missing:?}");
    }
}

fn is_variable(word: &str) -> bool {
    let name = word.strip_prefix("LIBMILTER_");
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}
