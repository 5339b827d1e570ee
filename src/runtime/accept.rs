//! Accepting connections, and what to do when that fails.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::connection::Connection;
use super::entrance::{Door, FAILURES_MAX, PASSING_MAX, ignore};
use super::event_loop::EventLoop;
use super::guests::Admission;
use super::lost::Lost;
use super::options::Threads;
use super::pool::Employer;
use super::run::{Run, Work};
use super::stop::Level;
use super::tally::Refusal;
use crate::net::listener::errno_text;
use crate::proto::response::{bare, letter};
use crate::session::{Filter, Report};
use crate::sys::clock::Time;
use crate::sys::jitter::MutexGuard;
use crate::sys::log::Priority;
use crate::sys::socket;
use crate::sys::{flags, memory};

/// Connections accepted before sessions get their turn, at most.
const AT_ONCE_MAX: usize = 16;
/// Connections accepted at a stop, at most: more than a backlog usually holds.
const REST_MAX: usize = 4096;
/// Pause in accepting when descriptors or memory have run out, or nothing but errors comes; ended early by
/// a session that ends.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections the owner of a loop expects to find.
///
/// One, so that it does not ask in vain for another; if one wait after the other tells of connections,
/// twice as many each time. What it leaves, the next wait tells of again.
///
/// A connection wakes one loop that waits, and is told as well to a busy one that goes to wait before it is
/// accepted. That serves its sessions first, and then the other one has mostly been faster.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    at_once: usize,
    /// Sessions that had begun, of all loops, when the last wait was over.
    before: u64,
    /// The last wait has told of some.
    seen: bool,
}

impl Crowd {
    /// How many to accept now.
    fn next(&mut self) -> usize {
        self.seen = true;
        self.at_once = (self.at_once * 2).clamp(1, AT_ONCE_MAX);
        self.at_once
    }

    /// There were no more.
    fn is_over(&mut self) {
        self.at_once = 0;
    }

    /// Whether to leave what the last wait has told of: it was one connection, and another loop has it.
    fn leaves(&self, begun: u64) -> bool {
        self.at_once == 0 && self.before != begun
    }

    /// Events have been waited for, and so many sessions have begun in all loops.
    #[inline]
    pub(super) fn waited(&mut self, begun: u64) {
        self.before = begun;
        if self.at_once > 0 {
            self.look_back();
        }
    }

    /// Whether the last wait has told of some after all.
    #[cold]
    fn look_back(&mut self) {
        if !std::mem::take(&mut self.seen) {
            self.is_over();
        }
    }
}

/// Accepts what has come in at a listening socket, by number, for the owner of a loop.
pub(super) fn accept<F: Filter + 'static>(
    run: &Arc<Run<F>>,
    index: usize,
    number: usize,
    now: Time,
    crowd: &mut Crowd,
) {
    let (Some(doors), Some(this)) = (run.entrance.doors(), run.loops.get(index)) else { return };
    let Some(door) = doors.get(number) else { return };
    if crowd.leaves(run.service.lifecycle.begun()) {
        return;
    }
    let guests = &run.service.guests;
    for call in 0..crowd.next() {
        let guard = guests.door();
        if guard.is_some() && guests.have_to_wait(run.service.lifecycle.sessions(), now) {
            run.service.count_refusal(Refusal::Sessions);
            ignore(this, &doors);
            return this.pause(now, PAUSE);
        }
        match socket::accept(&door.listener) {
            Ok(fd) => {
                if !begin(run, door, fd, (index, true), now, guard) {
                    return refuse(run, this, (&doors, door), now, &memory::shortage());
                }
            }
            Err(error) if call > 0 && error.kind() == io::ErrorKind::WouldBlock => {
                return crowd.is_over();
            }
            // The peer's, or at first, that another thread or process has been faster.
            Err(error) if socket::is_passing(&error) && door.passes_over() => {}
            Err(error) => return refuse(run, this, (&doors, door), now, &error),
        }
    }
}

/// Accepts what has come in before the listening sockets are closed: to whom they were open until then, the
/// filter has not been away.
pub(super) fn accept_rest<F: Filter + 'static>(run: &Arc<Run<F>>) {
    let doors = run.entrance.doors();
    for door in doors.iter().flat_map(|doors| doors.iter()) {
        if door.listener.is_intact() && !accept_rest_of(run, door) {
            return;
        }
    }
}

/// The same for one; `false` if the system has no memory for it.
fn accept_rest_of<F: Filter + 'static>(run: &Arc<Run<F>>, door: &Door) -> bool {
    let now = Time::now();
    for n in 0..REST_MAX {
        let guard = run.service.guests.door();
        match socket::accept(&door.listener) {
            Ok(fd) => {
                if !begin(run, door, fd, (n % run.loops.len().max(1), false), now, guard) {
                    return false;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
            Err(error) if socket::is_passing(&error) => {}
            Err(_) => return true,
        }
    }
    true
}

/// Begins a session on a connection, preferably in the loop `home`, which the calling thread may own, if
/// its peer may have one; the `guard` is given up then. `false` if the system has no memory for it, which
/// closes the connection.
fn begin<F: Filter + 'static>(
    run: &Arc<Run<F>>,
    door: &Door,
    fd: OwnedFd,
    (home, own): (usize, bool),
    now: Time,
    guard: Option<MutexGuard<'_, ()>>,
) -> bool {
    door.accepted();
    let guests = &run.service.guests;
    let address = guests.counts_addresses().then(|| socket::peer_address(&fd)).flatten();
    let sessions = run.service.lifecycle.sessions();
    let denied = guard.is_some().then(|| guests.admit(sessions, address, now));
    if let Some(Admission::Denied(why)) = denied {
        run.service.count_refusal(why);
        // Whether it reads that is up to the peer.
        let _told = socket::send_some(&fd, &bare(letter::TEMPFAIL));
        return true;
    }
    let tuned = if door.listener.is_tcp() { socket::tune_tcp(&fd) } else { Ok(()) };
    if let Err(error) = tuned {
        let text = format!("set keepalive failed ({error})");
        run.service.log.line(Priority::Warning, &text);
    }
    let Some(connection) = Connection::begin(&run.service, fd, now) else {
        run.service.count_refusal(Refusal::NoMemory);
        return false;
    };
    guests.enter(connection.output.session, address);
    drop(guard);
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
///
/// What has run out has for all listening sockets; else the others go on.
fn refuse<F: Filter>(
    run: &Run<F>,
    this: &EventLoop,
    (doors, door): (&[Door], &Door),
    now: Time,
    error: &io::Error,
) {
    let exhausted = socket::is_exhaustion(error);
    if exhausted {
        ignore(this, doors);
    } else {
        this.ignore(&door.listener);
    }
    if socket::is_no_listener(error) {
        this.pause(now, PAUSE);
        return run.service.lifecycle.lose(Lost::Listener);
    }
    let text = errno_text(error);
    if exhausted {
        run.service.count_refusal(Refusal::Exhausted);
    }
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
    let failures = door.failed();
    let abort = failures >= FAILURES_MAX;
    let next = if abort { "abort" } else { "try again" };
    let text = format!("accept() returned invalid socket ({text}), {next}");
    run.service.log.line(Priority::Error, &text);
    this.pause(now, Duration::from_secs(failures.into()));
    if abort {
        // Nothing can be accepted there any more.
        run.entrance.fail();
        run.service.lifecycle.control.request(Level::Abort);
    }
}

/// Accepts again after a pause.
pub(super) fn resume<F: Filter>(run: &Run<F>, this: &EventLoop, now: Time) {
    if run.entrance.open(this).is_err() {
        this.pause(now, PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_asked_for_while_connections_keep_coming() {
        let mut crowd = Crowd::default();
        for expected in [1, 2, 4, 8, 16, 16] {
            assert_eq!(crowd.next(), expected);
            crowd.waited(0);
        }
        crowd.waited(0);
        assert_eq!(crowd.next(), 1);
        crowd.waited(0);
        assert_eq!(crowd.next(), 2);
        crowd.is_over();
        crowd.waited(0);
        assert_eq!(crowd.next(), 1);
    }

    #[test]
    fn what_another_loop_has_is_left_to_it_once() {
        let mut crowd = Crowd::default();
        crowd.waited(7);
        assert!(!crowd.leaves(7) && crowd.leaves(8));
        // It is told of again, and nobody has been faster this time.
        crowd.waited(8);
        assert!(!crowd.leaves(8));
        assert_eq!(crowd.next(), 1);
        crowd.waited(8);
        assert!(!crowd.leaves(9), "not while they keep coming");
    }
}
