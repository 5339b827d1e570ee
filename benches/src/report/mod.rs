//! What becomes of the figures: a table on the terminal, raw figures as JSON, a page with a chart.

mod cell;
mod chart;
mod json;
mod page;
mod terminal;

pub use terminal::text;

use crate::results::Results;
use c_tests::{Error, Result, paths};
use std::fs;
use std::path::{Path, PathBuf};

/// Keeps the raw figures and the chart below the target directory; the file of the figures.
pub fn save(results: &Results) -> Result<PathBuf> {
    let dir = paths::target()?.join("bench");
    let file = dir.join(format!("{}.json", results.machine.time));
    write(&file, &json::document(results))?;
    write(&dir.join("chart.svg"), &chart::svg(results))?;
    Ok(file)
}

/// Puts the figures into the documentation.
pub fn publish(results: &Results) -> Result<()> {
    let docs = paths::workspace().join("docs");
    write(&docs.join("performance/raw.json"), &json::document(results))?;
    write(&docs.join("performance/chart.svg"), &chart::svg(results))?;
    let page = docs.join("performance.md");
    let old = fs::read_to_string(&page).map_err(|e| Error::new(page.display(), e))?;
    write(&page, &page::update(&old, results)?)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|e| Error::new(dir.display(), e))?;
    }
    fs::write(path, text).map_err(|e| Error::new(path.display(), e))
}
