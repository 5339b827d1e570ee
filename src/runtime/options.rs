//! Settings of one run.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::allowance::Allowance;
use super::patience::Patience;
use crate::sys::manager::Manager;

/// Time between two looks whether the filter has closed descriptors of the run: while there is traffic,
/// and at most. The reference looked at its socket as often.
pub(super) const CHECK_BUSY: Duration = Duration::from_secs(1);
pub(super) const CHECK_IDLE: Duration = Duration::from_secs(5);
/// Looks at the clock within the time limit of a session, from which it is told that the process could
/// not run: what is lost that way does not count, or an eighth of the limit at most.
const BEATS: u32 = 16;
/// Time between two such looks.
const BEAT_MIN: Duration = Duration::from_millis(50);
const BEAT_MAX: Duration = Duration::from_secs(60);

/// Settings that hold from the start of a run to its end.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seconds the MTA may be silent, or take for one packet in either direction
    /// (`smfi_settimeout`). Negative: for ever. 0: as little as possible for packets, for ever
    /// between them.
    pub timeout: i32,
    /// Level of debug output (`smfi_setdbg`).
    pub debug: i32,
    /// Bytes of payload a packet may have (`smfi_setmaxdatasize`); may change at any time.
    pub max_data_size: Arc<AtomicUsize>,
    /// Threads that run callbacks, at most.
    pub max_threads: usize,
    /// Which threads run a session's callbacks.
    pub threads: Threads,
    /// How long a stop may take in all, whatever callbacks do.
    pub stop_limit: Duration,
    /// What peers may use.
    pub allowance: Allowance,
    /// How long callbacks may take.
    pub patience: Patience,
    /// Whether HUP, TERM and INT stop the run.
    pub signals: bool,
    /// A connection on which nothing comes reaches no callback.
    pub quiet_probes: bool,
    /// Sessions, messages and callbacks are counted.
    pub counted: bool,
    /// Who hears when the run serves and stops.
    pub manager: Option<Manager>,
}

/// How long a stop may take unless something else is asked for. Container managers kill after ten
/// seconds; what is left is for what the program does after `smfi_main`.
pub const STOP_LIMIT: Duration = Duration::from_secs(8);

/// Which threads run a session's callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// Any of a pool, one at a time.
    Pool,
    /// One of its own, from the first callback to the last.
    Session,
}

/// How long a session may wait for its MTA; `None`: for ever.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// For the next command.
    pub(super) idle: Option<Duration>,
    /// For one packet, from its first byte to its last.
    pub(super) packet: Option<Duration>,
    /// For the first packet, from the beginning of the session.
    pub(super) first: Option<Duration>,
}

impl Options {
    /// How long sessions may wait for their MTA.
    pub(super) fn limits(&self) -> Limits {
        let seconds = u64::try_from(self.timeout).ok();
        Limits {
            idle: seconds.filter(|&s| s > 0).map(Duration::from_secs),
            packet: seconds.map(|s| Duration::from_secs(s.max(1))),
            first: self.allowance.first_packet,
        }
    }

    /// Whether somebody looks at the callbacks that are under way.
    pub(super) fn callbacks_are_known(&self) -> bool {
        self.patience.ends() || self.counted
    }

    /// When, since the request, a stop breaks off messages in hand.
    #[must_use]
    pub fn drain_limit(&self) -> Duration {
        self.stop_limit * 5 / 8
    }

    /// When, since the request, a stop leaves callbacks behind that have not returned. What is left
    /// of its time is for threads to end.
    #[must_use]
    pub fn callback_limit(&self) -> Duration {
        self.stop_limit * 7 / 8
    }

    /// Time between two looks at the clock while there are sessions.
    pub(super) fn beat(&self) -> Option<Duration> {
        let Limits { packet, first, .. } = self.limits();
        let all = packet.into_iter().chain(first).chain(self.patience.limit);
        all.min().map(|limit| (limit / BEATS).clamp(BEAT_MIN, BEAT_MAX))
    }
}
