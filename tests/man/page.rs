//! A page of section 3: a declaration of the header, and what `man/src` adds to its comment.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::header::{Declaration, sentences};
use super::mdoc::{NOTICE, Names, argument, text};

/// Sections that `man/src` may have, in the order of a page.
const ADDED: [&str; 6] =
    ["DESCRIPTION", "RETURN VALUES", "EXAMPLES", "DIAGNOSTICS", "SEE ALSO", "CAVEATS"];

/// The text below a heading of an added part, empty if it has no such section.
fn section<'a>(added: &'a str, heading: &str) -> &'a str {
    let start = format!(".Sh {heading}\n");
    let Some((_, rest)) = added.split_once(&start) else { return "" };
    rest.find(".Sh ").map_or(rest, |end| &rest[..end])
}

/// Fails on a heading that no page would show.
fn check(name: &str, added: &str) {
    for heading in added.lines().filter_map(|line| line.strip_prefix(".Sh ")) {
        assert!(ADDED.contains(&heading), "man/src/{name}.mdoc: no section {heading} here");
    }
}

/// `Appends a header.` as what the page's name means: `append a header`.
pub(crate) fn meaning(declaration: &Declaration) -> String {
    let summary = &sentences(&declaration.summary)[0];
    if !declaration.name.starts_with("smfi_") {
        let head = summary.split(':').next().unwrap_or_default();
        // "MAIL: the sender, ..." would be too short without the rest.
        let head = if head.contains(' ') { head } else { summary };
        return lower(head.trim_end_matches('.'));
    }
    let summary = summary.split([':', ';']).next().unwrap_or_default().trim_end_matches('.');
    let (verb, rest) = summary.split_once(' ').unwrap_or((summary, ""));
    let verb = verb.strip_suffix('s').unwrap_or(verb).to_lowercase();
    format!("{verb} {}", rest.replace(", or deletes ", ", or delete "))
}

/// The first letter small, unless the word is an abbreviation.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

fn synopsis(declaration: &Declaration) -> String {
    let function = declaration.name.starts_with("smfi_");
    let name = match function {
        true => declaration.name.clone(),
        false => format!("(*{})", declaration.name),
    };
    let mut out = format!(
        ".In libmilter/mfapi.h\n.Ft {}\n.Fo {}\n",
        argument(&declaration.result).replace('"', ""),
        argument(&name)
    );
    if declaration.parameters.is_empty() {
        out.push_str(".Fa void\n");
    }
    for parameter in &declaration.parameters {
        writeln!(out, ".Fa {}", argument(parameter)).unwrap();
    }
    out + ".Fc\n"
}

/// Entries of the list that tells when a function may be called.
fn conditions(sentences: &[String], names: &Names<'_>) -> String {
    let mut out = String::new();
    for (start, heading) in [("Stages: ", "Stages"), ("Needs ", "Action"), ("Thread: ", "Threads")]
    {
        for sentence in sentences.iter().filter_map(|sentence| sentence.strip_prefix(start)) {
            write!(out, ".It {heading}\n{}", text(&[sentence.to_owned()], names)).unwrap();
        }
    }
    match out.is_empty() {
        true => out,
        false => format!(".Bl -tag -width Threads\n{out}.El\n"),
    }
}

/// The pages that a text refers to, and those it names, without the page itself.
fn see_also(page: &str, body: &str, added: &str) -> String {
    let mut found = BTreeSet::new();
    found.insert(("3".to_owned(), "libmilter".to_owned()));
    for line in body.lines().chain(section(added, "SEE ALSO").lines()) {
        let mut words = line.split(' ');
        if words.any(|word| word == ".Xr" || word == "Xr") {
            let name = words.next().unwrap_or_default().to_owned();
            let number = words.next().unwrap_or("3").to_owned();
            found.insert((number, name));
        }
    }
    found.remove(&("3".to_owned(), page.to_owned()));
    let last = found.len();
    let lines = found.into_iter().enumerate().map(|(n, (number, name))| {
        let comma = if n + 1 < last { " ," } else { "" };
        format!(".Xr {name} {number}{comma}\n")
    });
    lines.collect()
}

/// The page of a declaration.
pub(crate) fn page(declaration: &Declaration, added: &str, pages: &[String], date: &str) -> String {
    let name = &declaration.name;
    check(name, added);
    let names = Names { page: name, parameters: declaration.names(), pages };
    let mut plain: Vec<String> = sentences(&declaration.summary)[1..].to_vec();
    let mut returns = Vec::new();
    let mut when = Vec::new();
    for paragraph in &declaration.paragraphs {
        for sentence in sentences(paragraph) {
            let starts = |starts: &[&str]| starts.iter().any(|start| sentence.starts_with(start));
            let place = match () {
                () if starts(&["Stages: ", "Needs SMFIF", "Thread: "]) => &mut when,
                () if starts(&["Returns "]) => &mut returns,
                () => &mut plain,
            };
            place.push(sentence);
        }
    }
    let first = &sentences(&declaration.summary)[0];
    let lead = match name.starts_with("smfi_") {
        true => format!("The\n.Fn {name}\nfunction\n"),
        false => format!("The library calls\n.Fn {name}\nof a filter for this:\n"),
    };
    let mut body = lead + &text(&[lower(first)], &names);
    body.push_str(&text(&plain, &names));
    let more = section(added, "DESCRIPTION");
    if !more.is_empty() {
        write!(body, ".Pp\n{more}").unwrap();
    }
    body.push_str(&conditions(&when, &names));
    body.push_str(".Sh RETURN VALUES\n");
    let returns: Vec<String> =
        returns.iter().map(|sentence| format!("{name} {}", lower(sentence))).collect();
    body.push_str(&text(&returns, &names));
    body.push_str(section(added, "RETURN VALUES"));
    for heading in ["EXAMPLES", "DIAGNOSTICS"] {
        let content = section(added, heading);
        if !content.is_empty() {
            write!(body, ".Sh {heading}\n{content}").unwrap();
        }
    }
    let more = see_also(name, &body, added);
    let caveats = section(added, "CAVEATS");
    let caveats = if caveats.is_empty() { "".into() } else { format!(".Sh CAVEATS\n{caveats}") };
    format!(
        "{}.Dd {date}\n.Dt {} 3\n.Os\n.Sh NAME\n.Nm {name}\n.Nd {}\n.Sh SYNOPSIS\n{}.Sh DESCRIPTION\n{body}.Sh SEE ALSO\n{more}{caveats}",
        NOTICE,
        name.to_uppercase(),
        meaning(declaration),
        synopsis(declaration),
    )
}
