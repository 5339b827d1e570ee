//! A milter and an MTA that a test runs together.

use c_tests::Linkage;

/// One line of the compatibility page: what runs with what.
#[derive(Clone, Debug)]
pub struct Pair<'a> {
    /// The milter, such as `opendkim`.
    pub milter: &'a str,
    /// Its version, such as `2.11.0`; `-` for filters of this repository.
    pub milter_version: String,
    /// The MTA, such as `Postfix`.
    pub mta: &'a str,
    /// Its version; `-` if it is played.
    pub mta_version: String,
    /// What was done with them, in a few words.
    pub exercised: &'a str,
    /// How ours got into the process: both ways, or `[Linkage::OursPreload]`.
    pub libraries: &'a [Linkage],
    /// Entries of `docs/differences.md` that the run shows and the closure allows for.
    pub differences: &'a [&'a str],
}
