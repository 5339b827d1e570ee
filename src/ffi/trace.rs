//! The trace that an administrator asks for by the environment, see libmilter(3).

use std::num::NonZeroU64;
use std::sync::Arc;

use super::variables::{choice, environment, positive, refuse};
use crate::net::network::Network;
use crate::runtime::{Format, Log, Trace, Traces};
use crate::sys::sink::Sink;

/// Bytes of a text that are shown.
const SHOWN: usize = 64;
/// Bytes of a file, after which the next one begins.
const FILE_BYTES: u64 = 100 << 20;

/// Where lines may go.
const PLACES: &str =
    "is none of stderr, fd: and the number of an open descriptor, an absolute path";

/// The trace that is asked for; none by default.
pub(super) fn trace(log: &Arc<Log>) -> Option<Trace> {
    const NAME: &str = "LIBMILTER_TRACE";
    let value = environment(NAME, log)?;
    let value = value.as_encoded_bytes();
    let others = [("json", Format::Json), ("capture", Format::Capture)];
    let format = choice("LIBMILTER_TRACE_FORMAT", log, ("text", Format::Text), &others);
    let number =
        |name, default: u64| positive(name, log, &format!("{default} is used")).unwrap_or(default);
    let shown = number("LIBMILTER_TRACE_TEXT_BYTES", SHOWN as u64);
    let file_bytes = number("LIBMILTER_TRACE_FILE_BYTES", FILE_BYTES);
    let every = number("LIBMILTER_TRACE_EVERY", 1);
    let (sink, known) = match format {
        Format::Capture => {
            let sink = value.starts_with(b"/").then(Sink::for_records);
            (sink, "is no absolute path of a directory")
        }
        _ => (Sink::parse(value, file_bytes), PLACES),
    };
    let Some(sink) = sink else {
        refuse(NAME, value, log, &format!("{known}; there is no trace"));
        return None;
    };
    let clients = clients(log)?;
    let traces = Traces {
        sink,
        format,
        shown: usize::try_from(shown).unwrap_or(usize::MAX),
        every: NonZeroU64::new(every).unwrap_or(NonZeroU64::MIN),
        clients,
        captures: (format == Format::Capture).then(|| (value.to_vec(), file_bytes)),
    };
    Some(Trace::new(traces, Arc::clone(log)))
}

/// The clients whose sessions are traced; all if none are named. `None` if what is set names none: more is
/// not traced than was asked for.
fn clients(log: &Log) -> Option<Vec<Network>> {
    const NAME: &str = "LIBMILTER_TRACE_CLIENTS";
    let Some(value) = environment(NAME, log) else { return Some(Vec::new()) };
    let clients = value.to_str().and_then(Network::parse_list);
    if clients.is_none() {
        let why = "is no list of IP addresses or networks, separated by commas; there is no trace";
        refuse(NAME, value.as_encoded_bytes(), log, why);
    }
    clients
}
