//! `milter-try --help` as the body of milter-try(1).

use std::fmt::Write;

use super::mdoc::escaped;

/// Column where the right-hand side of a table begins.
const COLUMN: usize = 23;

/// A line of a table: what is at its left, if anything, and the text.
fn row(line: &str) -> Option<(&str, &str)> {
    let indented = line.strip_prefix("  ")?;
    // A table within a table is indented by two more.
    let indented = indented.strip_prefix("  ").unwrap_or(indented);
    if indented.starts_with(' ') {
        return Some(("", indented.trim()));
    }
    let at = indented.find("  ");
    Some(match at {
        Some(at) if indented[at..].trim_start().len() + COLUMN == line.len() => {
            (&indented[..at], indented[at..].trim())
        }
        _ => (indented, ""),
    })
}

/// Dashes of options are not hyphens.
fn option(text: &str) -> String {
    text.replace('-', "\\-")
}

/// The tables and paragraphs from "The milter's socket" to "Exit status".
pub(crate) fn sections(help: &str) -> String {
    let mut out = String::new();
    let mut list = false;
    let close = |out: &mut String, list: &mut bool| {
        if std::mem::take(list) {
            out.push_str(".El\n");
        }
    };
    for block in help.split("\n\n").skip_while(|block| !block.starts_with("The milter's socket")) {
        if block.starts_with("Exit status") {
            break;
        }
        let mut lines = block.lines();
        writeln!(out, ".Ss {}", lines.next().unwrap_or_default()).unwrap();
        for line in lines {
            match row(line) {
                Some(("", text)) => writeln!(out, "{}", escaped(text)).unwrap(),
                Some((left, _)) if left.starts_with("SPEC is") => {
                    close(&mut out, &mut list);
                    writeln!(out, ".Pp\n{left}\n.Bl -tag -width Ds").unwrap();
                    list = true;
                }
                Some((left, text)) => {
                    if !list {
                        out.push_str(".Bl -tag -width Ds\n");
                        list = true;
                    }
                    writeln!(out, ".It {}", option(left)).unwrap();
                    if !text.is_empty() {
                        writeln!(out, "{}", escaped(text)).unwrap();
                    }
                }
                None => writeln!(out, "{}", escaped(line)).unwrap(),
            }
        }
        close(&mut out, &mut list);
    }
    out
}

/// The table of exit statuses.
pub(crate) fn exit_status(help: &str) -> String {
    let block =
        help.split("\n\n").find(|block| block.starts_with("Exit status")).unwrap_or_default();
    let mut cells: Vec<(String, String)> = Vec::new();
    for line in block.lines().skip(1) {
        let mut rest = line.trim();
        while !rest.is_empty() {
            let number = rest.split(' ').next().unwrap_or_default();
            let text = rest[number.len()..].trim_start();
            // Two or more blanks end a cell of the table.
            let end = text.find("  ").unwrap_or(text.len());
            cells.push((number.to_owned(), text[..end].to_owned()));
            rest = text[end..].trim();
        }
    }
    cells.sort_by_key(|(number, _)| number.parse().unwrap_or(u32::MAX));
    let mut out = String::from(".Bl -tag -width 128+N\n");
    for (number, text) in cells {
        writeln!(out, ".It {number}\n{}", escaped(&text)).unwrap();
    }
    out + ".El\n"
}

/// The notes after the table of exit statuses.
pub(crate) fn notes(help: &str) -> String {
    let mut blocks =
        help.split("\n\n").skip_while(|block| !block.starts_with("Exit status")).skip(1);
    let note = blocks.next().unwrap_or_default();
    note.trim().replace(". ", ".\n") + "\n"
}
