//! Rows for the compatibility page, which the tests of one `cargo test` write.

use crate::pair::Pair;
use c_tests::{Error, Linkage, Result, paths};
use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

/// What one pair showed: a claim of the page, with the versions it was shown with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row(pub(crate) Vec<String>);

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
pub(crate) const PLAYED: &str = "played";

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
