//! Exported functions that run a filter and stop it.

use std::ffi::c_int;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::guard::{Failed, guard_system};
use super::process::MAX_DATA_SIZE;
use super::settings::SETTINGS;
use super::socket;
use super::statistics::statistics;
use super::trace::trace;
use super::types::MI_SUCCESS;
use super::variables::{
    allowance, manager, max_threads, patience, quiet_probes, signals, stop_limit, threads,
};
use crate::proto::printable::quote;
use crate::runtime::{Control, Level, Log, Options, ServeError, Threads, serve};
use crate::sys::log::{Priority, is_chosen};
use crate::sys::{clock, errno, library, signal, tsan};

static CONTROL: Control = Control::new();

/// Serves MTAs until asked to stop.
///
/// Call after smfi_register and smfi_setconn. Opens the socket unless smfi_opensocket has; starts
/// threads; ignores SIGPIPE; waits for HUP and TERM, which stop the filter when the messages in
/// hand are finished (5 seconds at most), and for INT, which stops it at once. When it returns, no
/// callback is running or will be called, except for one that has not returned 7 seconds after the
/// stop; a stop takes 8 seconds at most, or what LIBMILTER_STOP_SECONDS says, see libmilter(3). It
/// may be called again. Thread: any; a second call fails at once, and changes nothing, while a run is
/// under way. Returns MI_SUCCESS after a stop however it was asked for, also before the call, or
/// MI_FAILURE; the reason is logged, and errno has its number if it was a system call. With
/// "fd:number" the descriptor is closed when the run ends; the next call needs an open one of that
/// number.
#[unsafe(no_mangle)]
pub extern "C" fn smfi_main() -> c_int {
    guard_system(run)
}

fn run() -> Result<(), Failed> {
    let registered = SETTINGS.lock().filter.as_ref().map(|(f, log)| (f.clone(), Arc::clone(log)));
    let Some((filter, log)) = registered else {
        let text = "smfi_main needs smfi_register to be called before";
        Log::new(b"Unknown").line(Priority::Error, text);
        return Err(Failed::default());
    };
    // Before anything is opened or changed: all of it is the run's that is under way.
    let Some(mut running) = CONTROL.claim() else {
        log.line(Priority::Error, "smfi_main is running already in this process");
        return Err(Failed::default());
    };
    clock::begin_run();
    signal::ignore_sigpipe();
    if SETTINGS.lock().connection.is_none() {
        log.line(Priority::Error, "missing connection information");
        return Err(Failed::default());
    }
    let signals = signals(&log);
    let mask = signals.then(signal::block_stop_signals);
    let _mask = mask.transpose().map_err(|error| {
        log.line(Priority::Error, "Couldn't mask HUP and KILL signals");
        Failed(error.raw_os_error())
    })?;
    let (mut listeners, _with_run) = socket::take()?;
    let (max_threads, threads) = (max_threads(&log), threads(&log));
    let stop_limit = stop_limit(&log);
    let (allowance, quiet_probes) = (allowance(&log), quiet_probes(&log));
    let patience = patience(&log);
    let manager = manager(&log);
    let statistics = statistics(&log, &mut listeners);
    let options = {
        let settings = SETTINGS.lock();
        Options {
            timeout: settings.timeout,
            debug: settings.debug,
            max_data_size: Arc::clone(&MAX_DATA_SIZE),
            max_threads,
            threads,
            stop_limit,
            allowance,
            patience,
            signals,
            quiet_probes,
            counted: statistics.is_some(),
            manager,
        }
    };
    let trace = trace(&log);
    announce(&log, &options);
    let served =
        serve(filter, listeners, options, Arc::clone(&log), trace, statistics, &mut running);
    tsan::run_ended();
    served.map_err(|error| {
        if !matches!(error, ServeError::Lost(_)) {
            log.line(Priority::Error, &error.to_string());
        }
        Failed(error.errno())
    })
}

/// Tells which library serves, and how, whoever wants debug output or has said where log lines go.
fn announce(log: &Log, options: &Options) {
    let priority = match (is_chosen(), options.debug > 0) {
        (true, _) => Priority::Info,
        (false, true) => Priority::Debug,
        (false, false) => return,
    };
    let file =
        library::file().map_or("a program".into(), |file| quote(file.as_os_str().as_bytes()));
    let connection = SETTINGS.lock().connection.as_deref().map(quote).unwrap_or_default();
    let threads = match (options.threads, options.max_threads) {
        (Threads::Pool, usize::MAX) => "a pool of threads".to_owned(),
        (Threads::Pool, limit) => format!("a pool of {limit} threads at most"),
        (Threads::Session, usize::MAX) => "a thread for each connection".to_owned(),
        (Threads::Session, limit) => format!("a thread for each connection, {limit} at most"),
    };
    let timeout = match options.timeout {
        ..0 => "no timeout".to_owned(),
        seconds => format!("timeout {seconds} s"),
    };
    let text = format!(
        "{} ({file}) serves {connection}: {threads}, {timeout}, stops within {} s",
        library::NAME,
        options.stop_limit.as_secs(),
    );
    log.line(priority, &text);
}

/// Asks the run under way, or else the next one, to stop.
///
/// Messages in hand are finished, as after SIGTERM. Never waits. Thread: any, at any time, also
/// from callbacks and signal handlers (async-signal-safe). Returns MI_SUCCESS.
#[unsafe(no_mangle)]
pub extern "C" fn smfi_stop() -> c_int {
    let _errno = errno::keep();
    CONTROL.request(Level::Stop);
    MI_SUCCESS
}

/// cbindgen:ignore
///
/// How urgently the run is to stop: 0 not at all, 1 when messages are finished, 2 at once.
///
/// In no header; configure scripts probe for the symbol to find the library.
#[unsafe(no_mangle)]
pub extern "C" fn mi_stop() -> c_int {
    CONTROL.level() as c_int
}
