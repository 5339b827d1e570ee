//! `docs/compatibility.md`, made of the rows that the tests of one `cargo test` wrote.

use crate::compare::Pair;
use c_tests::{Error, Linkage, Result, paths};
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

    /// Without the versions, which change with the distribution's updates.
    fn key(&self) -> Vec<&str> {
        let fields = self.0.iter().enumerate();
        fields.filter(|(n, _)| ![1, 3].contains(n)).map(|(_, field)| field.as_str()).collect()
    }
}

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
    let text = format!("{}\n{}\n", this_run()?, row.0.join(&SEPARATOR.to_string()));
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

/// The page.
pub fn render(rows: &[Row]) -> String {
    let mut page = HEAD.to_owned();
    for row in rows {
        let _ = writeln!(page, "| {} |", row.0.join(" | "));
    }
    page
}

/// Where the page is committed.
pub fn path() -> PathBuf {
    paths::workspace().join("docs/compatibility.md")
}

/// The rows of a page as [`render`] writes it.
pub fn parse(page: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = page
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| Row(line.split(" | ").map(str::to_owned).collect()))
        .collect();
    rows.sort();
    rows
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
        Row(["m", version, "Postfix", "3.7", exercised, "same"].map(str::to_owned).to_vec())
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
    }
}
