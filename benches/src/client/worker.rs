//! One thread of the generator.

use super::connection::{Connection, open, receive, send_some};
use super::outcome::Outcome;
use super::plan::{Plan, Shared};
use c_tests::{Error, Result};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Events taken in one call.
const EVENTS: usize = 256;
/// How often a thread without events looks whether the run is over.
const LOOK: Duration = Duration::from_millis(20);
/// Pause before another try to connect to a filter whose backlog is full.
const RETRY: Duration = Duration::from_micros(500);

struct Worker<'a> {
    plan: &'a Plan,
    shared: &'a Shared,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// When which connection goes on.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    room: Vec<u8>,
    outcome: Outcome,
    /// The time as of the last event.
    now: Instant,
}

/// Serves every `threads`-th connection of the plan until the run is stopped.
pub(super) fn work(plan: &Plan, shared: &Shared, number: usize, begin: Instant) -> Result<Outcome> {
    let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(|e| Error::new("epoll_create", e))?;
    let mut worker = Worker {
        plan,
        shared,
        epoll,
        connections: Vec::new(),
        timers: BinaryHeap::new(),
        room: vec![0; 64 << 10],
        outcome: Outcome::new(),
        now: begin,
    };
    let all = plan.connections;
    for n in (number..all).step_by(plan.threads.max(1)) {
        let after = plan.spread.mul_f64(n as f64 / all as f64);
        worker.timers.push(Reverse((begin + after, worker.connections.len())));
        worker.connections.push(Connection::new(begin));
    }
    worker.run()?;
    Ok(worker.into_outcome())
}

impl Worker<'_> {
    fn run(&mut self) -> Result<()> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        while !self.shared.stop.load(Ordering::Relaxed) {
            events.clear();
            let timeout = self.timeout();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, room, Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(Error::new("epoll_wait", errno)),
            }
            for event in &events {
                self.ready(event.data.u64() as usize)?;
            }
            self.now = Instant::now();
            while let Some(Reverse((at, n))) = self.timers.peek().copied() {
                if at > self.now {
                    break;
                }
                self.timers.pop();
                self.go(n)?;
            }
        }
        Ok(())
    }

    fn timeout(&self) -> Timespec {
        let next = self.timers.peek().map_or(LOOK, |Reverse((at, _))| {
            at.saturating_duration_since(Instant::now()).min(LOOK)
        });
        Timespec { tv_sec: 0, tv_nsec: next.subsec_nanos().into() }
    }

    /// A connection can be read, or written if it waits for that.
    fn ready(&mut self, n: usize) -> Result<()> {
        let Some(connection) = self.connections.get_mut(n) else { return Ok(()) };
        let Some(socket) = &connection.socket else { return Ok(()) };
        if connection.wants_room {
            return self.go(n);
        }
        let step = &self.plan.script.steps[connection.step];
        let expected = match connection.waiting {
            true => &self.plan.script.bytes[step.expect.start + connection.got..step.expect.end],
            // Nothing may come now: not even the end of the stream.
            false => &[],
        };
        connection.got += receive(socket, expected, &mut self.room, step.letter)?;
        if connection.waiting && connection.got == step.expect.len() {
            self.replied(n)?;
        }
        Ok(())
    }

    /// A reply is complete.
    fn replied(&mut self, n: usize) -> Result<()> {
        self.now = Instant::now();
        let connection = &mut self.connections[n];
        let step = &self.plan.script.steps[connection.step];
        connection.waiting = false;
        let recording = self.shared.recording.load(Ordering::Relaxed);
        let took = self.now.duration_since(connection.sent_at);
        if recording {
            self.outcome.commands.saturating_record(took.as_nanos() as u64);
            self.outcome.longest = self.outcome.longest.max(took);
        }
        if step.ends {
            connection.messages += 1;
            self.shared.messages.fetch_add(1, Ordering::Relaxed);
            if recording {
                connection.recorded += 1;
                self.outcome.ends.saturating_record(took.as_nanos() as u64);
                let took = self.now.duration_since(connection.begun_at);
                self.outcome.messages.saturating_record(took.as_nanos() as u64);
            }
            if self.plan.messages_each == Some(connection.messages) {
                self.shared.complete.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
        if step.ends && self.plan.reuse {
            connection.step = self.plan.script.again;
            connection.begun_at = self.now;
        } else {
            connection.step += 1;
        }
        self.step(n)
    }

    /// Begins the current step, after a pause if there is to be one.
    fn step(&mut self, n: usize) -> Result<()> {
        let step = &self.plan.script.steps[self.connections[n].step];
        if step.turn && !self.plan.pause.is_zero() {
            self.timers.push(Reverse((self.now + self.plan.pause, n)));
            return Ok(());
        }
        self.go(n)
    }

    /// Sends steps until one waits for its reply, for room or for its time.
    fn go(&mut self, n: usize) -> Result<()> {
        loop {
            if self.connections[n].socket.is_none() && !self.connect(n)? {
                return Ok(());
            }
            if !self.send(n)? {
                return Ok(());
            }
            let connection = &mut self.connections[n];
            let step = &self.plan.script.steps[connection.step];
            if !step.expect.is_empty() {
                connection.waiting = true;
                return Ok(());
            }
            if step.hangup {
                connection.socket = None;
                connection.step = 0;
            } else {
                connection.step += 1;
                let pauses = self.plan.script.steps[connection.step].turn;
                if pauses && !self.plan.pause.is_zero() {
                    self.timers.push(Reverse((self.now + self.plan.pause, n)));
                    return Ok(());
                }
            }
        }
    }

    /// Makes the connection; `false` if that has to be tried again later.
    fn connect(&mut self, n: usize) -> Result<bool> {
        let Some(socket) = open(&self.plan.address)? else {
            self.timers.push(Reverse((self.now + RETRY, n)));
            return Ok(false);
        };
        epoll::add(&self.epoll, &socket, EventData::new_u64(n as u64), EventFlags::IN)
            .map_err(|e| Error::new("epoll_ctl", e))?;
        let connection = &mut self.connections[n];
        connection.socket = Some(socket);
        connection.begun_at = self.now;
        connection.sent_at = self.now;
        Ok(true)
    }

    /// Sends the rest of the current step; `false` if there is no room for it.
    fn send(&mut self, n: usize) -> Result<bool> {
        let connection = &mut self.connections[n];
        let Some(socket) = &connection.socket else { return Ok(false) };
        let step = &self.plan.script.steps[connection.step];
        let rest = &self.plan.script.bytes[step.send.start + connection.sent..step.send.end];
        if connection.sent == 0 {
            connection.got = 0;
            connection.sent_at = self.now;
        }
        let sent = send_some(socket, rest)?;
        let complete = sent == rest.len();
        if complete == connection.wants_room {
            let room = if complete { EventFlags::empty() } else { EventFlags::OUT };
            epoll::modify(&self.epoll, socket, EventData::new_u64(n as u64), EventFlags::IN | room)
                .map_err(|e| Error::new("epoll_ctl", e))?;
            connection.wants_room = !complete;
        }
        connection.sent = if complete { 0 } else { connection.sent + sent };
        Ok(complete)
    }

    /// Adds the waits that have not ended.
    fn into_outcome(mut self) -> Outcome {
        let now = Instant::now();
        for connection in &self.connections {
            if connection.waiting || connection.wants_room {
                let waited = now.duration_since(connection.sent_at);
                self.outcome.longest = self.outcome.longest.max(waited);
            }
            self.outcome.each.push(connection.recorded);
        }
        self.outcome
    }
}
