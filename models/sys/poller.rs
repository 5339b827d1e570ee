//! What is watched, and waits for it.

use super::{KERNEL, State, number};
use std::io;
use std::time::Duration;

pub trait Source {
    fn id(&self) -> usize;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    Level,
    Shared,
    Room,
}

pub(super) struct Watched {
    poller: usize,
    source: usize,
    key: u64,
    watch: Watch,
}

impl Watched {
    fn is_ready(&self, state: &State) -> bool {
        match self.watch {
            Watch::Level | Watch::Shared => state.readable.contains(&self.source),
            Watch::Room => !state.full.contains(&self.source),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(Option<Duration>);

impl Timeout {
    pub const NONE: Timeout = Timeout(None);

    pub fn new(timeout: Option<Duration>) -> Timeout {
        Timeout(timeout)
    }
}

#[derive(Default)]
pub struct Events(Vec<u64>);

impl Events {
    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }
}

#[derive(Debug)]
pub struct Poller(usize);

impl Poller {
    pub fn new() -> io::Result<Poller> {
        Ok(Poller(number()))
    }

    pub fn is_intact(&self) -> bool {
        true
    }

    pub fn add(&self, source: &impl Source, key: u64, watch: Watch) -> io::Result<()> {
        let mut state = KERNEL.state.lock().unwrap();
        let (poller, source) = (self.0, source.id());
        let twice = state.watched.iter().any(|w| w.poller == poller && w.source == source);
        assert!(!twice, "watched twice");
        state.watched.push(Watched { poller, source, key, watch });
        drop(state);
        KERNEL.news.notify_all();
        Ok(())
    }

    pub fn change(&self, source: &impl Source, key: u64, watch: Watch) -> io::Result<()> {
        let mut state = KERNEL.state.lock().unwrap();
        let mut all = state.watched.iter_mut();
        let watched = all.find(|w| w.poller == self.0 && w.source == source.id());
        let watched = watched.ok_or(io::ErrorKind::NotFound)?;
        (watched.key, watched.watch) = (key, watch);
        drop(state);
        KERNEL.news.notify_all();
        Ok(())
    }

    pub fn delete(&self, source: &impl Source) -> bool {
        let mut state = KERNEL.state.lock().unwrap();
        let before = state.watched.len();
        state.watched.retain(|w| w.poller != self.0 || w.source != source.id());
        state.watched.len() < before
    }

    /// A model has no time: waits for ever.
    pub fn wait(&self, events: &mut Events, _: &Timeout) -> io::Result<()> {
        events.0.clear();
        let mut state = KERNEL.state.lock().unwrap();
        loop {
            let mine = state.watched.iter().filter(|w| w.poller == self.0);
            events.0.extend(mine.filter(|w| w.is_ready(&state)).map(|w| w.key));
            if !events.0.is_empty() {
                return Ok(());
            }
            state = KERNEL.news.wait(state).unwrap();
        }
    }
}

pub fn is_shortage(_error: &io::Error) -> bool {
    false
}
