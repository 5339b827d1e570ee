//! What a filter has set up, for the whole process.

use std::ffi::c_int;
use std::sync::Arc;

use parking_lot::Mutex;

use super::callbacks::CFilter;
use crate::net::listener::Listener;
use crate::runtime::Log;

/// Connections. Backlog if the headers' SOMAXCONN is smaller.
const BACKLOG_MIN: c_int = 20;
/// Seconds. Default of `smfi_settimeout`: longer than any MTA waits, so that the MTA gives up
/// first.
const DEFAULT_TIMEOUT: c_int = 7210;

/// What became of the listening sockets.
pub(super) struct Sockets {
    /// Open, for the next run; none if they are not open.
    pub(super) listeners: Vec<Listener>,
    /// The process of the thread that is opening them. Others of that process wait; a child forked
    /// meanwhile has no such thread.
    pub(super) opening: Option<u32>,
    /// The run that has them: its process, and the connection specification.
    pub(super) run: Option<(u32, Vec<u8>)>,
    /// Descriptors that runs were given and have closed.
    pub(super) given: Vec<i32>,
}

impl Sockets {
    pub(super) const fn new() -> Sockets {
        Sockets { listeners: Vec::new(), opening: None, run: None, given: Vec::new() }
    }

    /// Whether a run of this process has the sockets, or one of the parent that forked it meanwhile, to
    /// whom the addresses belong.
    pub(super) fn is_with_run(&self, connection: &[u8]) -> bool {
        self.run
            .as_ref()
            .is_some_and(|(process, served)| *process == std::process::id() || served == connection)
    }
}

/// What `smfi_setconn` and its like have set, process-wide.
pub(super) struct Settings {
    pub(super) filter: Option<(CFilter, Arc<Log>)>,
    pub(super) connection: Option<Vec<u8>>,
    pub(super) backlog: c_int,
    pub(super) debug: c_int,
    pub(super) timeout: c_int,
    pub(super) sockets: Sockets,
}

const BACKLOG: c_int = if libc::SOMAXCONN > BACKLOG_MIN { libc::SOMAXCONN } else { BACKLOG_MIN };

/// Locked for moments only: never while a callback or a run is under way, a name is looked up or a line
/// is logged.
pub(super) static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
    filter: None,
    connection: None,
    backlog: BACKLOG,
    debug: 0,
    timeout: DEFAULT_TIMEOUT,
    sockets: Sockets::new(),
});
