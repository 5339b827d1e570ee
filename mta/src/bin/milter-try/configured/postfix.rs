//! Postfix's `smtpd_milters`, as `postconf` tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use milter_mta::session::{Mta, Profile};
use milter_mta::{ConnSpec, Offer};

use super::common::{Configured, time};
use crate::status::{Failure, Status};

/// The settings that are asked for.
const SETTINGS: [&str; 5] = [
    "smtpd_milters",
    "queue_directory",
    "milter_protocol",
    "milter_command_timeout",
    "milter_content_timeout",
];

/// The only milter of Postfix's settings, or the one with this number, from 1.
pub(crate) fn postfix(which: Option<usize>) -> Result<Configured, Failure> {
    let unavailable = |text: String| Failure::new(Status::Unavailable, text);
    let mut postconf = Command::new("postconf");
    let output = postconf.arg("-x").args(SETTINGS).output().map_err(|error| {
        unavailable(format!(
            "--postfix: cannot run postconf: {error}\nIs Postfix installed, and its directory in PATH?"
        ))
    })?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(unavailable(format!("--postfix: postconf failed: {text}")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    configured(&text, which).map_err(|problem| Failure::usage(format!("--postfix: {problem}")))
}

fn configured(settings: &str, which: Option<usize>) -> Result<Configured, String> {
    let value = |name: &str| -> &str {
        let lines = settings.lines();
        let mut values = lines.filter_map(|line| line.split_once('='));
        values.find(|(known, _)| known.trim() == name).map_or("", |(_, value)| value.trim())
    };
    let milters = elements(value("smtpd_milters"))?;
    let list = || {
        let lines = milters.iter().enumerate();
        let lines = lines.map(|(number, words)| format!("\n    {}: {}", number + 1, words[0]));
        lines.collect::<String>()
    };
    let words = match (which, milters.len()) {
        (_, 0) => return Err("smtpd_milters is empty".to_owned()),
        (None, 1) => &milters[0],
        (None, _) => {
            return Err(format!(
                "smtpd_milters has several, choose with --postfix=NUMBER:{}",
                list()
            ));
        }
        (Some(number), _) => milters
            .get(number - 1)
            .ok_or_else(|| format!("smtpd_milters has no number {number}:{}", list()))?,
    };
    let own = |name: &str| {
        let mut pairs = words[1..].iter().filter_map(|word| word.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    // In braces, an own setting goes without the prefix.
    let setting =
        |name: &str| own(name).unwrap_or_else(|| value(&format!("milter_{name}")).to_owned());
    let mut profile = Profile::new(Mta::Postfix);
    let protocol = setting("protocol");
    let digits = protocol.split([',', ' ']).next().unwrap_or_default();
    if let Some(offer) = digits.parse().ok().and_then(Offer::postfix) {
        profile = profile.with_offer(offer);
    }
    if let Some(bound) = time(&setting("command_timeout")) {
        profile.timeouts.command = bound;
    }
    if let Some(bound) = time(&setting("content_timeout")) {
        (profile.timeouts.content, profile.timeouts.write) = (bound, bound);
    }
    Ok(Configured { spec: spec(&words[0], Path::new(value("queue_directory")))?, profile })
}

/// The milters of a list, each with the settings of its own that follow it in braces.
fn elements(list: &str) -> Result<Vec<Vec<String>>, String> {
    let separators = |letter: char| letter == ',' || letter.is_whitespace();
    let mut found = Vec::new();
    let mut rest = list.trim_start_matches(separators);
    while !rest.is_empty() {
        let (words, after) = match rest.strip_prefix('{') {
            Some(inner) => {
                inner.split_once('}').ok_or_else(|| format!("a brace is missing in \"{list}\""))?
            }
            None => rest.split_at(rest.find(separators).unwrap_or(rest.len())),
        };
        let words: Vec<String> =
            words.split(separators).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        if !words.is_empty() {
            found.push(words);
        }
        rest = after.trim_start_matches(separators);
    }
    Ok(found)
}

/// Reads `inet:host:port` and `unix:path`.
fn spec(text: &str, queue: &Path) -> Result<ConnSpec, String> {
    let wrong = || format!("\"{text}\" is neither inet:HOST:PORT nor unix:PATH");
    let (kind, address) = text.split_once(':').ok_or_else(wrong)?;
    match kind {
        "unix" | "local" => Ok(ConnSpec::Unix(socket(address, queue))),
        "inet" => {
            let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
            let port =
                port.parse().map_err(|_| format!("\"{port}\" in \"{text}\" is no number"))?;
            let host =
                host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let six = host.parse::<std::net::Ipv6Addr>().is_ok();
            let host = Some(host.to_owned()).filter(|host| !host.is_empty());
            Ok(if six { ConnSpec::Inet6 { port, host } } else { ConnSpec::Inet { port, host } })
        }
        _ => Err(wrong()),
    }
}

/// A path is below Postfix's queue where its servers run in there, or if it is relative.
fn socket(path: &str, queue: &Path) -> PathBuf {
    let below = queue.join(path.trim_start_matches('/'));
    let outside = Path::new(path);
    if outside.is_absolute() && (outside.exists() || !below.exists()) {
        return outside.to_owned();
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settings(milters: &str) -> String {
        format!(
            "smtpd_milters = {milters}\nqueue_directory = /no/queue\nmilter_protocol = 6\n\
             milter_command_timeout = 30s\nmilter_content_timeout = 300s\n"
        )
    }

    #[test]
    fn milters_are_read_as_postfix_writes_them() {
        for (text, spec) in [
            ("inet:localhost:8891", "inet:8891@localhost"),
            ("inet:[::1]:8891", "inet6:8891@[::1]"),
            ("inet:[127.0.0.1]:1,", "inet:1@127.0.0.1"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
            ("unix:x.sock", "unix:/no/queue/x.sock"),
            ("{ inet:h:1, command_timeout=7s }", "inet:1@h"),
        ] {
            let found = configured(&settings(text), None).unwrap();
            assert_eq!(found.spec.to_string(), spec, "{text}");
            assert_eq!(found.profile.offer, Offer::POSTFIX);
        }
    }

    #[test]
    fn one_of_several_is_chosen_with_its_own_settings() {
        let list = settings("inet:a:1, { inet:b:2, command_timeout=7s, protocol = 2 } unix:c");
        let error = configured(&list, None).unwrap_err();
        assert!(error.contains("--postfix=NUMBER:\n    1: inet:a:1\n    2: inet:b:2\n"), "{error}");
        let second = configured(&list, Some(2)).unwrap();
        assert_eq!(second.spec.to_string(), "inet:2@b");
        assert_eq!(second.profile.timeouts.command, Duration::from_secs(7));
        assert_eq!(second.profile.timeouts.content, Duration::from_secs(300));
        assert!(configured(&list, Some(4)).unwrap_err().contains("no number 4"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, problem) in [
            ("", "is empty"),
            ("{ inet:a:1", "a brace is missing"),
            ("inet:a", "neither inet:HOST:PORT nor unix:PATH"),
            ("inet:a:smtp", "is no number"),
            ("a", "neither"),
        ] {
            let error = configured(&settings(text), None).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_socket_is_looked_for_below_the_queue() {
        let queue = tempfile::tempdir().unwrap();
        std::fs::create_dir(queue.path().join("run-x")).unwrap();
        assert_eq!(socket("/run-x", queue.path()), queue.path().join("run-x"));
        assert_eq!(socket("/run-y", queue.path()), Path::new("/run-y"));
    }
}
