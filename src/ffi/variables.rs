//! Settings that an administrator gives a run by the environment, see libmilter(3).

use std::ffi::OsString;
use std::str::FromStr;
use std::time::Duration;

use crate::net::listener::{ListenError, Takeover};
use crate::net::rights::Rights;
use crate::proto::printable::quote;
use crate::runtime::{Allowance, Log, Patience, STOP_LIMIT, Surplus, Threads};
use crate::sys::environment::{Setting, ignored, setting};
use crate::sys::log::{Priority, choose, is_chosen};
use crate::sys::manager::Manager;
use crate::sys::users;

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

/// How long callbacks may take; as long as they like by default.
pub(super) fn patience(log: &Log) -> Patience {
    let seconds = |name| positive::<u32>(name, log, "no limit is set");
    let span = |name| seconds(name).map(|seconds| Duration::from_secs(seconds.into()));
    Patience {
        warn: span("LIBMILTER_CALLBACK_WARN"),
        progress: span("LIBMILTER_PROGRESS"),
        limit: span("LIBMILTER_CALLBACK_LIMIT"),
    }
}

/// Whether HUP, TERM and INT stop the filter; they do by default.
pub(super) fn signals(log: &Log) -> bool {
    choice("LIBMILTER_SIGNALS", log, ("stop", true), &[("none", false)])
}

/// The service manager that has started this process, if it wants to hear of it.
pub(super) fn manager(log: &Log) -> Option<Manager> {
    let socket = environment("NOTIFY_SOCKET", log)?;
    let number = |name| environment(name, log)?.to_str()?.parse::<u64>().ok();
    let concerned = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let watchdog = number("WATCHDOG_USEC").filter(|micros| concerned && *micros > 0);
    Manager::at(&socket, watchdog.map(Duration::from_micros))
}

/// Whether connections on which nothing comes reach the filter; they do by default.
pub(super) fn quiet_probes(log: &Log) -> bool {
    choice("LIBMILTER_QUIET_PROBES", log, ("0", false), &[("1", true)])
}

/// What becomes of a socket file whose path is wanted; it is replaced by default.
pub(super) fn takeover(log: &Log) -> Takeover {
    let usual = ("replace", Takeover::Replace);
    choice("LIBMILTER_SOCKET_TAKEOVER", log, usual, &[("refuse", Takeover::Refuse)])
}

/// Rights of the file of a unix socket; those that the system gives by default.
///
/// # Errors
/// They can't be understood: without them, others than meant might connect.
pub(super) fn rights(log: &Log) -> Result<Rights, ListenError> {
    Ok(Rights {
        owner: owner("LIBMILTER_SOCKET_OWNER", log)?,
        group: group("LIBMILTER_SOCKET_GROUP", log)?,
        mode: mode("LIBMILTER_SOCKET_MODE", log)?,
    })
}

/// Rights of the socket of statistics.
///
/// # Errors
/// As [`rights`].
pub(super) fn statistics_rights(log: &Log) -> Result<Rights, ListenError> {
    Ok(Rights {
        owner: None,
        group: group("LIBMILTER_STATS_GROUP", log)?,
        mode: mode("LIBMILTER_STATS_MODE", log)?,
    })
}

fn owner(name: &str, log: &Log) -> Result<Option<u32>, ListenError> {
    right(name, log, "is no user", |text| text.parse().ok().or_else(|| users::user_id(text)))
}

fn group(name: &str, log: &Log) -> Result<Option<u32>, ListenError> {
    right(name, log, "is no group", |text| text.parse().ok().or_else(|| users::group_id(text)))
}

fn mode(name: &str, log: &Log) -> Result<Option<u32>, ListenError> {
    let parse = |text: &str| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    right(name, log, "is no octal number from 0 to 777", parse)
}

fn right<T>(
    name: &str,
    log: &Log,
    what: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ListenError> {
    let Some(value) = environment(name, log) else { return Ok(None) };
    let right = value.to_str().and_then(parse);
    let wrong = || format!("{name}={} {what}", quote(value.as_encoded_bytes()));
    right.map(Some).ok_or_else(|| ListenError::Rights(wrong()))
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
            log.line(Priority::Warning, &ignored(name));
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
