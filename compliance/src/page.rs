//! `docs/compatibility.md`: what the tests have shown on each release, made of their rows.

use crate::row::{PLAYED, Row};
use c_tests::paths;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

const HEAD: &str = include_str!("page_head.md");

/// Heads the versions; a column for each release follows.
const PROGRAM: &str = "Program";

/// What a release does not have.
const NONE: &str = "not in it";

/// Begins a table of claims.
const TABLE: &str = "\
| Milter | MTA | What was exercised | Result |
|---|---|---|---|
";

/// Parts several MTAs in one line of the page.
const AND: &str = "; ";

/// Before the releases, if what a line claims was shown on some of them.
const ONLY: &str = "; only ";

/// Parts these releases.
const AS_WELL_AS: &str = " and ";

/// The claims of the page, each with the releases it was shown on, such as `Debian 12`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// By program, then release.
    versions: BTreeMap<String, BTreeMap<String, String>>,
    claims: BTreeMap<Claim, BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    milter: String,
    exercised: String,
    mta: String,
    result: String,
}

impl Claim {
    fn of(Row(fields): &Row) -> Self {
        let [milter, _, mta, mta_version, exercised, result] = &fields[..] else {
            panic!("not a row: {fields:?}");
        };
        let mta = match mta_version.contains(PLAYED) {
            true => format!("{mta} {mta_version}"),
            false => mta.clone(),
        };
        let (milter, exercised, result) = (milter.clone(), exercised.clone(), result.clone());
        Self { milter, exercised, mta, result }
    }

    fn text(&self) -> String {
        let Self { milter, exercised, mta, result } = self;
        format!("{milter} | {mta} | {exercised} | {result}")
    }
}

impl Page {
    /// A page as [`Page::render`] writes it.
    pub fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let mut releases: Vec<&str> = Vec::new();
        let lines = text.lines().filter(|line| !TABLE.contains(line));
        let cells = lines.filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        for cells in cells.map(|cells| cells.split(" | ").collect::<Vec<_>>()) {
            // No claim is above the table of versions.
            if cells[0] == PROGRAM {
                releases = cells[1..].to_vec();
            } else if page.claims.is_empty() && cells.len() == releases.len() + 1 {
                let known =
                    releases.iter().zip(&cells[1..]).filter(|(_, version)| **version != NONE);
                let known =
                    known.map(|(release, version)| (release.to_string(), version.to_string()));
                page.versions.insert(cells[0].to_owned(), known.collect());
            } else if let [milter, mtas, exercised, result] = cells[..] {
                let (result, shown_on) = match result.split_once(ONLY) {
                    Some((result, only)) => (result, only.split(AS_WELL_AS).collect()),
                    None => (result, releases.clone()),
                };
                for mta in mtas.split(AND) {
                    let [milter, exercised, mta, result] =
                        [milter, exercised, mta, result].map(str::to_owned);
                    let shown_on = shown_on.iter().map(|release| release.to_string()).collect();
                    page.claims.insert(Claim { milter, exercised, mta, result }, shown_on);
                }
            }
        }
        page
    }

    /// Whether the page says anything of a release.
    pub fn covers(&self, release: &str) -> bool {
        self.versions.values().any(|versions| versions.contains_key(release))
    }

    /// Takes what was said of a release from the page.
    pub fn forget(&mut self, release: &str) {
        for versions in self.versions.values_mut() {
            versions.remove(release);
        }
        for shown_on in self.claims.values_mut() {
            shown_on.remove(release);
        }
        self.versions.retain(|_, versions| !versions.is_empty());
        self.claims.retain(|_, shown_on| !shown_on.is_empty());
    }

    /// Puts what ran on a release in the place of its like, with the version of the reference.
    pub fn put(&mut self, release: &str, reference: &str, rows: &[Row]) {
        let mut set = |program: &str, version: &str| {
            let versions = self.versions.entry(program.to_owned()).or_default();
            versions.insert(release.to_owned(), version.to_owned());
        };
        set(REFERENCE, reference);
        for Row(fields) in rows {
            for [program, version] in [[&fields[0], &fields[1]], [&fields[2], &fields[3]]] {
                if version != "-" && !version.contains(PLAYED) {
                    set(program, version);
                }
            }
        }
        for claim in rows.iter().map(Claim::of) {
            let like = |other: &Claim| {
                let key = |claim: &Claim| {
                    [&claim.milter, &claim.exercised, &claim.mta].map(String::clone)
                };
                key(other) == key(&claim)
            };
            for (other, shown_on) in &mut self.claims {
                if like(other) {
                    shown_on.remove(release);
                }
            }
            self.claims.entry(claim).or_default().insert(release.to_owned());
        }
        self.claims.retain(|_, shown_on| !shown_on.is_empty());
    }

    /// The text: packaged milters, then those of this repository; what differs in the MTA only is one
    /// line.
    pub fn render(&self) -> String {
        let releases: BTreeSet<&str> =
            self.versions.values().flat_map(BTreeMap::keys).map(String::as_str).collect();
        let mut text = HEAD.to_owned();
        let _ = write!(text, "\n## Versions\n\n| {PROGRAM} |");
        releases.iter().for_each(|release| text += &format!(" {release} |"));
        text += &format!("\n|---|{}\n", "---|".repeat(releases.len()));
        for (program, versions) in &self.versions {
            text += &format!("| {program} |");
            for &release in &releases {
                text += &format!(" {} |", versions.get(release).map_or(NONE, String::as_str));
            }
            text.push('\n');
        }
        for (title, packaged) in
            [("Milters of the distribution", true), ("Filters in C of this repository", false)]
        {
            let _ = write!(text, "\n## {title}\n\n{TABLE}");
            let mut lines: BTreeMap<[&str; 3], Vec<&str>> = BTreeMap::new();
            let results: Vec<(&Claim, String)> = self
                .claims
                .iter()
                .filter(|(claim, _)| self.versions.contains_key(&claim.milter) == packaged)
                .map(|(claim, shown_on)| {
                    let shown_on: Vec<&str> = shown_on.iter().map(String::as_str).collect();
                    let only = match shown_on.len() == releases.len() {
                        true => String::new(),
                        false => format!("{ONLY}{}", shown_on.join(AS_WELL_AS)),
                    };
                    (claim, format!("{}{only}", claim.result))
                })
                .collect();
            for (claim, result) in &results {
                let line = [claim.milter.as_str(), claim.exercised.as_str(), result];
                lines.entry(line).or_default().push(&claim.mta);
            }
            for ([milter, exercised, result], mtas) in lines {
                let mtas = mtas.join(AND);
                let _ = writeln!(text, "| {milter} | {mtas} | {exercised} | {result} |");
            }
        }
        text
    }
}

/// The library that ours is compared with, among the programs.
const REFERENCE: &str = "libmilter1.0.1";

/// Where the page is committed.
pub fn path() -> PathBuf {
    paths::workspace().join("docs/compatibility.md")
}

/// What is wrong with what the committed page says of a release: claims that did not run, and claims
/// that it lacks.
///
/// Versions may differ: a security update of the distribution is no fault of the page.
pub fn complaints(committed: &str, release: &str, rows: &[Row]) -> Vec<String> {
    let page = Page::parse(committed);
    let ran: BTreeSet<Claim> = rows.iter().map(Claim::of).collect();
    let claimed: BTreeSet<&Claim> = page
        .claims
        .iter()
        .filter(|(_, shown_on)| shown_on.contains(release))
        .map(|(claim, _)| claim)
        .collect();
    let not_run = claimed.iter().filter(|claim| !ran.contains(**claim));
    let mut found: Vec<String> = not_run
        .map(|claim| format!("claimed, but did not run or failed: {}", claim.text()))
        .collect();
    let lacking = ran.iter().filter(|claim| !claimed.contains(claim));
    found.extend(lacking.map(|claim| format!("ran, but is not on the page: {}", claim.text())));
    if !committed.starts_with(HEAD) {
        found.push("its text is not that of compliance/src/page_head.md".to_owned());
    } else if page.render() != committed {
        found.push("it is not laid out as the tests write it".to_owned());
    }
    found
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
