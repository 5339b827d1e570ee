//! Settings that an administrator gives a run by the environment, see libmilter(3).

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use crate::proto::printable::quote;
use crate::runtime::{Allowance, Log, STOP_LIMIT, Surplus, Threads};
use crate::sys::environment::{Setting, setting};
use crate::sys::log::{Priority, choose, is_chosen};

/// The largest number of threads that run callbacks; no limit by default.
pub(super) fn max_threads(log: &Log) -> usize {
    positive("LIBMILTER_MAX_THREADS", log, "no limit is set").unwrap_or(usize::MAX)
}

/// How long a stop may take at most.
pub(super) fn stop_limit(log: &Log) -> Duration {
    let otherwise = format!("{} is used", STOP_LIMIT.as_secs());
    let seconds = positive::<u32>("LIBMILTER_STOP_SECONDS", log, &otherwise);
    seconds.map_or(STOP_LIMIT, |seconds| Duration::from_secs(seconds.into()))
}

/// Where log lines go; settled by the first call that finds the variable set.
pub(super) fn log_destination(log: &Log) {
    const NAME: &str = "LIBMILTER_LOG";
    if is_chosen() {
        return;
    }
    let Some(value) = environment(NAME, log) else { return };
    let value = value.as_encoded_bytes();
    if !choose(value) {
        let known =
            "syslog, stderr, auto, fd: and the number of an open descriptor, an absolute path";
        refuse(NAME, value, log, &format!("is none of {known}; the system log is used"));
    }
}

/// Which threads run callbacks; a pool by default.
pub(super) fn threads(log: &Log) -> Threads {
    choice("LIBMILTER_THREADS", log, ("pool", Threads::Pool), &[("session", Threads::Session)])
}

/// What peers may use; all they want by default.
pub(super) fn allowance(log: &Log) -> Allowance {
    let limit = |name| positive(name, log, "no limit is set").unwrap_or(usize::MAX);
    let seconds: Option<u32> = positive("LIBMILTER_FIRST_PACKET_SECONDS", log, "no limit is set");
    Allowance {
        sessions: limit("LIBMILTER_MAX_SESSIONS"),
        sessions_of_one: limit("LIBMILTER_MAX_SESSIONS_PER_PEER"),
        bytes: limit("LIBMILTER_MAX_SESSION_BYTES"),
        first_packet: seconds.map(|seconds| Duration::from_secs(seconds.into())),
        surplus: surplus(log),
    }
}

/// What becomes of connections over the number of sessions; they wait by default.
fn surplus(log: &Log) -> Surplus {
    choice("LIBMILTER_SURPLUS", log, ("wait", Surplus::Waits), &[("tempfail", Surplus::Fails)])
}

/// What the administrator has set; nothing where somebody else may have.
pub(super) fn environment(name: &str, log: &Log) -> Option<OsString> {
    match setting(name) {
        Setting::Unset => None,
        Setting::Set(value) => Some(value),
        Setting::Untrusted => {
            let why = "the program has rights that whoever started it has not";
            log.line(Priority::Warning, &format!("{name} is ignored, since {why}"));
            None
        }
    }
}

/// A number above 0; what comes `otherwise` is logged where it is none.
pub(super) fn positive<T: FromStr + Default + PartialOrd>(
    name: &str,
    log: &Log,
    otherwise: &str,
) -> Option<T> {
    let value = environment(name, log)?;
    let number = value.to_str().and_then(|text| text.parse().ok()).filter(|n| *n > T::default());
    if number.is_none() {
        let why = format!("is not a positive number; {otherwise}");
        refuse(name, value.as_encoded_bytes(), log, &why);
    }
    number
}

/// One of some words; the first one where nothing is set, or what is set is none of them.
pub(super) fn choice<T: Copy>(
    name: &str,
    log: &Log,
    (usual, default): (&str, T),
    others: &[(&str, T)],
) -> T {
    let Some(value) = environment(name, log) else { return default };
    let value = value.as_encoded_bytes();
    if value == usual.as_bytes() {
        return default;
    }
    let chosen = others.iter().find(|(word, _)| word.as_bytes() == value);
    chosen.map_or_else(
        || {
            let words: Vec<&str> = others.iter().map(|(word, _)| *word).collect();
            let why = match &words[..] {
                [other] => format!("is neither {usual} nor {other}; {usual} is used"),
                words => format!("is none of {usual}, {}; {usual} is used", words.join(", ")),
            };
            refuse(name, value, log, &why);
            default
        },
        |(_, chosen)| *chosen,
    )
}

/// Logs that a variable can't be what it is, and what comes of it.
pub(super) fn refuse(name: &str, value: &[u8], log: &Log, why: &str) {
    log.line(Priority::Warning, &format!("{name}={} {why}", quote(value)));
}
