//! The listening sockets of the process: opened once, by `smfi_opensocket` or `smfi_main`.

use std::sync::Arc;

use parking_lot::Condvar;

use super::guard::Failed;
use super::settings::{SETTINGS, Sockets};
use super::variables::{rights, takeover};
use crate::net::listener::{ListenError, Listener, Opening};
use crate::net::listeners;
use crate::proto::printable::quote;
use crate::runtime::Log;
use crate::sys::log::Priority;

/// Signalled when a thread has finished opening the sockets.
static OPENED: Condvar = Condvar::new();

/// Opens the sockets unless they are open, or with a run.
///
/// `remove`: a socket file that is at the path already is removed first.
pub(super) fn open(remove: bool) -> Result<(), Failed> {
    open_unless(remove, Sockets::is_with_run)
}

fn open_unless(remove: bool, busy: impl Fn(&Sockets, &[u8]) -> bool) -> Result<(), Failed> {
    let process = std::process::id();
    let mut settings = SETTINGS.lock();
    while settings.sockets.opening == Some(process) {
        OPENED.wait(&mut settings);
    }
    let (Some((_, log)), Some(spec)) = (&settings.filter, &settings.connection) else {
        return Err(Failed::default());
    };
    if !settings.sockets.listeners.is_empty() || busy(&settings.sockets, spec) {
        return Ok(());
    }
    let (log, spec) = (Arc::clone(log), spec.clone());
    let (backlog, debug, given) =
        (settings.backlog, settings.debug, settings.sockets.given.clone());
    settings.sockets.opening = Some(process);
    drop(settings);
    let mut opened = Opened(Vec::new());
    opened.0 = make(&log, &spec, debug, || {
        let (rights, takeover) = match rights(&log) {
            Ok(rights) => (rights, takeover(&log)),
            Err(error) => return Err((&spec, error)),
        };
        listeners::open(&spec, Opening { backlog, remove, takeover, rights, given: &given })
    })?;
    Ok(())
}

/// Lets other threads go on, with the sockets if there are any.
struct Opened(Vec<Listener>);

impl Drop for Opened {
    fn drop(&mut self) {
        let mut settings = SETTINGS.lock();
        settings.sockets.opening = None;
        settings.sockets.listeners = std::mem::take(&mut self.0);
        OPENED.notify_all();
    }
}

/// Opens the sockets, and tells the log.
fn make<'a>(
    log: &Log,
    list: &'a [u8],
    debug: i32,
    open: impl FnOnce() -> Result<Vec<Listener>, (&'a [u8], ListenError)>,
) -> Result<Vec<Listener>, Failed> {
    if debug > 0 {
        log.line(Priority::Debug, &format!("Opening listen socket on conn {}", quote(list)));
    }
    let opened = open();
    for text in opened.iter().flatten().filter_map(Listener::replaced) {
        log.line(Priority::Info, &text);
    }
    opened.map_err(|(spec, error)| {
        log.line(Priority::Error, &error.to_string());
        let shown = quote(spec);
        let mut text = format!("Unable to create listening socket on conn {shown}");
        if spec.len() < list.len() {
            text.push_str("; nor are the others opened");
        }
        log.line(Priority::Error, &text);
        Failed(error.errno())
    })
}

/// The sockets in the hands of a run; given back when this is dropped.
pub(super) struct WithRun(());

/// Opens the sockets unless they are open, and hands them to the run that the caller has claimed.
pub(super) fn take() -> Result<(Vec<Listener>, WithRun), Failed> {
    // The run is claimed, so that one that has the sockets is that of a parent.
    open_unless(false, |_, _| false)?;
    let mut settings = SETTINGS.lock();
    let listeners = std::mem::take(&mut settings.sockets.listeners);
    if listeners.is_empty() {
        return Err(Failed::default());
    }
    for fd in listeners.iter().filter_map(Listener::given) {
        if !settings.sockets.given.contains(&fd) {
            settings.sockets.given.push(fd);
        }
    }
    let spec = settings.connection.clone().unwrap_or_default();
    settings.sockets.run = Some((std::process::id(), spec));
    Ok((listeners, WithRun(())))
}

impl Drop for WithRun {
    fn drop(&mut self) {
        SETTINGS.lock().sockets.run = None;
    }
}
