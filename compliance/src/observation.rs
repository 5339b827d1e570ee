//! What one run showed, as sections of text lines in which only what matters can differ.

use regex_lite::{Captures, Regex};
use similar::TextDiff;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// What one run showed; the same for both libraries, or the libraries differ.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    sections: Vec<(String, Vec<String>)>,
    literals: Vec<(String, String)>,
    patterns: Vec<(Regex, String)>,
    expected: Vec<(String, String)>,
}

impl Observation {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `name` for a text that is different in each run, such as a port or a directory.
    pub fn hide(&mut self, text: impl Into<String>, name: impl Into<String>) {
        self.literals.push((text.into(), name.into()));
    }

    /// Writes `name` for what matches a regular expression, such as a signature of the time.
    ///
    /// # Panics
    /// If the expression is none.
    pub fn mask(&mut self, pattern: &str, name: &str) {
        self.patterns.push((Regex::new(pattern).expect("a constant pattern"), name.to_owned()));
    }

    /// Adds a section.
    pub fn section<L: Into<String>>(
        &mut self,
        title: impl Into<String>,
        lines: impl IntoIterator<Item = L>,
    ) {
        self.sections.push((title.into(), lines.into_iter().map(Into::into).collect()));
    }

    /// Lines of the section of this title as they were observed.
    pub fn lines(&self, title: &str) -> &[String] {
        let found = self.sections.iter().find(|(t, _)| t == title);
        found.map_or(&[], |(_, lines)| lines)
    }

    /// Fails the test unless some line of the section contains the text: a run that shows nothing
    /// of what it is about would be the same with any library.
    ///
    /// [`crate::compare()`] looks at it, with the reference, after it has compared.
    pub fn expect(&mut self, title: &str, text: &str) {
        self.expected.push((title.to_owned(), text.to_owned()));
    }

    /// What was expected and is not there.
    pub fn unmet(&self) -> Vec<String> {
        let is_met = |(title, text): &&(String, String)| {
            self.lines(title).iter().any(|line| line.contains(text))
        };
        let unmet = self.expected.iter().filter(|expected| !is_met(expected));
        unmet.map(|(title, text)| format!("no `{text}` in section {title}")).collect()
    }

    /// All sections, volatile parts replaced.
    pub fn normalised(&self) -> String {
        let mut text = String::new();
        for (title, lines) in &self.sections {
            text += &format!("== {title}\n");
            for line in lines {
                text += &format!("{line}\n");
            }
        }
        // Longer texts first: a port may be part of a socket's specification.
        let mut literals = self.literals.clone();
        literals.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        for (from, to) in &literals {
            text = text.replace(from, to);
        }
        for (pattern, to) in &self.patterns {
            text = pattern.replace_all(&text, to.as_str()).into_owned();
        }
        replace_volatile(&text)
    }

    /// A diff of two observations that are not the same.
    pub fn difference(&self, other: &Self, names: (&str, &str)) -> Option<String> {
        let (a, b) = (self.normalised(), other.normalised());
        (a != b).then(|| {
            let diff = TextDiff::from_lines(&a, &b);
            diff.unified_diff().context_radius(6).header(names.0, names.1).to_string()
        })
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalised())
    }
}

/// What replaces the volatile parts; queue ids are numbered after that.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        // "Fri, 21 Nov 2025 03:40:23 +0000 (UTC)" in headers.
        (
            r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), +\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (GMT|[-+]\d{4}( \([A-Z]+\))?)",
            "DATE",
        ),
        // The Message-Ids that sendmail makes begin with the time: <202511210340.5AL3eNxx012345@...>.
        (r"<\d{12}\.", "<TIME."),
        (r"\blocalhost \[127\.0\.0\.1\]:\d+", "localhost [127.0.0.1]:PORT"),
        // MIME boundaries of bounces have the time in them.
        (r"\.\d{10}/mx\.test\.example", ".TIME/mx.test.example"),
        // What sendmail logs of a filter's haste: seconds.
        (r"(time command \(.\), )\d+", "${1}SECONDS"),
        (r"\b([a-z_]+)\[\d+\]", "$1[PID]"),
    ]
    .map(|(pattern, to)| (Regex::new(pattern).expect("a constant pattern"), to))
    .into()
});

/// Postfix, told to use its long ones: 4dKBtF2bHHz1Fq9, which are seconds and microseconds, a `z` and
/// an inode in consonants and digits; sendmail: 5AL3eNxx012345. The letters and digits of either are
/// a matter of the clock, so it is by length and place that they are known.
static QUEUE_ID: LazyLock<Regex> = LazyLock::new(|| {
    let long = "[4-9][0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{9}z[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-y]+";
    Regex::new(&format!(r"\b({long}|[0-9A-Za-x]{{8}}[0-9]{{6}})\b")).expect("a constant pattern")
});

/// Dates, queue ids, process ids and client ports, by what they look like.
pub fn replace_volatile(text: &str) -> String {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut replaced = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        // There is a digit in all of them, and in few lines of a body.
        if !line.bytes().any(|byte| byte.is_ascii_digit()) {
            replaced.push_str(line);
            continue;
        }
        let mut line = Cow::Borrowed(line);
        for (pattern, to) in PATTERNS.iter() {
            if pattern.is_match(&line) {
                line = pattern.replace_all(&line, *to).into_owned().into();
            }
        }
        replaced += &QUEUE_ID.replace_all(&line, |found: &Captures<'_>| {
            let id = &found[0];
            let next = seen.len() + 1;
            format!("QUEUEID{}", seen.entry(id.to_owned()).or_insert(next))
        });
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_volatile_becomes_equal() {
        let postfix = "Received: by mx (Postfix) with ESMTP id 4dKBtF2bHHz1Fq9; Fri, 21 Nov 2025 03:40:23 +0000 (UTC)\nMessage-Id: <4dKBtF2bHHz1Fq9@mx>\npostfix/smtpd[77]: 4dKBtF2bJ3z2";
        assert_eq!(
            replace_volatile(postfix),
            "Received: by mx (Postfix) with ESMTP id QUEUEID1; DATE\nMessage-Id: <QUEUEID1@mx>\npostfix/smtpd[PID]: QUEUEID2"
        );
        // Whatever the time: digits only, no digit but the first.
        assert_eq!(replace_volatile("id 4012345678z9 4dKBtFbbHHzFq"), "id QUEUEID1 QUEUEID2");
        assert_eq!(replace_volatile("id 61053012012345 610shbaa012345"), "id QUEUEID1 QUEUEID2");
        let id = "Message-Id: <202511210340.5AL3eNxx012345@mx>";
        assert_eq!(replace_volatile(id), "Message-Id: <TIME.QUEUEID1@mx>");
        let sendmail = "250 2.0.0 5AL3eNab012345 Message accepted; 200000 bytes, 1234567890 left";
        assert_eq!(
            replace_volatile(sendmail),
            "250 2.0.0 QUEUEID1 Message accepted; 200000 bytes, 1234567890 left"
        );
    }

    /// The suite is worth what this comparison is worth.
    #[test]
    fn every_other_difference_shows() {
        let one = |reply: &str| {
            let mut seen = Observation::new();
            seen.hide("10025", "PORT");
            seen.section("SMTP", ["DATA", reply]);
            seen
        };
        assert_eq!(
            one("250 Ok 4dKBtF2bHHz1").difference(&one("250 Ok 4dKBtF2bHHz2"), ("a", "b")),
            None
        );
        assert_eq!(one("250 Ok 10025").difference(&one("250 Ok PORT"), ("a", "b")), None);
        let diff = one("250 Ok").difference(&one("550 No"), ("a", "b")).unwrap();
        assert!(diff.contains("-250 Ok\n+550 No\n"), "{diff}");
        assert!(one("").difference(&Observation::new(), ("a", "b")).is_some());
    }

    #[test]
    fn what_was_expected_and_did_not_happen_is_told() {
        let mut seen = Observation::new();
        seen.section("SMTP", ["250 Ok"]);
        seen.expect("SMTP", "250");
        assert_eq!(seen.unmet(), Vec::<String>::new());
        seen.expect("SMTP", "550");
        seen.expect("delivered", "");
        assert_eq!(seen.unmet(), ["no `550` in section SMTP", "no `` in section delivered"]);
    }
}
