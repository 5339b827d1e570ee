//! What `libmilter.h` declares, with the comments.

/// A function, or a member of `struct smfiDesc` that points to one.
#[derive(Debug, Clone)]
pub(crate) struct Declaration {
    pub(crate) name: String,
    /// Result type with its stars, such as `char *`.
    pub(crate) result: String,
    /// Each with type and name, such as `SMFICTX *ctx`, or `...`.
    pub(crate) parameters: Vec<String>,
    /// First paragraph of the comment, on one line.
    pub(crate) summary: String,
    /// The other paragraphs, each on one line.
    pub(crate) paragraphs: Vec<String>,
}

impl Declaration {
    /// Names of the parameters.
    pub(crate) fn names(&self) -> Vec<&str> {
        let of = |text: &'_ String| -> usize {
            text.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1)
        };
        self.parameters.iter().map(|p| &p[of(p)..]).filter(|name| !name.is_empty()).collect()
    }
}

/// All functions and function pointers of the header, in its order.
pub(crate) fn declarations(header: &str) -> Vec<Declaration> {
    let mut found = Vec::new();
    for part in header.split("/**").skip(1) {
        let Some((comment, code)) = part.split_once("*/") else { continue };
        let code = code.split(';').next().unwrap_or_default();
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((before, after)) = code.split_once('(') else { continue };
        // `result (*name)(parameters` or `extern result name(parameters`
        let (result, name, parameters) = match after.strip_prefix('*') {
            Some(pointer) => {
                let Some((name, parameters)) = pointer.split_once(")(") else { continue };
                (before, name, parameters)
            }
            None => {
                let at = before.rfind([' ', '*']).map_or(0, |at| at + 1);
                (&before[..at], &before[at..], after)
            }
        };
        let parameters = parameters.trim_end_matches(')');
        let mut paragraphs = paragraphs(comment);
        assert!(!paragraphs.is_empty(), "{name} has no comment");
        let summary = paragraphs.remove(0);
        found.push(Declaration {
            name: name.trim().to_owned(),
            result: result.trim().trim_start_matches("extern ").to_owned(),
            parameters: parameters
                .split(", ")
                .filter(|parameter| *parameter != "void")
                .map(str::to_owned)
                .collect(),
            summary,
            paragraphs,
        });
    }
    found
}

fn paragraphs(comment: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for line in comment.lines() {
        let line = line.trim().trim_start_matches('*').trim();
        match out.last_mut() {
            Some(last) if !line.is_empty() => {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
            _ => out.push(String::new()),
        }
    }
    out.retain(|paragraph| !paragraph.is_empty());
    out
}

/// Cuts a text into sentences; a stop inside quotes, as in `"4.0.0"`, is none.
pub(crate) fn sentences(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(". ") {
        out.push(rest[..=at].to_owned());
        rest = &rest[at + 2..];
    }
    if !rest.is_empty() {
        out.push(rest.to_owned());
    }
    out
}
