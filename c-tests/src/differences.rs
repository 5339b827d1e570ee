//! Entries of `docs/differences.md`: each way in which our library is not the reference.
//!
//! An entry is a heading `### D4 · one sentence`. Tests name it where they see the difference, and
//! fail there if they do not; an entry that no test names is stale.

use crate::error::{Error, Result};
use crate::paths;
use std::collections::BTreeSet;
use std::fmt::Debug;

/// The ids of all entries, such as `D4` or `X1`.
pub fn entries() -> Result<BTreeSet<String>> {
    let path = paths::workspace().join("docs/differences.md");
    let text = std::fs::read_to_string(&path).map_err(|e| Error::new(path.display(), e))?;
    let mut ids = BTreeSet::new();
    for line in text.lines() {
        let Some(id) = line.strip_prefix("### ").and_then(|rest| rest.split(' ').next()) else {
            continue;
        };
        if !ids.insert(id.to_owned()) {
            return Err(Error(format!("{} has two entries {id}", path.display())));
        }
    }
    Ok(ids)
}

/// Asserts a documented difference: what each library does, and that an entry says so.
///
/// # Panics
/// If either library does something else, or the entry is missing.
#[track_caller]
pub fn assert_differs<T: PartialEq + Debug>(id: &str, reference: (T, T), ours: (T, T)) {
    assert!(
        entries().expect("docs/differences.md").contains(id),
        "docs/differences.md has no entry {id}"
    );
    let (seen, expected) = reference;
    assert_eq!(seen, expected, "{id}: the reference");
    let (seen, wanted) = ours;
    assert_eq!(seen, wanted, "{id}: ours");
    assert_ne!(expected, wanted, "{id}: no difference");
}

/// Asserts what our library does where the reference does what chance wants.
///
/// # Panics
/// If it does something else, or the entry is missing.
#[track_caller]
pub fn assert_ours<T: PartialEq + Debug>(id: &str, seen: T, wanted: T) {
    assert!(
        entries().expect("docs/differences.md").contains(id),
        "docs/differences.md has no entry {id}"
    );
    assert_eq!(seen, wanted, "{id}");
}
