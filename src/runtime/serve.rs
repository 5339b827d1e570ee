//! One run, from the first thread to the last.

use std::io;
use std::sync::Arc;

use super::balance::Balance;
use super::desk::Desk;
use super::entrance::Entrance;
use super::event_loop::EventLoop;
use super::log::Log;
use super::lost::Lost;
use super::options::{Options, Threads};
use super::own_thread::Stops;
use super::placement::offer;
use super::pool::Pool;
use super::run::Run;
use super::service::Service;
use super::signals::SignalThread;
use super::stop::Running;
use super::supervisor::Supervisor;
use super::trace::Trace;
use super::turn::Parked;
use crate::net::listener::Listener;
use crate::session::Filter;
use crate::sys::log::Priority;

/// Loops at most, however many cores there are: slow callbacks run outside of them.
const LOOPS_MAX: usize = 16;

/// Why a run could not begin, or ended other than on request.
#[derive(Debug)]
pub enum ServeError {
    /// A resource that is needed to begin is missing: what, and why.
    Start(&'static str, io::Error),
    /// The filter has closed a descriptor of the run; logged when it was found.
    Lost(Lost),
    /// Accepting connections has failed for good.
    Accept,
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ServeError::Start(what, error) => write!(f, "{what}: {error}"),
            ServeError::Lost(lost) => lost.fmt(f),
            ServeError::Accept => write!(f, "can't accept connections any more"),
        }
    }
}

impl ServeError {
    /// The number of the system's error, if it was one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            ServeError::Start(_, error) => error.raw_os_error(),
            ServeError::Lost(_) => Some(libc::EBADF),
            _ => None,
        }
    }
}

/// Serves until asked to stop.
///
/// If the stop signals are to stop it, they must be blocked in the calling thread. When this returns, no thread of the run
/// is left, except those stuck in a callback, and no callback will be called any more.
///
/// # Errors
/// See [`ServeError`]; the listeners are closed in any case.
pub fn serve<F: Filter + 'static>(
    filter: F,
    listeners: Vec<Listener>,
    options: Options,
    log: Arc<Log>,
    trace: Option<Trace>,
    statistics: Option<Listener>,
    running: &mut Running<'static>,
) -> Result<(), ServeError> {
    // However the run ends, the file of its socket goes.
    let desk = statistics.map(|listener| Desk::new(listener, Arc::clone(&log)));
    let start = |what| move |error| ServeError::Start(what, error);
    if !listeners.iter().all(Listener::is_intact) {
        log.line(Priority::Error, &Lost::Listener.to_string());
        return Err(ServeError::Lost(Lost::Listener));
    }
    let control = running.prepare().map_err(start("Couldn't create the wake-up descriptor"))?;
    let signals = options.signals.then(|| SignalThread::start(control, Arc::clone(&log)));
    let _signals = signals.transpose().map_err(start("Couldn't start signal thread"))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let loops = match options.threads {
        Threads::Pool => cores.min(LOOPS_MAX).min(options.max_threads.max(1)),
        // It accepts connections and does nothing else.
        Threads::Session => 1,
    };
    let limits = options.limits();
    let loops = (0..loops)
        .map(|_| EventLoop::new(limits))
        .collect::<io::Result<Vec<_>>>()
        .map_err(start("Couldn't create an event loop"))?;
    let own = options.threads == Threads::Session;
    let stops = own.then(Stops::new).transpose().map_err(start("Couldn't create a descriptor"))?;
    let threads = match options.threads {
        Threads::Pool => options.max_threads,
        // The loops, which accept connections, are beside them.
        Threads::Session => options.max_threads.saturating_add(loops.len()),
    };
    let run = Arc::new(Run {
        pool: Pool::new(threads, Arc::clone(&log), control),
        service: Service::new(filter, options, log, control, trace),
        entrance: Entrance::new(listeners),
        loops,
        stops,
        balance: Balance::default(),
        parked: Parked::default(),
    });
    let supervisor =
        Supervisor::new(Arc::clone(&run), desk).map_err(start("Couldn't create an event loop"))?;
    for event_loop in &run.loops {
        run.entrance.open(event_loop).map_err(start("Couldn't watch the listener"))?;
    }
    for (index, event_loop) in run.loops.iter().enumerate() {
        // Those that get none are seen to by the supervisor.
        let _staffed = offer(&run, index, event_loop);
    }
    if run.pool.live() == 0 {
        let error = io::ErrorKind::WouldBlock.into();
        return Err(ServeError::Start("Couldn't start a thread", error));
    }
    supervisor.run();
    running.served();
    if let Some(trace) = &run.service.trace {
        trace.settle();
    }
    run.service.log.settle();
    match run.service.lifecycle.lost() {
        Some(lost) => Err(ServeError::Lost(lost)),
        None if run.entrance.has_failed() => Err(ServeError::Accept),
        None => Ok(()),
    }
}
