//! What a run of the tests has to say at its end, beside what passed and what failed.

use crate::error::{Error, Result};
use crate::linkage::Linkage;
use crate::paths;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// Names the file; without it, it is `c-tests/notes` below the target directory.
pub const FILE_VARIABLE: &str = "C_TESTS_NOTES";

/// What happens to a test that has nothing to run on this release of the system.
pub const LEFT_OUT: &str = "left out";

/// What happens to a page of the documentation whose examples are tests: how many there were.
pub const SHOWN_TRUE: &str = "shown true";

/// What happens to what the reference plays, as it races with itself.
const PLAYED_AGAIN: &str = "played again";

/// How often the reference plays before an outcome is what it does.
pub const REFERENCE_PLAYS: usize = 3;

/// Adds a line to a file, fields parted by tabs, and says the same on standard error at once, whether
/// the test's output is captured or not.
///
/// `what` happened to the test, such as [`LEFT_OUT`], and why. `scripts/test.sh` begins with an empty file
/// and counts the lines.
pub fn note(what: &str, test: &str, why: &str) -> Result<()> {
    let path = match std::env::var_os(FILE_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => paths::target()?.join("c-tests/notes"),
    };
    let fail = |e| Error::new(path.display(), e);
    let mut file = File::options().create(true).append(true).open(&path).map_err(fail)?;
    let [what, test, why] = [what, test, why].map(|field| field.replace(['\t', '\n'], " "));
    // One write: several tests may have something to say at the same time.
    file.write_all(format!("{what}\t{test}\t{why}\n").as_bytes()).map_err(fail)?;
    let _ = std::io::stderr().write_all(format!("{what}: {test}: {why}\n").as_bytes());
    Ok(())
}

/// Plays until the outcome is wanted: ours once, the reference up to [`REFERENCE_PLAYS`] times, each
/// but the first noted.
///
/// Only what the reference alone does may be played in it: a second chance for ours would hide races.
///
/// # Panics
/// If a note cannot be written.
pub fn play<T>(
    linkage: Linkage,
    what: &str,
    mut play: impl FnMut() -> T,
    wanted: impl Fn(&T) -> bool,
) -> T {
    let mut outcome = play();
    if linkage.is_ours() {
        return outcome;
    }
    for number in 2..=REFERENCE_PLAYS {
        if wanted(&outcome) {
            break;
        }
        again(what, number);
        outcome = play();
    }
    outcome
}

/// The same where the reference has played before: one of these outcomes, or of new ones up to
/// [`REFERENCE_PLAYS`]; the first if none is wanted.
///
/// # Panics
/// As [`play`].
pub fn play_reference<'a, T>(
    what: &str,
    outcomes: &'a mut Vec<T>,
    mut play: impl FnMut() -> T,
    wanted: impl Fn(&T) -> bool,
) -> &'a T {
    while !outcomes.iter().any(&wanted) && outcomes.len() < REFERENCE_PLAYS {
        if !outcomes.is_empty() {
            again(what, outcomes.len() + 1);
        }
        outcomes.push(play());
    }
    outcomes.iter().find(|outcome| wanted(outcome)).unwrap_or(&outcomes[0])
}

fn again(what: &str, number: usize) {
    // What is not told would be taken for what did not happen.
    note(PLAYED_AGAIN, what, &format!("play {number} of {REFERENCE_PLAYS}")).expect("a note");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often something that never goes well is played.
    fn plays(linkage: Linkage) -> usize {
        let mut count = 0;
        play(linkage, "notes::tests", || count += 1, |()| false);
        count
    }

    #[test]
    fn ours_has_no_second_chance() {
        for linkage in Linkage::OURS {
            assert_eq!(plays(linkage), 1, "{linkage:?}");
        }
    }
}
