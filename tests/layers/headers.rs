//! Which C file of a folder uses which: by `#include`, or by a name that the other defines.

use crate::graph::Graph;
use crate::text::{code, is_name, tokens, words};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
struct File {
    includes: BTreeSet<String>,
    defines: BTreeSet<String>,
    /// What it calls or declares `extern`: all else it can have only from what it includes.
    names: BTreeSet<String>,
}

/// The files of a folder, by name.
pub(crate) fn uses(texts: &BTreeMap<String, String>) -> Graph {
    let files: BTreeMap<&String, File> =
        texts.iter().map(|(name, text)| (name, read(text))).collect();
    let mut graph: Graph = texts.keys().map(|name| (name.clone(), BTreeSet::new())).collect();
    // Programs in one folder may use the same names for different things.
    for program in texts.keys().filter(|name| !name.ends_with(".h")) {
        let mut parts = BTreeSet::from([program]);
        let mut pending = vec![program];
        while let Some(name) = pending.pop() {
            for (other, _) in
                files.iter().filter(|(other, _)| files[name].includes.contains(**other))
            {
                if parts.insert(other) {
                    pending.push(other);
                }
            }
        }
        for from in &parts {
            for to in parts.iter().filter(|to| *to != from) {
                let other = |name: &&String| {
                    parts.iter().all(|p| p == to || !files[*p].defines.contains(*name))
                };
                let mut taken = files[*from].names.intersection(&files[*to].defines).filter(other);
                if files[*from].includes.contains(*to) || taken.next().is_some() {
                    graph.entry((*from).clone()).or_default().insert((*to).clone());
                }
            }
        }
    }
    graph
}

fn read(text: &str) -> File {
    let mut file = File::default();
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("#include \"")) {
        file.includes.extend(line.split('"').next().map(str::to_owned));
    }
    let code = code(text).replace("\\\n", " ");
    let mut plain = Vec::new();
    for line in code.lines() {
        let line = line.trim();
        let mut parts = words(line);
        match line.starts_with('#') {
            true if parts.next() == Some("define") => {
                file.defines.extend(parts.next().map(str::to_owned));
                file.names.extend(needed(&tokens(line)));
            }
            true => {}
            false => plain.push(line),
        }
    }
    let plain = plain.join("\n");
    let tokens = tokens(&plain);
    file.names.extend(needed(&tokens));
    file.defines.extend(defined(&tokens));
    file
}

/// Names that are called or declared, and those that are said to be elsewhere.
fn needed(tokens: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut elsewhere = false;
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).copied().unwrap_or_default();
        let field = at.checked_sub(1).is_some_and(|before| ["->", "."].contains(&tokens[before]));
        match *token {
            "extern" => elsewhere = true,
            ";" => elsewhere = false,
            _ if !is_name(token) || field => {}
            _ if next == "(" || elsewhere => drop(found.insert((*token).to_owned())),
            _ => {}
        }
    }
    found
}

/// Functions with a body, variables and types that are defined at file level.
fn defined(tokens: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut depth = 0;
    // Whether the statement only says that something is defined elsewhere, or its value has begun.
    let (mut elsewhere, mut value) = (false, false);
    let mut function = None;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" => {
                let name = at.checked_sub(1).map(|before| tokens[before]).filter(|t| is_name(t));
                match (*token, depth) {
                    ("(", 0) if !value => function = name.or(function),
                    ("[", 0) if !value && !elsewhere => found.extend(name.map(str::to_owned)),
                    ("{", 0) => {
                        found.extend(function.take().or(name).map(str::to_owned));
                    }
                    _ => {}
                }
                depth += 1;
            }
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                let ends = tokens.get(at + 1).is_none_or(|next| {
                    !is_name(next) && *next != "*" && *next != ";" && *next != "["
                });
                if depth == 0 && ends {
                    (elsewhere, value) = (false, false);
                }
            }
            ";" | "," | "=" if depth == 0 => {
                let name = at.checked_sub(1).map(|before| tokens[before]).filter(|t| is_name(t));
                if !elsewhere && !value {
                    found.extend(name.map(str::to_owned));
                }
                value = *token == "=";
                function = None;
                if *token == ";" {
                    elsewhere = false;
                }
            }
            "extern" if depth == 0 => elsewhere = true,
            _ => {}
        }
    }
    found
}
