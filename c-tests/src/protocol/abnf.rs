//! ABNF (RFC 5234, with the `%s""` of RFC 7405) over bytes.
//!
//! A rule matches a place in some bytes with all the places it may end at: no order of alternatives, no
//! greed. What is left out of the notation: `=/`, values in prose, `%b`.

use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Node {
    Rule(String),
    Any(Vec<Node>),
    Sequence(Vec<Node>),
    Repeat(usize, usize, Box<Node>),
    Range(u8, u8),
}

/// Rules by name.
#[derive(Clone, Debug, Default)]
pub struct Grammar {
    rules: BTreeMap<String, Node>,
}

impl Grammar {
    /// Reads rules; a line that begins with a blank goes on with the one before.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut texts: Vec<String> = Vec::new();
        for line in lines {
            let line = line.split("; ").next().unwrap_or_default().trim_end();
            match texts.last_mut() {
                _ if line.is_empty() => {}
                Some(last) if line.starts_with(' ') => last.push_str(line),
                _ => texts.push(line.to_owned()),
            }
        }
        let mut grammar = Self::default();
        for text in texts {
            let bad = |why: &str| Error(format!("{why} in the rule: {text}"));
            let (name, body) = text.split_once('=').ok_or_else(|| bad("no '='"))?;
            let mut parser = Parser { text: body.as_bytes(), at: 0 };
            let node = parser.alternation().map_err(|e| bad(&e.0))?;
            if parser.at < body.len() {
                return Err(bad(&format!("cannot read \"{}\"", &body[parser.at..])));
            }
            if grammar.rules.insert(name.trim().to_ascii_lowercase(), node).is_some() {
                return Err(bad("a second definition"));
            }
        }
        let known: BTreeSet<&String> = grammar.rules.keys().collect();
        for (name, used) in grammar.uses() {
            if !known.contains(&used) {
                return Err(Error(format!("rule {name} uses {used}, which is not defined")));
            }
        }
        Ok(grammar)
    }

    /// Names of all rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// Pairs of a rule and one it uses.
    pub fn uses(&self) -> Vec<(String, String)> {
        fn collect(node: &Node, out: &mut Vec<String>) {
            match node {
                Node::Rule(name) => out.push(name.clone()),
                Node::Any(nodes) | Node::Sequence(nodes) => {
                    nodes.iter().for_each(|node| collect(node, out));
                }
                Node::Repeat(_, _, node) => collect(node, out),
                Node::Range(..) => {}
            }
        }
        let mut pairs = Vec::new();
        for (name, node) in &self.rules {
            let mut used = Vec::new();
            collect(node, &mut used);
            pairs.extend(used.into_iter().map(|used| (name.clone(), used)));
        }
        pairs
    }

    /// Whether a rule matches all of some bytes.
    ///
    /// # Panics
    /// If there is no such rule.
    pub fn matches(&self, rule: &str, bytes: &[u8]) -> bool {
        assert!(self.rules.contains_key(rule), "no rule {rule}");
        self.ends(&Node::Rule(rule.into()), bytes, &BTreeSet::from([0])).contains(&bytes.len())
    }

    /// Where a node may end that begins at one of some places.
    fn ends(&self, node: &Node, bytes: &[u8], places: &BTreeSet<usize>) -> BTreeSet<usize> {
        match node {
            Node::Rule(name) => self.ends(&self.rules[name], bytes, places),
            Node::Any(nodes) => {
                nodes.iter().flat_map(|node| self.ends(node, bytes, places)).collect()
            }
            Node::Range(low, high) => {
                let fits = |at: &&usize| bytes.get(**at).is_some_and(|b| (low..=high).contains(&b));
                places.iter().filter(fits).map(|at| at + 1).collect()
            }
            Node::Sequence(nodes) => {
                nodes.iter().fold(places.clone(), |places, node| self.ends(node, bytes, &places))
            }
            Node::Repeat(least, most, node) => {
                let mut places = places.clone();
                for _ in 0..*least {
                    places = self.ends(node, bytes, &places);
                }
                let mut out = places.clone();
                for _ in *least..*most {
                    // What was reached with fewer repetitions leads nowhere new.
                    places = self.ends(node, bytes, &places);
                    places.retain(|place| out.insert(*place));
                    if places.is_empty() {
                        break;
                    }
                }
                out
            }
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &str {
        let start = self.at;
        while self.text.get(self.at).is_some_and(|byte| wanted(*byte)) {
            self.at += 1;
        }
        std::str::from_utf8(&self.text[start..self.at]).unwrap_or_default()
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Error(format!("no '{}'", char::from(byte)))),
        }
    }

    fn alternation(&mut self) -> Result<Node> {
        let mut nodes = vec![self.sequence()?];
        while self.peek() == Some(b'/') {
            self.at += 1;
            nodes.push(self.sequence()?);
        }
        Ok(Node::Any(nodes))
    }

    fn sequence(&mut self) -> Result<Node> {
        let mut nodes = Vec::new();
        while !matches!(self.peek(), None | Some(b'/' | b')' | b']')) {
            nodes.push(self.repetition()?);
        }
        if nodes.is_empty() {
            Err(Error("an empty part".into()))
        } else {
            Ok(Node::Sequence(nodes))
        }
    }

    fn repetition(&mut self) -> Result<Node> {
        let digits = self.take_while(|b| b.is_ascii_digit()).to_owned();
        let mut least = digits.parse().unwrap_or(0);
        let mut most = if digits.is_empty() { 1 } else { least };
        if self.text.get(self.at) == Some(&b'*') {
            self.at += 1;
            most = self.take_while(|b| b.is_ascii_digit()).parse().unwrap_or(usize::MAX);
        } else if digits.is_empty() {
            least = 1;
        }
        let node = self.element()?;
        Ok(if (least, most) == (1, 1) { node } else { Node::Repeat(least, most, Box::new(node)) })
    }

    fn element(&mut self) -> Result<Node> {
        match self.peek() {
            Some(open @ (b'(' | b'[')) => {
                self.at += 1;
                let inner = self.alternation()?;
                self.expect(if open == b'(' { b')' } else { b']' })?;
                Ok(if open == b'(' { inner } else { Node::Repeat(0, 1, Box::new(inner)) })
            }
            Some(b'%') => {
                self.at += 1;
                self.value()
            }
            Some(b'"') => self.text(false),
            Some(b) if b.is_ascii_alphabetic() => {
                let name = self.take_while(|b| b.is_ascii_alphanumeric() || b == b'-');
                Ok(Node::Rule(name.to_ascii_lowercase()))
            }
            _ => Err(Error("no element".into())),
        }
    }

    /// After `%`: `x41`, `x41-5A`, `x0D.0A`, `s"text"`.
    fn value(&mut self) -> Result<Node> {
        let kind = self.text.get(self.at).copied();
        self.at += 1;
        let radix = match kind {
            Some(b's') => return self.text(true),
            Some(b'x') => 16,
            Some(b'd') => 10,
            _ => return Err(Error("% without x, d or s".into())),
        };
        let number = |parser: &mut Self| {
            let digits = parser.take_while(|b| b.is_ascii_hexdigit());
            u8::from_str_radix(digits, radix).map_err(|_| Error(format!("no byte: {digits:?}")))
        };
        let first = number(self)?;
        let mut nodes = vec![Node::Range(first, first)];
        match self.text.get(self.at) {
            Some(b'-') => {
                self.at += 1;
                return Ok(Node::Range(first, number(self)?));
            }
            Some(b'.') => {
                while self.text.get(self.at) == Some(&b'.') {
                    self.at += 1;
                    let next = number(self)?;
                    nodes.push(Node::Range(next, next));
                }
            }
            _ => {}
        }
        Ok(Node::Sequence(nodes))
    }

    /// A text in quotes; its letters match in either case unless it is exact.
    fn text(&mut self, exact: bool) -> Result<Node> {
        self.expect(b'"')?;
        let text = self.take_while(|b| b != b'"').to_owned();
        self.expect(b'"')?;
        let letter = |byte: u8| match (byte.to_ascii_lowercase(), byte.to_ascii_uppercase()) {
            (low, high) if !exact && low != high => {
                Node::Any(vec![Node::Range(low, low), Node::Range(high, high)])
            }
            _ => Node::Range(byte, byte),
        };
        Ok(Node::Sequence(text.bytes().map(letter).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grammar(text: &str) -> Result<Grammar> {
        Grammar::parse(text.lines())
    }

    #[test]
    fn rules_match_as_in_the_rfc() {
        let text = "a = 1*2B [ \"x\" ] ; comment\n  / %s\"Zz\" %x00.0A\nB = %x30-39\n\
                    many = *( *%x61 NUL )\nNUL = %x00\nthree = 3B\n";
        let grammar = grammar(text).unwrap();
        for good in [&b"1"[..], b"12", b"12X", b"1x", b"Zz\0\n"] {
            assert!(grammar.matches("a", good), "{good:?}");
        }
        for bad in [&b""[..], b"123", b"x", b"zz\0\n", b"1xx", b"Zz\0"] {
            assert!(!grammar.matches("a", bad), "{bad:?}");
        }
        assert!(grammar.matches("many", b"aaa\0\0a\0") && grammar.matches("many", b""));
        assert!(!grammar.matches("many", b"aaa\0a"));
        assert!(grammar.matches("three", b"123") && !grammar.matches("three", b"12"));
    }

    #[test]
    fn what_is_no_grammar_is_refused() {
        for bad in ["a = b", "a = \"x\"\na = \"y\"", "a \"x\"", "a = ( \"x\"", "a = %q", "a = /"] {
            assert!(grammar(bad).is_err(), "{bad}");
        }
    }
}
