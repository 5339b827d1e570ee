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
    Edge,
}

pub const KEY_BITS: u32 = 63;

/// Events taken in one call.
pub const BATCH: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready(pub u64);

impl Ready {
    pub fn key(self) -> u64 {
        self.0
    }
}

pub(super) struct Watched {
    poller: usize,
    source: usize,
    key: u64,
    watch: Watch,
    /// Something has arrived since the last wait told of it.
    news: bool,
}

impl Watched {
    fn is_ready(&self, state: &State) -> bool {
        match self.watch {
            Watch::Level | Watch::Shared => state.readable.contains(&self.source),
            Watch::Room => !state.full.contains(&self.source),
            Watch::Edge => self.news && state.readable.contains(&self.source),
        }
    }

    /// Takes note that something has arrived.
    pub(super) fn arrived(&mut self, source: usize) {
        self.news |= self.source == source;
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
pub struct Events(Vec<Ready>);

impl Events {
    pub fn ready(&self) -> impl DoubleEndedIterator<Item = Ready> + ExactSizeIterator + '_ {
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
        state.watched.push(Watched { poller, source, key, watch, news: true });
        drop(state);
        KERNEL.news.notify_all();
        Ok(())
    }

    pub fn change(&self, source: &impl Source, key: u64, watch: Watch) -> io::Result<()> {
        let mut state = KERNEL.state.lock().unwrap();
        let mut all = state.watched.iter_mut();
        let watched = all.find(|w| w.poller == self.0 && w.source == source.id());
        let watched = watched.ok_or(io::ErrorKind::NotFound)?;
        (watched.key, watched.watch, watched.news) = (key, watch, true);
        drop(state);
        KERNEL.news.notify_all();
        Ok(())
    }

    pub fn again(&self, source: &impl Source, key: u64) -> io::Result<()> {
        self.change(source, key, Watch::Edge)
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
            let is_told = |w: &&Watched| w.poller == self.0 && w.is_ready(&state);
            events.0.extend(state.watched.iter().filter(is_told).take(BATCH).map(|w| Ready(w.key)));
            if !events.0.is_empty() {
                let keys = &events.0;
                let told = |w: &&mut Watched| w.poller == self.0 && keys.contains(&Ready(w.key));
                state.watched.iter_mut().filter(told).for_each(|w| w.news = false);
                return Ok(());
            }
            state = KERNEL.news.wait(state).unwrap();
        }
    }
}

pub fn is_shortage(_error: &io::Error) -> bool {
    false
}
