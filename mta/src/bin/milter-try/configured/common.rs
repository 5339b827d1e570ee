//! What both have in common.

use std::time::Duration;

use milter_mta::ConnSpec;
use milter_mta::session::Profile;

/// Where a milter listens, and how the MTA talks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configured {
    pub(crate) spec: ConnSpec,
    pub(crate) profile: Profile,
}

/// Reads a time with its unit, which is seconds if it has none.
pub(super) fn time(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    let number: u64 = digits.parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(unit)?))
}
