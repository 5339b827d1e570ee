//! What callbacks do, from the session file's words to the trace filter's tokens.

use super::text::{Word, number, words};
use crate::error::{Error, Result};

/// Names of the callbacks, in the filter's order.
pub const CALLBACKS: [&str; 13] = [
    "connect",
    "helo",
    "envfrom",
    "envrcpt",
    "header",
    "eoh",
    "body",
    "eom",
    "abort",
    "close",
    "unknown",
    "data",
    "negotiate",
];

/// The callback that answers a command.
pub fn callback_of(letter: impl Into<char>) -> Option<&'static str> {
    Some(match letter.into() {
        'C' => "connect",
        'H' => "helo",
        'M' => "envfrom",
        'R' => "envrcpt",
        'T' => "data",
        'L' => "header",
        'N' => "eoh",
        'B' => "body",
        'E' => "eom",
        'U' => "unknown",
        _ => return None,
    })
}

/// Names of the callback results.
pub const RESULTS: [(&str, i64); 8] = [
    ("continue", 0),
    ("reject", 1),
    ("discard", 2),
    ("accept", 3),
    ("tempfail", 4),
    ("noreply", 7),
    ("skip", 8),
    ("all_opts", 10),
];

/// Operations and their arguments: `s` a string or NULL, `i` a number, `*` strings to the end.
const OPERATIONS: [(&str, &str); 29] = [
    ("addheader", "ss"),
    ("insheader", "iss"),
    ("chgheader", "sis"),
    ("chgfrom", "ss"),
    ("addrcpt", "s"),
    ("addrcpt_par", "ss"),
    ("delrcpt", "s"),
    ("replacebody", "si"),
    ("quarantine", "s"),
    ("progress", ""),
    ("setreply", "sss"),
    ("setmlreply", "*"),
    ("setpriv", "i"),
    ("getpriv", ""),
    ("setsymlist", "is"),
    ("setmaxdatasize", "i"),
    ("settimeout", "i"),
    ("setdbg", "i"),
    ("setbacklog", "i"),
    ("setconn", "s"),
    ("opensocket", "i"),
    ("getsymval", "s"),
    ("keep", "s"),
    ("kept", ""),
    ("version", "i"),
    ("pf0", "i"),
    ("pf1", "i"),
    ("pf2", "i"),
    ("pf3", "i"),
];

/// Translates `callback[#n]: operation args; ...; return result` to lines of the trace filter.
pub fn encode(line: &str) -> Result<String> {
    let bad = |why: &str| Error(format!("{why} in: on {line}"));
    let (head, operations) = line.split_once(':').ok_or_else(|| bad("missing ':'"))?;
    let (callback, call) = head.trim().split_once('#').unwrap_or((head.trim(), "*"));
    if !CALLBACKS.contains(&callback) {
        return Err(bad("no such callback"));
    }
    let mut out = String::new();
    for operation in split(operations) {
        let all = words(operation)?;
        let Some((name, args)) = all.split_first() else { continue };
        out.push_str(&format!("{callback} {call} {}\n", tokens(&name.text(), args)?));
    }
    Ok(out)
}

/// Splits at ';' outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => inside = !inside,
            ';' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A callback's result by name or number.
pub fn result(word: &str) -> Result<i64> {
    match RESULTS.iter().find(|(name, _)| *name == word) {
        Some((_, value)) => Ok(*value),
        None => number(word),
    }
}

fn tokens(name: &str, args: &[Word]) -> Result<String> {
    let operation = name.trim_start_matches('!');
    if operation == "return" {
        let word = args.first().map(Word::text).unwrap_or_default();
        return Ok(format!("return i{}", result(&word)?));
    }
    let (_, kinds) = OPERATIONS
        .iter()
        .find(|(known, _)| *known == operation)
        .ok_or_else(|| Error(format!("no operation {name:?}")))?;
    let mut out = name.to_owned();
    if *kinds == "*" {
        for word in args {
            out.push_str(&string(word));
        }
        return Ok(out);
    }
    if args.len() != kinds.len() {
        return Err(Error(format!("{name} takes {} arguments", kinds.len())));
    }
    for (kind, word) in kinds.bytes().zip(args) {
        match kind {
            b'i' => out.push_str(&format!(" i{}", number(&word.text())?)),
            _ => out.push_str(&string(word)),
        }
    }
    Ok(out)
}

fn string(word: &Word) -> String {
    if word.is_null() {
        return " N".into();
    }
    let mut out = match word.times {
        1 => " s".to_owned(),
        times => format!(" r{times}:"),
    };
    for b in &word.bytes {
        match b {
            b'!'..=b'~' if *b != b'%' => out.push(char::from(*b)),
            _ => out.push_str(&format!("%{b:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_become_tokens() {
        let script =
            encode(r#"eom#2: addheader X-A "a; b"; setreply "550" NULL "x"*9; return reject"#);
        assert_eq!(
            script.unwrap(),
            "eom 2 addheader sX-A sa;%20b\neom 2 setreply s550 N r9:x\neom 2 return i1\n"
        );
        assert!(encode("eom: addheader X").is_err());
        assert!(encode("nothing: return 1").is_err());
    }
}
