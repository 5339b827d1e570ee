//! What the tests with C filters have in common.

use compliance::mta::Kind;
use compliance::{Linkage, Pair};

/// A message of one line.
pub(crate) const SHORT: &str = "From: a@a.example\r\nSubject: hello\r\nX-Fold: one\r\n\ttwo\r\nX-Empty:\r\nX-Two:  blanks\r\n\r\nshort\r\n";

/// The row of the probe with an MTA.
pub(crate) fn probe_with<'a>(kind: Kind, exercised: &'a str, libraries: &'a [Linkage]) -> Pair<'a> {
    Pair {
        milter: "probe",
        milter_version: "-".into(),
        mta: kind.name(),
        mta_version: kind.version().expect("the version of the MTA"),
        exercised,
        libraries,
        differences: &[],
    }
}

/// A message of several body packets.
pub(crate) fn long() -> String {
    let line = "The quick brown fox jumps over the lazy dog.\r\n";
    format!("From: a@a.example\r\nSubject: long\r\n\r\n{}", line.repeat(4000))
}
