//! The same run with each library: what it shows has to be the same.

use crate::observation::Observation;
use crate::pair::Pair;
use crate::row::{self, Row};
use c_tests::{Linkage, Result, differences};

/// Ours by `LD_LIBRARY_PATH` and by `LD_PRELOAD`.
pub const BOTH_WAYS: &[Linkage] = &[Linkage::OursDynamic, Linkage::OursPreload];

/// Ours by `LD_PRELOAD` only.
pub const PRELOADED: &[Linkage] = &[Linkage::OursPreload];

/// Most lines of a diff that are shown.
const SHOWN_LINES: usize = 150;

/// If set, [`compare`] prints what the reference showed, for `cargo test ... -- --nocapture`.
pub const SHOW_VARIABLE: &str = "COMPLIANCE_SHOW";

/// Makes the observation with the reference and with ours, all at the same time, and compares.
///
/// Writes the row of the pair if all is the same.
///
/// # Panics
/// If a run fails, or shows something else with ours: with a diff.
#[track_caller]
pub fn compare(pair: &Pair<'_>, observe: impl Fn(Linkage) -> Result<Observation> + Sync) {
    compare_rows(std::slice::from_ref(pair), observe);
}

/// The same for a run that shows several pairs, with the same libraries.
///
/// # Panics
/// As [`compare`]; also without a pair.
#[track_caller]
pub fn compare_rows(pairs: &[Pair<'_>], observe: impl Fn(Linkage) -> Result<Observation> + Sync) {
    let pair = &pairs[0];
    let known = differences::entries().expect("docs/differences.md");
    for id in pairs.iter().flat_map(|pair| pair.differences) {
        assert!(known.contains(*id), "docs/differences.md has no entry {id}");
    }
    let linkages: Vec<Linkage> =
        [Linkage::ReferenceDynamic].iter().chain(pair.libraries).copied().collect();
    let seen: Vec<Result<Observation>> = std::thread::scope(|scope| {
        let observe = &observe;
        let start = |&linkage: &Linkage| scope.spawn(move || observe(linkage));
        let threads: Vec<_> = linkages.iter().map(start).collect();
        let result = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(result).collect()
    });
    let mut seen = linkages.iter().zip(seen).map(|(linkage, seen)| match seen {
        Ok(seen) => (linkage, seen),
        Err(e) => panic!("{linkage:?}: {e}"),
    });
    let (_, reference) = seen.next().expect("the reference ran");
    if std::env::var_os(SHOW_VARIABLE).is_some() {
        println!("{reference}");
    }
    for (linkage, ours) in seen {
        if let Some(diff) = reference.difference(&ours, ("reference", &format!("{linkage:?}"))) {
            let shown: Vec<&str> = diff.lines().take(SHOWN_LINES).collect();
            let more = diff.lines().count() - shown.len();
            let diff = shown.join("\n");
            panic!("{} with {}: not the same\n{diff}\n({more} more lines)", pair.milter, pair.mta);
        }
    }
    let unmet = reference.unmet();
    assert!(unmet.is_empty(), "{}\n{reference}", unmet.join("\n"));
    for pair in pairs {
        row::record(&Row::of(pair)).expect("write a row for the compatibility page");
    }
}
