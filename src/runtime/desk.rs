//! The socket on which whoever connects gets statistics: a few at a time, so many a second, without
//! waiting for any of them.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inquirer::{Inquirer, Pages, Then};
use super::log::Log;
use crate::net::listener::Listener;
use crate::sys::log::Priority;
use crate::sys::poller::{Poller, Watch};
use crate::sys::{flags, socket};

/// Keys of a poller from here on are the desk's.
pub(super) const FIRST_KEY: u64 = 1;
const LISTENER_KEY: u64 = FIRST_KEY;
const FIRST_INQUIRER_KEY: u64 = FIRST_KEY + 1;
/// Who are served at a time; others wait in the backlog.
const INQUIRERS_MAX: usize = 8;
/// Who are served in one second.
const RATE_MAX: u32 = 64;
const SECOND: Duration = Duration::from_secs(1);

/// The desk of a run, served by the supervisor.
#[derive(Debug)]
pub(super) struct Desk {
    listener: Option<Listener>,
    inquirers: [Option<Inquirer>; INQUIRERS_MAX],
    /// The second that those who come are counted in, and how many have.
    window: (Instant, u32),
    /// Whether the listener is watched.
    open: bool,
    log: Arc<Log>,
}

impl Desk {
    pub(super) fn new(listener: Listener, log: Arc<Log>) -> Desk {
        let inquirers = [const { None }; INQUIRERS_MAX];
        Desk { listener: Some(listener), inquirers, window: (Instant::now(), 0), open: false, log }
    }

    /// Goes on with those of whom there is news, and those whose time is over.
    pub(super) fn attend(
        &mut self,
        poller: &Poller,
        keys: impl Iterator<Item = u64>,
        pages: &mut Pages<'_>,
    ) {
        flags::apart(|| {
            for key in keys {
                match key {
                    LISTENER_KEY => self.accept(poller, pages),
                    FIRST_INQUIRER_KEY.. => {
                        self.go_on(poller, (key - FIRST_INQUIRER_KEY) as usize, pages);
                    }
                    _ => {}
                }
            }
            let now = Instant::now();
            for place in 0..INQUIRERS_MAX {
                let due = self.inquirers.get(place).and_then(Option::as_ref);
                if due.is_some_and(|inquirer| inquirer.deadline() <= now) {
                    self.go_on(poller, place, pages);
                }
            }
            self.watch(poller, now);
        });
    }

    /// How long until it is to be attended to whether or not there is news.
    pub(super) fn patience(&self) -> Option<Duration> {
        let deadlines = self.inquirers.iter().flatten().map(Inquirer::deadline);
        let closed = self.listener.is_some() && !self.open && self.has_place();
        let next = deadlines.chain(closed.then_some(self.window.0 + SECOND)).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Looks whether the filter has closed the socket.
    pub(super) fn check(&mut self) {
        if self.listener.take_if(|listener| !listener.is_intact()).is_some() {
            let text = "the socket of LIBMILTER_STATS was closed by the filter; there are no more \
                        statistics";
            self.log.line(Priority::Warning, text);
        }
    }

    fn has_place(&self) -> bool {
        self.inquirers.iter().any(Option::is_none)
    }

    /// Watches the listener while there is room for one more.
    fn watch(&mut self, poller: &Poller, now: Instant) {
        if now.saturating_duration_since(self.window.0) >= SECOND {
            self.window = (now, 0);
        }
        let Some(listener) = &self.listener else { return };
        let wanted = self.window.1 < RATE_MAX && self.has_place();
        if wanted != self.open {
            if wanted {
                // Where the system has no room for it, it is tried again a second later.
                self.open = poller.add(listener, LISTENER_KEY, Watch::Level).is_ok();
            } else {
                poller.delete(listener);
                self.open = false;
            }
        }
    }

    fn accept(&mut self, poller: &Poller, pages: &mut Pages<'_>) {
        while self.window.1 < RATE_MAX {
            let Some(place) = self.inquirers.iter().position(Option::is_none) else { return };
            let Some(listener) = &self.listener else { return };
            self.window.1 += 1;
            match socket::accept(listener) {
                Ok(fd) => {
                    let inquirer = Inquirer::new(fd);
                    let key = FIRST_INQUIRER_KEY + place as u64;
                    if poller.add(&inquirer, key, Watch::Level).is_ok() {
                        if let Some(free) = self.inquirers.get_mut(place) {
                            *free = Some(inquirer);
                        }
                        self.go_on(poller, place, pages);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.window.1 -= 1;
                    return;
                }
                Err(error) if socket::is_passing(&error) => {}
                // For want of descriptors or memory: they wait.
                Err(_) => {
                    self.window = (Instant::now(), RATE_MAX);
                    return;
                }
            }
        }
    }

    fn go_on(&mut self, poller: &Poller, place: usize, pages: &mut Pages<'_>) {
        let Some(held) = self.inquirers.get_mut(place) else { return };
        let Some(inquirer) = held else { return };
        flags::begin();
        let then = inquirer.go_on(pages);
        let key = FIRST_INQUIRER_KEY + place as u64;
        let goes_on = match then {
            Then::Asked => true,
            Then::Full => poller.change(inquirer.as_fd(), key, Watch::Room).is_ok(),
            Then::Close => false,
        };
        if !goes_on || flags::ran_short() {
            poller.delete(inquirer.as_fd());
            *held = None;
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.take_file_away();
        }
    }
}
