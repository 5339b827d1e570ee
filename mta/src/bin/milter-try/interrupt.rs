//! Interruption: the milter stops and the private directory goes with this program.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use milter_mta::ConnSpec;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::processes::listeners;

/// How long an interrupted milter may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// What to clean up.
#[derive(Debug, Default)]
struct Remains {
    directory: Option<PathBuf>,
    milter: Option<(Pid, ConnSpec)>,
}

static REMAINS: Mutex<Remains> = Mutex::new(Remains { directory: None, milter: None });

/// A signal has come, and the thread that heard it ends the program.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Returns unless a signal has come.
///
/// An interrupted milter hangs up; without this, the session would report that as its failure.
pub(crate) fn hold() {
    while INTERRUPTED.load(Ordering::Acquire) {
        std::thread::park();
    }
}

/// Cleans up and ends the program when a signal comes.
pub(crate) fn watch(directory: PathBuf) -> std::io::Result<()> {
    remains(|remains| remains.directory = Some(directory));
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            INTERRUPTED.store(true, Ordering::Release);
            clean_up();
            std::process::exit(128 + signal);
        }
    })?;
    Ok(())
}

/// From now on there is a milter to stop.
pub(crate) fn milter_started(group: Pid, spec: &ConnSpec) {
    remains(|remains| remains.milter = Some((group, spec.clone())));
}

/// The milter has been stopped; its process number may become another's.
pub(crate) fn milter_stopped() {
    remains(|remains| remains.milter = None);
}

fn remains<T>(action: impl FnOnce(&mut Remains) -> T) -> T {
    action(&mut REMAINS.lock().unwrap_or_else(PoisonError::into_inner))
}

fn clean_up() {
    let (directory, milter) = remains(|remains| (remains.directory.take(), remains.milter.take()));
    if let Some((group, spec)) = milter {
        let background = listeners(&spec);
        // Errors mean that there is nobody left to tell.
        let _ = kill_process_group(group, Signal::TERM);
        for pid in &background {
            let _ = kill_process(*pid, Signal::TERM);
        }
        let deadline = Instant::now() + GRACE;
        while test_kill_process_group(group).is_ok() && Instant::now() < deadline {
            // A child that has ended stays in its group until it has been waited for.
            if matches!(
                rustix::process::waitpid(Some(group), rustix::process::WaitOptions::NOHANG),
                Ok(Some(_)) | Err(_)
            ) {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        let _ = kill_process_group(group, Signal::KILL);
        for pid in background {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    if let Some(directory) = directory {
        let _ = std::fs::remove_dir_all(directory);
    }
}
