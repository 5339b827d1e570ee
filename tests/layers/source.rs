//! What one Rust file declares and names. Items of `#[cfg(test)]` are left out.

use crate::text::{code, is_name, tokens};
use std::collections::BTreeSet;

/// A `mod` declaration.
#[derive(Debug)]
pub(crate) struct Child {
    /// Inline modules that it stands in.
    pub(crate) scope: Vec<String>,
    pub(crate) name: String,
    /// What `#[path]` says.
    pub(crate) path: Option<String>,
    /// Has its code in braces, not in a file of its own.
    pub(crate) inline: bool,
    /// For tests only.
    pub(crate) test: bool,
}

/// A path of two names or more, or what a `use` names.
#[derive(Debug)]
pub(crate) struct Reference {
    /// Inline modules that it stands in.
    pub(crate) scope: Vec<String>,
    pub(crate) segments: Vec<String>,
    /// The name that a `use` binds; `*` for all.
    pub(crate) binds: Option<String>,
    /// A `pub use`, which may only hand on what belongs to somebody else.
    pub(crate) public: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) children: Vec<Child>,
    pub(crate) references: Vec<Reference>,
    /// All names in code outside of `use` and `mod`.
    pub(crate) names: BTreeSet<String>,
}

/// Reads a file.
pub(crate) fn read(text: &str) -> Source {
    let code = code(text);
    let mut reader = Reader { tokens: tokens(&code), ..Reader::default() };
    reader.read();
    reader.source
}

#[derive(Default)]
struct Reader<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    depth: usize,
    /// Inline modules around, each with the depth of its braces.
    scope: Vec<(String, usize)>,
    /// Of the attributes before the next item.
    path: Option<String>,
    test: bool,
    source: Source,
}

impl<'a> Reader<'a> {
    fn token(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).copied().unwrap_or_default()
    }

    fn scope(&self) -> Vec<String> {
        self.scope.iter().map(|(name, _)| name.clone()).collect()
    }

    fn read(&mut self) {
        while self.at < self.tokens.len() {
            match self.token(0) {
                "#" if self.token(1) == "[" => {
                    self.attribute();
                    continue;
                }
                // What attributes say holds for the item behind.
                "pub" => {
                    self.at += 1;
                    if self.token(0) == "(" {
                        self.skip_group();
                    }
                    continue;
                }
                "mod" if is_name(self.token(1)) => self.module(),
                _ if self.test => self.skip_item(),
                "use" if is_name(self.token(1)) || self.token(1) == "{" => self.import(),
                "{" => {
                    self.depth += 1;
                    self.at += 1;
                }
                "}" => {
                    self.depth = self.depth.saturating_sub(1);
                    self.scope.retain(|(_, depth)| *depth <= self.depth);
                    self.at += 1;
                }
                token if is_name(token) => self.path(),
                _ => self.at += 1,
            }
            self.path = None;
            self.test = false;
        }
    }

    fn attribute(&mut self) {
        let begin = self.at;
        self.at += 1;
        self.skip_group();
        let words = &self.tokens[begin + 2..self.at - 1];
        match words {
            ["cfg", inside @ ..] if inside.contains(&"test") && !inside.contains(&"not") => {
                self.test = true;
            }
            ["path", "=", path] => self.path = Some(path.trim_matches('"').to_owned()),
            _ => {}
        }
    }

    /// From an opening bracket to behind the one that closes it.
    fn skip_group(&mut self) {
        let mut depth = 0;
        while self.at < self.tokens.len() {
            match self.token(0) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// An item ends with its braces or a semicolon; a field, a variant or an arm with a comma.
    fn skip_item(&mut self) {
        const ITEMS: [&str; 12] = [
            "fn", "use", "struct", "enum", "impl", "const", "static", "type", "trait", "unsafe",
            "let", "extern",
        ];
        let item = ITEMS.contains(&self.token(0));
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" => return self.skip_group(),
                "(" | "[" => self.skip_group(),
                ";" => {
                    self.at += 1;
                    break;
                }
                "," if !item => break,
                "}" => break,
                _ => self.at += 1,
            }
        }
    }

    fn module(&mut self) {
        let (name, inline) = (self.token(1).to_owned(), self.token(2) == "{");
        if !inline && self.token(2) != ";" {
            self.at += 1;
            return;
        }
        let (scope, path, test) = (self.scope(), self.path.take(), self.test);
        self.source.children.push(Child { scope, name: name.clone(), path, inline, test });
        self.at += 2;
        match (inline, test) {
            (true, true) => self.skip_group(),
            (true, false) => {
                self.depth += 1;
                self.scope.push((name, self.depth));
                self.at += 1;
            }
            (false, _) => self.at += 1,
        }
    }

    fn import(&mut self) {
        let public = self.at.checked_sub(1).is_some_and(|before| {
            // `pub` or `pub(crate)`.
            ["pub", ")"].contains(&self.tokens[before])
        });
        self.at += 1;
        self.import_tree(&[], public);
    }

    /// One path of a `use` with what hangs on it, to before the comma, brace or semicolon behind.
    fn import_tree(&mut self, prefix: &[String], public: bool) {
        let mut segments = prefix.to_vec();
        let mut binds = None;
        loop {
            match self.token(0) {
                "{" => {
                    self.at += 1;
                    while !["}", ""].contains(&self.token(0)) {
                        self.import_tree(&segments, public);
                        if self.token(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "*" => binds = Some("*".to_owned()),
                "self" if segments.len() > prefix.len() || !prefix.is_empty() => {}
                "as" => {
                    binds = Some(self.token(1).to_owned());
                    self.at += 1;
                }
                "::" => {}
                token if is_name(token) => segments.push(token.to_owned()),
                _ => break,
            }
            self.at += 1;
        }
        let binds = binds.or_else(|| segments.last().cloned());
        self.source.references.push(Reference { scope: self.scope(), segments, binds, public });
    }

    /// Names with `::` between them; what hangs on a type or a value is not looked up.
    fn path(&mut self) {
        let after = self.at.checked_sub(1).map(|before| self.tokens[before]);
        let mut segments = vec![self.token(0).to_owned()];
        self.source.names.insert(self.token(0).to_owned());
        self.at += 1;
        while self.token(0) == "::" && is_name(self.token(1)) {
            segments.push(self.token(1).to_owned());
            self.source.names.insert(self.token(1).to_owned());
            self.at += 2;
        }
        if segments.len() > 1 && !matches!(after, Some("::" | ".")) {
            let reference = Reference { scope: self.scope(), segments, binds: None, public: false };
            self.source.references.push(reference);
        }
    }
}
