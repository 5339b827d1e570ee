//! Accepting connections, and what to do when that fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection::Connection;
use super::lost::Lost;
use super::options::Threads;
use super::output::SocketOutput;
use super::pool::Work;
use super::shared::Shared;
use crate::net::listener::{Listener, errno_text};
use crate::session::{Filter, Session};
use crate::sys::clock::Time;
use crate::sys::log::Priority;
use crate::sys::socket;

/// Connections accepted before sessions get their turn.
const ACCEPT_BATCH: usize = 16;
/// Pause in accepting when descriptors or memory have run out; ended early by a session that ends.
pub(super) const EXHAUSTION_PAUSE: Duration = Duration::from_millis(100);
/// Time between two log lines about that: a filter at its limit runs out again with each session that
/// ends and lets the next one in.
const EXHAUSTION_LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Consecutive errors of `accept` after which the run is given up, as in the reference.
pub(super) const ACCEPT_FAILURES_MAX: u32 = 16;

/// Accepts what has come in.
pub(super) fn accept<F: Filter + 'static>(shared: &Arc<Shared<F>>, index: usize, now: Time) {
    let Some(listener) = shared.listener() else { return };
    for _ in 0..ACCEPT_BATCH {
        match socket::accept(&listener) {
            Ok(fd) => {
                shared.accept_failures.store(0, Ordering::Relaxed);
                let tuned = if listener.is_tcp() { socket::tune_tcp(&fd) } else { Ok(()) };
                if let Err(error) = tuned {
                    let text = format!("set keepalive failed ({error})");
                    shared.log.line(Priority::Warning, &text);
                }
                let number = shared.begin_session();
                let settings = Arc::clone(&shared.output_settings);
                let output = Arc::new(SocketOutput::new(fd, number, settings));
                let session = Session::new(
                    shared.filter.traits(),
                    Arc::<SocketOutput>::clone(&output),
                    Arc::clone(&shared.options.max_data_size),
                );
                let connection = Box::new(Connection::new(session, output, now));
                if shared.options.threads == Threads::Session {
                    shared.detach(&connection.output);
                    shared.dispatch(Work::Session(connection));
                } else if let Err(connection) = shared.attach(connection, index, true) {
                    // Its close callback may take long, and this thread owns a loop.
                    shared.dispatch(Work::End(connection));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if socket::is_passing(&error) => {}
            Err(error) => return refuse(shared, &listener, index, now, &error),
        }
    }
}

/// An error of `accept` that is not the peer's: log it, pause, and after many give up.
fn refuse<F: Filter + 'static>(
    shared: &Arc<Shared<F>>,
    listener: &Listener,
    index: usize,
    now: Time,
    error: &io::Error,
) {
    let Some(this) = shared.loops.get(index) else { return };
    if socket::is_no_listener(error) {
        this.pause(listener, now, EXHAUSTION_PAUSE);
        return shared.lose(Lost::Listener);
    }
    let text = errno_text(error);
    if socket::is_exhaustion(error) {
        if shared.exhaustion_is_news(now) {
            let sessions = shared.sessions();
            shared.log.line(
                Priority::Error,
                &format!(
                    "accept() failed ({text}) with {sessions} sessions open; connections wait until \
                     one ends (see ulimit -n)"
                ),
            );
        }
        this.pause(listener, now, EXHAUSTION_PAUSE);
        return;
    }
    let failures = shared.accept_failures.fetch_add(1, Ordering::Relaxed) + 1;
    let abort = failures >= ACCEPT_FAILURES_MAX;
    let next = if abort { "abort" } else { "try again" };
    let text = format!("accept() returned invalid socket ({text}), {next}");
    shared.log.line(Priority::Error, &text);
    this.pause(listener, now, Duration::from_secs(failures.into()));
    if abort {
        shared.give_up();
    }
}

impl<F> Shared<F> {
    /// Whether running out of descriptors or memory is to be logged.
    fn exhaustion_is_news(&self, now: Time) -> bool {
        let mut next = self.exhaustion_log_after.lock();
        let news = next.is_none_or(|next| next <= now);
        if news {
            *next = now.after(EXHAUSTION_LOG_INTERVAL);
        }
        news
    }
}
