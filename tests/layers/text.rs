//! Sources as text: which files there are, and their code without comments and literals.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files with one of these extensions below a directory, as paths relative to it.
pub(crate) fn files(top: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![top.to_path_buf()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    pending.push(path);
                }
            } else if path.extension().is_some_and(|e| extensions.iter().any(|x| e == *x)) {
                found.push(path.strip_prefix(top).unwrap().to_path_buf());
            }
        }
    }
    found.sort();
    found
}

/// The code of a Rust or C file: comments and the contents of literals are left out.
///
/// The file that a `#[path]` names is kept.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let tail = &text[at..];
        let in_word = code.ends_with(is_word);
        let skip = if tail.starts_with("//") {
            tail.find('\n').unwrap_or(tail.len())
        } else if tail.starts_with("/*") {
            code.push(' ');
            comment_length(tail)
        } else if let Some(raw) = (!in_word).then(|| raw_string_length(tail)).flatten() {
            raw
        } else if c == '"' {
            let length = string_length(tail);
            if code.ends_with("#[path = ") {
                code.push_str(&tail[..length]);
            }
            length
        } else if c == '\'' {
            character_length(tail).unwrap_or(1)
        } else {
            code.push(c);
            c.len_utf8()
        };
        at += skip;
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Bytes of the block comment that `text` begins with; comments of Rust nest, those of C hold no
/// second beginning.
fn comment_length(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Bytes of the raw string that `text` begins with.
fn raw_string_length(text: &str) -> Option<usize> {
    let prefix = if text.starts_with("br") { 2 } else { 1 };
    if !text[..prefix.min(text.len())].ends_with('r') {
        return None;
    }
    let hashes = text[prefix..].bytes().take_while(|b| *b == b'#').count();
    let begin = prefix + hashes + 1;
    if text.as_bytes().get(begin - 1) != Some(&b'"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text[begin..].find(&end).map_or(text.len(), |at| begin + at + end.len()))
}

/// Bytes of the string literal that `text` begins with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Bytes of the character that `text` begins with; `None` if it is a lifetime.
fn character_length(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next();
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

/// Names, keywords and numbers of code.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !is_word(c)).filter(|word| !word.is_empty())
}

/// Words, strings, `::`, `->`, and all else character by character.
pub(crate) fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let tail = &code[at..];
        let length = match c {
            _ if is_word(c) => tail.find(|c| !is_word(c)).unwrap_or(tail.len()),
            '"' => string_length(tail),
            _ if tail.starts_with("::") || tail.starts_with("->") => 2,
            _ => c.len_utf8(),
        };
        if !c.is_whitespace() {
            tokens.push(&tail[..length]);
        }
        at += length;
    }
    tokens
}

/// Whether a token is a name, a keyword or a number.
pub(crate) fn is_name(token: &str) -> bool {
    token.starts_with(is_word)
}
