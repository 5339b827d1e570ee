//! What a table says of a metric, on the terminal and on the page.

use crate::numbers::{number, spread};
use crate::results::LoadResult;
use crate::subject::Subject;

/// The median of a subject's values.
pub(super) fn cell(load: &LoadResult, subject: Subject, metric: usize) -> String {
    spread(&load.values(subject, metric)).map_or("–".into(), |s| number(s.median))
}

/// Ratio of ours to another subject: median, then minimum and maximum.
pub(super) fn ratio_cell(load: &LoadResult, other: Subject, metric: usize) -> String {
    spread(&load.ratios(other, metric))
        .map_or("–".into(), |s| format!("{:.2} ({:.2}–{:.2})", s.median, s.min, s.max))
}
