//! What waits for a thread.

use loom::sync::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
struct Queue<T>(Mutex<VecDeque<T>>, Condvar);

#[derive(Debug)]
pub struct Sender<T>(Arc<Queue<T>>);

#[derive(Debug)]
pub struct Receiver<T>(Arc<Queue<T>>);

pub enum RecvTimeoutError {
    Timeout,
    Disconnected,
}

pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let queue = Arc::new(Queue(Mutex::new(VecDeque::new()), Condvar::new()));
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Sender<T> {
    pub fn send(&self, value: T) -> Result<(), T> {
        self.0.0.lock().unwrap().push_back(value);
        self.0.1.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// A model has no time.
    pub fn recv_timeout(&self, _: Duration) -> Result<T, RecvTimeoutError> {
        let mut queue = self.0.0.lock().unwrap();
        loop {
            if let Some(value) = queue.pop_front() {
                return Ok(value);
            }
            queue = self.0.1.wait(queue).unwrap();
        }
    }
}
