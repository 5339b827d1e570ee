//! Which peers have sessions, and which are to have none, by what an administrator allows.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::allowance::{Allowance, Surplus};
use super::log::Log;
use super::news::News;
use super::tally::Refusal;
use crate::sys::clock::Time;
use crate::sys::jitter::{Mutex, MutexGuard};
use crate::sys::log::Priority;

/// The peers of a run. Without a limit on sessions nothing is kept of them.
#[derive(Debug)]
pub(super) struct Guests {
    allowance: Allowance,
    log: Arc<Log>,
    /// Held from the look at the count of sessions to the beginning of one.
    door: Mutex<()>,
    /// Those that count by address.
    present: Mutex<Present>,
    /// Of log lines about what is not allowed.
    news: Mutex<News>,
}

/// Who has which session.
#[derive(Debug, Default)]
struct Present {
    addresses: HashMap<u64, IpAddr>,
    counts: HashMap<IpAddr, usize>,
}

impl Present {
    fn count(&self, address: IpAddr) -> usize {
        self.counts.get(&address).copied().unwrap_or(0)
    }

    /// Makes room for one more session; `false` if the system has no memory for it.
    fn make_room(&mut self) -> bool {
        self.addresses.try_reserve(1).is_ok() && self.counts.try_reserve(1).is_ok()
    }

    fn enter(&mut self, session: u64, address: IpAddr) {
        self.addresses.insert(session, address);
        *self.counts.entry(address).or_default() += 1;
    }

    fn leave(&mut self, session: u64) {
        let Some(address) = self.addresses.remove(&session) else { return };
        if let Some(count) = self.counts.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&address);
            }
        }
    }
}

/// Whether a connection may become a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Granted,
    /// Its peer is to be told that it failed for now, for this reason.
    Denied(Refusal),
}

impl Guests {
    pub(super) fn new(allowance: Allowance, log: Arc<Log>) -> Guests {
        let (door, present, news) = (Mutex::default(), Mutex::default(), Mutex::default());
        Guests { allowance, log, door, present, news }
    }

    /// To be held while a connection is accepted and becomes a session, if those are counted.
    pub(super) fn door(&self) -> Option<MutexGuard<'_, ()>> {
        let unlimited = self.allowance.sessions == usize::MAX && !self.counts_addresses();
        (!unlimited).then(|| self.door.lock())
    }

    /// Whether sessions are counted by address.
    pub(super) fn counts_addresses(&self) -> bool {
        self.allowance.sessions_of_one < usize::MAX
    }

    /// Whether no connection is to be accepted while there are so many sessions.
    pub(super) fn have_to_wait(&self, sessions: usize, now: Time) -> bool {
        let wait = sessions >= self.allowance.sessions && self.allowance.surplus == Surplus::Waits;
        if wait {
            self.tell(now, || {
                format!(
                    "{sessions} sessions are open, and no more are allowed; connections wait until \
                     one ends (see LIBMILTER_MAX_SESSIONS)"
                )
            });
        }
        wait
    }

    /// Whether a connection just accepted may become a session beside so many.
    pub(super) fn admit(&self, sessions: usize, address: Option<IpAddr>, now: Time) -> Admission {
        if sessions >= self.allowance.sessions {
            self.tell(now, || {
                format!(
                    "{sessions} sessions are open, and no more are allowed; a connection got a \
                     temporary failure (see LIBMILTER_MAX_SESSIONS)"
                )
            });
            return Admission::Denied(Refusal::Sessions);
        }
        let Some(address) = address else { return Admission::Granted };
        let mut present = self.present.lock();
        let count = present.count(address);
        if count >= self.allowance.sessions_of_one {
            self.tell(now, || {
                format!(
                    "{address} has {count} sessions open, and no more are allowed; a connection got \
                     a temporary failure (see LIBMILTER_MAX_SESSIONS_PER_PEER)"
                )
            });
            return Admission::Denied(Refusal::Peer);
        }
        // Nobody else takes it while the door is held.
        if !present.make_room() {
            self.tell(now, || {
                "memory has run out; a connection got a temporary failure".to_owned()
            });
            return Admission::Denied(Refusal::NoMemory);
        }
        Admission::Granted
    }

    /// Takes note of a session of an address that counts.
    pub(super) fn enter(&self, session: u64, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.present.lock().enter(session, address);
        }
    }

    /// Takes note that a session has ended.
    pub(super) fn leave(&self, session: u64) {
        if self.counts_addresses() {
            self.present.lock().leave(session);
        }
    }

    /// Whether the bytes that a session keeps are limited.
    #[inline]
    pub(super) fn limit_bytes(&self) -> bool {
        self.allowance.bytes < usize::MAX
    }

    /// Whether a session may keep so many bytes.
    pub(super) fn may_keep(&self, session: u64, bytes: usize, now: Time) -> bool {
        let limit = self.allowance.bytes;
        if bytes > limit {
            self.tell(now, || {
                format!(
                    "session {session}: {bytes} bytes to keep for the MTA, where {limit} are allowed; \
                     closing the connection (see LIBMILTER_MAX_SESSION_BYTES)"
                )
            });
        }
        bytes <= limit
    }

    /// Logs what a limit has kept from happening, once a minute at most.
    fn tell(&self, now: Time, text: impl FnOnce() -> String) {
        let Some(untold) = self.news.lock().admit(now) else { return };
        self.log.line(Priority::Warning, &format!("{}{untold}", text()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_while_they_have_sessions() {
        let mut present = Present::default();
        let [one, two] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        present.enter(1, one);
        present.enter(2, one);
        present.enter(3, two);
        assert_eq!([present.count(one), present.count(two)], [2, 1]);
        present.leave(1);
        present.leave(1);
        present.leave(3);
        assert_eq!([present.count(one), present.count(two)], [1, 0]);
        assert_eq!((present.addresses.len(), present.counts.len()), (1, 1));
    }
}
