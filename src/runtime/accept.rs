//! Accepting connections, and what to do when that fails.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::entrance::PASSING_MAX;
use super::event_loop::EventLoop;
use super::guests::Admission;
use super::lost::Lost;
use super::options::Threads;
use super::pool::Employer;
use super::run::{Run, Work};
use super::stop::Level;
use crate::net::listener::{Listener, errno_text};
use crate::proto::response::{bare, letter};
use crate::session::{Filter, Report};
use crate::sys::clock::Time;
use crate::sys::jitter::MutexGuard;
use crate::sys::log::Priority;
use crate::sys::socket;
use crate::sys::{flags, memory};

/// Connections accepted before sessions get their turn.
const ACCEPT_BATCH: usize = 16;
/// Connections accepted at a stop, at most: more than a backlog usually holds.
const REST_MAX: usize = 4096;
/// Pause in accepting when descriptors or memory have run out, or nothing but errors comes; ended early by
/// a session that ends.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts what has come in, for the owner of a loop.
pub(super) fn accept<F: Filter + 'static>(run: &Arc<Run<F>>, index: usize, now: Time) {
    let Some(listener) = run.entrance.listener() else { return };
    let guests = &run.service.guests;
    for call in 0..ACCEPT_BATCH {
        let door = guests.door();
        if door.is_some() && guests.have_to_wait(run.service.lifecycle.sessions(), now) {
            let Some(this) = run.loops.get(index) else { return };
            this.ignore(&listener);
            return this.pause(now, PAUSE);
        }
        match socket::accept(&listener) {
            Ok(fd) => {
                if !begin(run, &listener, fd, (index, true), now, door) {
                    let Some(this) = run.loops.get(index) else { return };
                    return refuse(run, this, &listener, now, &memory::shortage());
                }
            }
            Err(error) if call > 0 && error.kind() == io::ErrorKind::WouldBlock => return,
            // The peer's, or at first, that another thread or process has been faster.
            Err(error) if socket::is_passing(&error) && run.entrance.passes_over() => {}
            Err(error) => {
                let Some(this) = run.loops.get(index) else { return };
                return refuse(run, this, &listener, now, &error);
            }
        }
    }
}

/// Accepts what has come in before the listening socket is closed: to whom it was open until then, the
/// filter has not been away.
pub(super) fn accept_rest<F: Filter + 'static>(run: &Arc<Run<F>>) {
    let listener = run.entrance.listener().filter(|listener| listener.is_intact());
    let Some(listener) = listener else { return };
    let now = Time::now();
    for n in 0..REST_MAX {
        let door = run.service.guests.door();
        match socket::accept(&listener) {
            Ok(fd) => {
                if !begin(run, &listener, fd, (n % run.loops.len().max(1), false), now, door) {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if socket::is_passing(&error) => {}
            Err(_) => return,
        }
    }
}

/// Begins a session on a connection, preferably in the loop `home`, which the calling thread may own, if
/// its peer may have one; the `door` is closed behind it. `false` if the system has no memory for it, which
/// closes the connection.
fn begin<F: Filter + 'static>(
    run: &Arc<Run<F>>,
    listener: &Listener,
    fd: OwnedFd,
    (home, own): (usize, bool),
    now: Time,
    door: Option<MutexGuard<'_, ()>>,
) -> bool {
    run.entrance.accepted();
    let guests = &run.service.guests;
    let address = guests.counts_addresses().then(|| socket::peer_address(&fd)).flatten();
    let sessions = run.service.lifecycle.sessions();
    if door.is_some() && guests.admit(sessions, address, now) == Admission::Denied {
        // Whether it reads that is up to the peer.
        let _told = socket::send_some(&fd, &bare(letter::TEMPFAIL));
        return true;
    }
    let tuned = if listener.is_tcp() { socket::tune_tcp(&fd) } else { Ok(()) };
    if let Err(error) = tuned {
        let text = format!("set keepalive failed ({error})");
        run.service.log.line(Priority::Warning, &text);
    }
    let Some(connection) = Connection::begin(&run.service, fd, now) else { return false };
    guests.enter(connection.output.session, address);
    drop(door);
    if run.service.options.threads == Threads::Session {
        run.service.lifecycle.detach(&connection.output);
        run.dispatch(Work::Session(connection));
    } else if let Err(connection) = run.attach(connection, home, own) {
        if flags::ran_short() {
            connection.report(Report::NoMemory);
        }
        // Its close callback may take long, and this thread owns a loop or supervises all.
        run.dispatch(Work::End(connection));
    }
    true
}

/// An error of `accept` that is not one peer's: log it, pause, and after many give up.
fn refuse<F: Filter>(
    run: &Run<F>,
    this: &EventLoop,
    listener: &Listener,
    now: Time,
    error: &io::Error,
) {
    this.ignore(listener);
    if socket::is_no_listener(error) {
        this.pause(now, PAUSE);
        return run.service.lifecycle.lose(Lost::Listener);
    }
    let text = errno_text(error);
    let exhausted = socket::is_exhaustion(error);
    if exhausted || socket::is_passing(error) {
        // Of one that only waits for others to be slower there is nothing to tell.
        let untold = || run.entrance.pause_is_news(now);
        let told = error.kind() != io::ErrorKind::WouldBlock;
        if let Some(untold) = told.then(untold).flatten() {
            let sessions = run.service.lifecycle.sessions();
            let text = if exhausted {
                format!(
                    "accept() failed ({text}) with {sessions} sessions open; connections wait until \
                     one ends (see ulimit -n){untold}"
                )
            } else {
                format!(
                    "accept() failed ({text}) {PASSING_MAX} times in a row; it is tried again, with \
                     pauses (does a seccomp filter or a security module forbid it?){untold}"
                )
            };
            run.service.log.line(Priority::Error, &text);
        }
        this.pause(now, PAUSE);
        return;
    }
    let failures = run.entrance.failed();
    let abort = run.entrance.has_failed();
    let next = if abort { "abort" } else { "try again" };
    let text = format!("accept() returned invalid socket ({text}), {next}");
    run.service.log.line(Priority::Error, &text);
    this.pause(now, Duration::from_secs(failures.into()));
    if abort {
        // Nothing can be accepted any more.
        run.service.lifecycle.control.request(Level::Abort);
    }
}

/// Accepts again after a pause.
pub(super) fn resume<F: Filter>(run: &Run<F>, this: &EventLoop, now: Time) {
    if run.entrance.open(this).is_err() {
        this.pause(now, PAUSE);
    }
}
