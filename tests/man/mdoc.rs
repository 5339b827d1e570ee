//! Plain sentences as mdoc: names of functions, constants and parameters become macros.

use std::fmt::Write;

/// What a page is about, so that its own names are not references.
pub(crate) struct Names<'a> {
    pub(crate) page: &'a str,
    pub(crate) parameters: Vec<&'a str>,
    /// Every page of section 3.
    pub(crate) pages: &'a [String],
}

/// One sentence to a line, as mdoc wants it.
pub(crate) fn text(sentences: &[String], names: &Names<'_>) -> String {
    let mut out = String::new();
    for sentence in sentences {
        line(&mut out, sentence, names);
    }
    out
}

/// The words of a sentence: plain ones together, each marked one on a line of its own.
fn line(out: &mut String, sentence: &str, names: &Names<'_>) {
    let mut plain = String::new();
    let flush = |out: &mut String, plain: &mut String| {
        if !plain.is_empty() {
            writeln!(out, "{}", escaped(plain)).unwrap();
            plain.clear();
        }
    };
    for word in words(sentence) {
        let core = word.trim_end_matches(['.', ',', ';', ':', ')']).trim_start_matches('(');
        let end = word.trim_start_matches('(').strip_prefix(core).unwrap_or_default();
        let Some(marked) = marked(core, names) else {
            if !plain.is_empty() {
                plain.push(' ');
            }
            plain.push_str(&word);
            continue;
        };
        flush(out, &mut plain);
        out.push('.');
        if word.starts_with('(') {
            out.push_str("Po Ns ");
        }
        out.push_str(&marked);
        for mark in end.chars() {
            write!(out, " {mark}").unwrap();
        }
        out.push('\n');
    }
    flush(out, &mut plain);
}

fn marked(word: &str, names: &Names<'_>) -> Option<String> {
    let constant = |start: &str| word.starts_with(start);
    if word == names.page {
        Some(format!("Fn {word}"))
    } else if names.pages.iter().any(|page| page == word) {
        Some(format!("Xr {word} 3"))
    } else if names.parameters.contains(&word) {
        Some(format!("Fa {word}"))
    } else if let Some(quoted) = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        Some(format!("Ql {}", argument(quoted)))
    } else if word == "NULL"
        || ["MI_", "SMFIS_", "SMFIF_", "SMFIM_", "SMFI_"].iter().any(|s| constant(s))
    {
        Some(format!("Dv {}", argument(word)))
    } else if constant("xxfi_") {
        Some(format!("Fa {word}"))
    } else {
        None
    }
}

/// Words, those in quotes kept together.
fn words(sentence: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut quoted = false;
    for word in sentence.split(' ') {
        match out.last_mut() {
            Some(last) if quoted => {
                last.push(' ');
                last.push_str(word);
            }
            _ => out.push(word.to_owned()),
        }
        quoted ^= word.matches('"').count() % 2 == 1;
    }
    out
}

/// Breaks long lines of text at blanks; what is shown as it stands is left alone.
pub(crate) fn wrapped(page: &str) -> String {
    const WIDTH: usize = 79;
    let mut out = String::new();
    let mut verbatim = false;
    for line in page.lines() {
        match line.split(' ').next() {
            Some(".Bd") => verbatim = true,
            Some(".Ed") => verbatim = false,
            _ => {}
        }
        let mut rest = line;
        while !verbatim && !rest.starts_with('.') && rest.len() > WIDTH {
            let Some(at) = rest[..=WIDTH].rfind(' ') else { break };
            writeln!(out, "{}", &rest[..at]).unwrap();
            rest = &rest[at + 1..];
        }
        writeln!(out, "{rest}").unwrap();
    }
    out
}

/// Text that is neither a request nor an escape.
pub(crate) fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('…', "...");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

/// One argument of a macro.
pub(crate) fn argument(text: &str) -> String {
    let text = text.replace('\\', "\\e");
    match text.contains(' ') || text.is_empty() {
        true => format!("\"{text}\""),
        false => text,
    }
}
