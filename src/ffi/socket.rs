//! The listening socket of the process: opened once, by `smfi_opensocket` or `smfi_main`.

use std::sync::Arc;

use parking_lot::Condvar;

use super::guard::Failed;
use super::settings::{SETTINGS, Socket};
use super::variables::{rights, takeover};
use crate::net::listener::{ListenError, Listener, Opening};
use crate::proto::printable::quote;
use crate::runtime::Log;
use crate::sys::log::Priority;

/// Signalled when a thread has finished opening the socket.
static OPENED: Condvar = Condvar::new();

/// Opens the socket unless it is open, or with a run.
///
/// `remove`: a socket file that is at the path already is removed first.
pub(super) fn open(remove: bool) -> Result<(), Failed> {
    open_unless(remove, Socket::is_with_run)
}

fn open_unless(remove: bool, busy: impl Fn(&Socket, &[u8]) -> bool) -> Result<(), Failed> {
    let process = std::process::id();
    let mut settings = SETTINGS.lock();
    while settings.socket.opening == Some(process) {
        OPENED.wait(&mut settings);
    }
    let (Some((_, log)), Some(spec)) = (&settings.filter, &settings.connection) else {
        return Err(Failed::default());
    };
    if settings.socket.listener.is_some() || busy(&settings.socket, spec) {
        return Ok(());
    }
    let (log, spec) = (Arc::clone(log), spec.clone());
    let (backlog, debug, given) = (settings.backlog, settings.debug, settings.socket.given.clone());
    settings.socket.opening = Some(process);
    drop(settings);
    let mut opened = Opened(None);
    opened.0 = Some(make(&log, &spec, debug, || {
        let (rights, takeover) = (rights(&log)?, takeover(&log));
        Listener::open(&spec, Opening { backlog, remove, takeover, rights, given: &given })
    })?);
    Ok(())
}

/// Lets other threads go on, with the socket if there is one.
struct Opened(Option<Listener>);

impl Drop for Opened {
    fn drop(&mut self) {
        let mut settings = SETTINGS.lock();
        settings.socket.opening = None;
        settings.socket.listener = self.0.take();
        OPENED.notify_all();
    }
}

/// Opens the socket, and tells the log.
fn make(
    log: &Log,
    spec: &[u8],
    debug: i32,
    open: impl FnOnce() -> Result<Listener, ListenError>,
) -> Result<Listener, Failed> {
    let shown = quote(spec);
    if debug > 0 {
        log.line(Priority::Debug, &format!("Opening listen socket on conn {shown}"));
    }
    open().map_err(|error| {
        log.line(Priority::Error, &error.to_string());
        let text = format!("Unable to create listening socket on conn {shown}");
        log.line(Priority::Error, &text);
        Failed(error.errno())
    })
}

/// The socket in the hands of a run; given back when this is dropped.
pub(super) struct WithRun(());

/// Opens the socket unless it is open, and hands it to the run that the caller has claimed.
pub(super) fn take() -> Result<(Listener, WithRun), Failed> {
    // The run is claimed, so that one that has the socket is that of a parent.
    open_unless(false, |_, _| false)?;
    let mut settings = SETTINGS.lock();
    let listener = settings.socket.listener.take().ok_or_else(Failed::default)?;
    if let Some(fd) = listener.given() {
        if !settings.socket.given.contains(&fd) {
            settings.socket.given.push(fd);
        }
    }
    let spec = settings.connection.clone().unwrap_or_default();
    settings.socket.run = Some((std::process::id(), spec));
    Ok((listener, WithRun(())))
}

impl Drop for WithRun {
    fn drop(&mut self) {
        SETTINGS.lock().socket.run = None;
    }
}
