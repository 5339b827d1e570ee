//! Sockets that a service manager has opened and passed, as systemd does: `LISTEN_PID`, `LISTEN_FDS` and
//! `LISTEN_FDNAMES` (sd_listen_fds(3)).

use crate::proto::printable::quote;
use crate::sys::environment::{Setting, ignored, setting};

/// The number of the first descriptor that is passed.
const FIRST: i32 = 3;

/// The descriptors of passed sockets: those of that name, or the only one.
///
/// # Errors
/// There is none; why, in the words of the log.
pub(super) fn descriptors(name: Option<&str>) -> Result<Vec<i32>, String> {
    let variable = |name| match setting(name) {
        Setting::Set(value) => Ok(Some(value.to_string_lossy().into_owned())),
        Setting::Unset => Ok(None),
        Setting::Untrusted => Err(ignored(name)),
    };
    let (process, count) = (variable("LISTEN_PID")?, variable("LISTEN_FDS")?);
    let names = variable("LISTEN_FDNAMES")?;
    choose(name, std::process::id(), process.as_deref(), count.as_deref(), names.as_deref())
}

fn choose(
    name: Option<&str>,
    own: u32,
    process: Option<&str>,
    count: Option<&str>,
    names: Option<&str>,
) -> Result<Vec<i32>, String> {
    let (Some(process), Some(count)) = (process, count) else {
        return Err(
            "no sockets were passed by a service manager (LISTEN_PID and LISTEN_FDS are not set)"
                .to_owned(),
        );
    };
    if process.parse() != Ok(own) {
        return Err(format!(
            "sockets were passed to process {}, and this is process {own}: a filter that goes to the \
             background before it opens its socket can't take them, so have it stay in the foreground",
            quote(process.as_bytes())
        ));
    }
    let count: i32 =
        count.parse().ok().filter(|count| (0..i32::MAX - FIRST).contains(count)).ok_or_else(
            || format!("LISTEN_FDS={} is not a number of descriptors", quote(count.as_bytes())),
        )?;
    // Without a name from its unit, systemd gives one that is the unit's.
    let names: Vec<&str> = names.map(|names| names.split(':').collect()).unwrap_or_default();
    let shown = || match names[..] {
        [] => "without names".to_owned(),
        _ => quote(names.join(", ").as_bytes()),
    };
    let found: Vec<i32> = match (name, count) {
        (_, 0) => return Err("the service manager has passed no sockets (LISTEN_FDS=0)".to_owned()),
        (None, 1) => vec![FIRST],
        (None, _) => {
            return Err(format!(
                "{count} sockets were passed ({}); say which, as in systemd:NAME",
                shown()
            ));
        }
        // All of a unit's have its name, or the one that it gives.
        (Some(name), _) => {
            let named = (FIRST..FIRST + count).zip(&names).filter(|(_, passed)| **passed == name);
            named.map(|(fd, _)| fd).collect()
        }
    };
    if found.is_empty() {
        let name = quote(name.unwrap_or_default().as_bytes());
        let shown = shown();
        return Err(format!("no socket named {name} was passed by the service manager ({shown})"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_chosen_by_name_or_alone() {
        let two = |name| choose(name, 7, Some("7"), Some("2"), Some("a:b"));
        assert_eq!((two(Some("a")), two(Some("b"))), (Ok(vec![3]), Ok(vec![4])));
        assert!(two(None).unwrap_err().contains("(a, b)"));
        assert!(two(Some("c")).unwrap_err().contains("no socket named c"));
        assert_eq!(choose(None, 7, Some("7"), Some("1"), None), Ok(vec![3]));
        assert_eq!(choose(None, 7, Some("7"), Some("1"), Some("unknown")), Ok(vec![3]));
        // One unit with two sockets.
        assert_eq!(choose(Some("a"), 7, Some("7"), Some("3"), Some("a:b:a")), Ok(vec![3, 5]));
        // More names than sockets.
        assert!(choose(Some("b"), 7, Some("7"), Some("1"), Some("a:b")).is_err());
    }

    #[test]
    fn what_was_not_passed_to_this_process_is_not_taken() {
        for (process, count) in [
            (None, Some("1")),
            (Some("7"), None),
            (Some("8"), Some("1")),
            (Some("7"), Some("0")),
            (Some("7"), Some("-1")),
            (Some("7"), Some("2147483647")),
            (Some("7"), Some("x\n")),
        ] {
            let error = choose(None, 7, process, count, None).unwrap_err();
            assert!(!error.contains(char::is_control), "{error}");
        }
        assert!(choose(None, 7, Some("8"), Some("1"), None).unwrap_err().contains("foreground"));
    }
}
