//! `docs/compatibility.md`, made of the rows that the tests of one `cargo test` wrote.

use crate::pair::Pair;
use c_tests::{Error, Linkage, Result, paths};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// A line of the page's table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(Vec<String>);

/// What parts the fields of a row in its file.
const SEPARATOR: char = '\t';

impl Row {
    /// The row of a pair whose runs were all the same.
    pub fn of(pair: &Pair<'_>) -> Self {
        let ways: Vec<&str> = pair.libraries.iter().map(|&linkage| way(linkage)).collect();
        let mut result = format!("same ({})", ways.join(", "));
        if !pair.differences.is_empty() {
            let _ = write!(result, "; but {}", pair.differences.join(", "));
        }
        let fields = [
            pair.milter,
            &pair.milter_version,
            pair.mta,
            &pair.mta_version,
            pair.exercised,
            &result,
        ];
        for field in fields {
            assert!(!field.contains([SEPARATOR, '\n', '|']), "not for a table: {field:?}");
        }
        Self(fields.iter().map(|&field| field.to_owned()).collect())
    }

    /// Without the versions of packages, which change with the distribution's updates.
    fn key(&self) -> Vec<&str> {
        let volatile = |n: usize| n == 1 || (n == 3 && !self.0[n].contains(PLAYED));
        let fields = self.0.iter().enumerate();
        fields.filter(|(n, _)| !volatile(*n)).map(|(_, field)| field.as_str()).collect()
    }
}

/// In the version of an MTA that no package is of.
pub const PLAYED: &str = "played";

fn way(linkage: Linkage) -> &'static str {
    match linkage {
        Linkage::OursDynamic => "by path",
        Linkage::OursPreload => "preloaded",
        Linkage::OursStatic => "linked in",
        Linkage::ReferenceDynamic | Linkage::ReferenceStatic => "reference",
    }
}

/// What tells one `cargo test` from the next: the process that runs the test programs.
fn this_run() -> Result<String> {
    let parent = std::os::unix::process::parent_id();
    let path = format!("/proc/{parent}/stat");
    let stat = fs::read_to_string(&path).map_err(|e| Error::new(&path, e))?;
    // Field 22 is when it started; the second is the program's name and may hold blanks.
    let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19));
    Ok(format!("{parent}-{}", started.unwrap_or_default()))
}

fn rows_dir() -> Result<PathBuf> {
    paths::work_dir("rows")
}

/// Writes a row for the page.
pub fn record(row: &Row) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    row.key().hash(&mut hasher);
    let path = rows_dir()?.join(format!("{:016x}", hasher.finish()));
    let run = this_run()?;
    if fs::read_to_string(&path).is_ok_and(|old| old.starts_with(&format!("{run}\n"))) {
        return Err(Error(format!("two tests claim the same row: {}", row.0.join(" | "))));
    }
    let text = format!("{run}\n{}\n", row.0.join(&SEPARATOR.to_string()));
    // Whole or not at all.
    let partial = path.with_extension("partial");
    fs::write(&partial, text).map_err(|e| Error::new(partial.display(), e))?;
    fs::rename(&partial, &path).map_err(|e| Error::new(path.display(), e))
}

/// The rows that test programs of this very `cargo test` wrote.
pub fn recorded() -> Result<Vec<Row>> {
    let run = this_run()?;
    let dir = rows_dir()?;
    let mut rows = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|e| Error::new(dir.display(), e))?.flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if let Some((stamp, row)) = text.trim_end().split_once('\n')
            && stamp == run
        {
            rows.push(Row(row.split(SEPARATOR).map(str::to_owned).collect()));
        }
    }
    rows.sort();
    Ok(rows)
}

const HEAD: &str = include_str!("page_head.md");

/// Begins a table.
const TABLE: &str = "\
| Milter | Version | MTA | Version | What was exercised | Result |
|---|---|---|---|---|---|
";

/// Parts several MTAs, and their versions, in one line of the page.
const AND: &str = "; ";

/// The page: packaged milters, then those of this repository; what differs in the MTA only is one line.
pub fn render(rows: &[Row]) -> String {
    let mut page = HEAD.to_owned();
    for (title, packaged) in
        [("Milters of the distribution", true), ("Filters in C of this repository", false)]
    {
        let _ = write!(page, "\n## {title}\n\n{TABLE}");
        let mut lines: BTreeMap<[&str; 4], Vec<(&str, &str)>> = BTreeMap::new();
        for Row(fields) in rows.iter().filter(|row| (row.0[1] != "-") == packaged) {
            let line = [0, 1, 4, 5].map(|n: usize| fields[n].as_str());
            lines.entry(line).or_default().push((&fields[2], &fields[3]));
        }
        for ([milter, version, exercised, result], mut mtas) in lines {
            mtas.sort_unstable();
            let (names, versions): (Vec<&str>, Vec<&str>) = mtas.into_iter().unzip();
            let (names, versions) = (names.join(AND), versions.join(AND));
            let _ = writeln!(
                page,
                "| {milter} | {version} | {names} | {versions} | {exercised} | {result} |"
            );
        }
    }
    page
}

/// Where the page is committed.
pub fn path() -> PathBuf {
    paths::workspace().join("docs/compatibility.md")
}

/// The rows of a page as [`render`] writes it.
pub fn parse(page: &str) -> Vec<Row> {
    let lines = page.lines().filter(|line| !TABLE.contains(line));
    let cells = lines.filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let mut rows = Vec::new();
    for cells in cells.map(|cells| cells.split(" | ").collect::<Vec<_>>()) {
        let [milter, version, names, versions, exercised, result] = cells[..] else {
            continue;
        };
        for (name, mta_version) in names.split(AND).zip(versions.split(AND)) {
            let fields = [milter, version, name, mta_version, exercised, result];
            rows.push(Row(fields.map(str::to_owned).to_vec()));
        }
    }
    rows.sort();
    rows
}

/// The rows of a page with those of a run of some tests in the place of their like.
pub fn merged(committed: &str, rows: &[Row]) -> Vec<Row> {
    let mut all: Vec<Row> = parse(committed);
    all.retain(|old| rows.iter().all(|row| row.key() != old.key()));
    all.extend_from_slice(rows);
    all.sort();
    all
}

/// What is wrong with the committed page: rows that did not run, and rows that it lacks.
///
/// Versions may differ: a security update of the distribution is no fault of the page.
pub fn complaints(committed: &str, rows: &[Row]) -> Vec<String> {
    let claimed = parse(committed);
    let has = |rows: &[Row], row: &Row| rows.iter().any(|other| other.key() == row.key());
    let not_run = claimed.iter().filter(|row| !has(rows, row));
    let mut found: Vec<String> = not_run
        .map(|row| format!("claimed, but did not run or failed: {}", row.0.join(" | ")))
        .collect();
    let lacking = rows.iter().filter(|row| !has(&claimed, row));
    found.extend(lacking.map(|row| format!("ran, but is not on the page: {}", row.0.join(" | "))));
    if !committed.starts_with(HEAD) {
        found.push("its text is not that of compliance/src/page_head.md".to_owned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(exercised: &str, version: &str) -> Row {
        row_with("Postfix", exercised, version)
    }

    fn row_with(mta: &str, exercised: &str, version: &str) -> Row {
        Row(["m", version, mta, "3.7", exercised, "same"].map(str::to_owned).to_vec())
    }

    #[test]
    fn what_differs_in_the_mta_only_is_one_line() {
        let mut rows = vec![row("one", "1"), row_with("sendmail", "one", "1"), row("own", "-")];
        rows.sort();
        let page = render(&rows);
        let (packaged, own) = page.split_once("## Filters in C").unwrap();
        assert!(
            packaged.contains("| m | 1 | Postfix; sendmail | 3.7; 3.7 | one | same |\n"),
            "{page}"
        );
        assert!(own.contains("| m | - | Postfix | 3.7 | own | same |\n"), "{page}");
        assert_eq!(parse(&page), rows);
    }

    #[test]
    fn a_page_holds_what_ran_and_nothing_else() {
        let rows = [row("one", "1"), row("two", "1")];
        let page = render(&rows);
        assert_eq!(parse(&page), rows);
        assert_eq!(complaints(&page, &rows), Vec::<String>::new());
        assert_eq!(complaints(&page, &[row("one", "2"), row("two", "1")]), Vec::<String>::new());
        assert_eq!(
            complaints(&page, &rows[1..]),
            ["claimed, but did not run or failed: m | 1 | Postfix | 3.7 | one | same"]
        );
        assert_eq!(
            complaints(&render(&rows[..1]), &rows),
            ["ran, but is not on the page: m | 1 | Postfix | 3.7 | two | same"]
        );
        assert_eq!(complaints(&page[1..], &rows).len(), 1);
        let updated = render(&rows).replace("3.7", "3.8");
        assert_eq!(complaints(&updated, &rows), Vec::<String>::new());
        let played = render(&rows).replace("3.7", "3.7 played");
        assert_eq!(complaints(&played, &rows).len(), 4);
        let newer = [row("one", "2"), row("three", "1")];
        assert_eq!(merged(&page, &newer), [row("three", "1"), row("two", "1"), row("one", "2")]);
    }
}
