//! The socket of statistics that an administrator asks for by the environment, see libmilter(3).

use super::variables::{environment, refuse, statistics_rights, takeover};
use crate::net::listener::{ListenError, Listener, Opening};
use crate::net::listeners::open_beside;
use crate::net::rights::Rights;
use crate::runtime::Log;
use crate::sys::log::Priority;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;
/// Only for the filter's own user, unless something else is asked for.
const MODE: u32 = 0o600;

/// The socket beside the `others` of the filter on which statistics are given; none by default, and none if
/// it can't be opened.
pub(super) fn statistics(log: &Log, others: &mut Vec<Listener>) -> Option<Listener> {
    const NAME: &str = "LIBMILTER_STATS";
    let value = environment(NAME, log)?;
    let value = value.as_encoded_bytes();
    let spec = match value {
        [b'/', ..] => [b"unix:", value].concat(),
        _ if value.strip_prefix(b"abstract:").is_some_and(|name| !name.is_empty()) => {
            value.to_vec()
        }
        _ => {
            let known = "is neither an absolute path nor abstract: and a name";
            refuse(NAME, value, log, &format!("{known}; there are no statistics"));
            return None;
        }
    };
    match open(&spec, others, log) {
        Ok(listener) => {
            if let Some(text) = listener.replaced() {
                log.line(Priority::Info, &text);
            }
            Some(listener)
        }
        Err(error) => {
            let text = format!("{NAME}: {error}; there are no statistics");
            log.line(Priority::Warning, &text);
            None
        }
    }
}

fn open(spec: &[u8], others: &mut Vec<Listener>, log: &Log) -> Result<Listener, ListenError> {
    let rights = statistics_rights(log)?;
    let rights = Rights { mode: rights.mode.or(Some(MODE)), ..rights };
    let takeover = takeover(log);
    let opening = Opening { backlog: BACKLOG, remove: true, takeover, rights, given: &[] };
    open_beside(spec, opening, others)
}
