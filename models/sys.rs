//! What the system is to the runtime, in `loom`'s words.

use loom::sync::{Condvar, Mutex};
use std::collections::BTreeSet;

/// Sources that can be read, and who watches them.
#[derive(Default)]
struct State {
    sources: usize,
    readable: BTreeSet<usize>,
    watched: Vec<Watched>,
}

struct Watched {
    poller: usize,
    source: usize,
    key: u64,
    edge: bool,
    /// News that no wait has told yet.
    news: bool,
}

struct Kernel {
    state: Mutex<State>,
    news: Condvar,
}

loom::lazy_static! {
    static ref KERNEL: Kernel = Kernel { state: Mutex::new(State::default()), news: Condvar::new() };
}

/// A number for something that can be watched.
fn number() -> usize {
    let mut state = KERNEL.state.lock().unwrap();
    state.sources += 1;
    state.sources
}

/// Something has arrived.
fn arrive(source: usize) {
    let mut state = KERNEL.state.lock().unwrap();
    state.readable.insert(source);
    for watched in state.watched.iter_mut().filter(|watched| watched.source == source) {
        watched.news = true;
    }
    drop(state);
    KERNEL.news.notify_all();
}

fn receive(source: usize) -> bool {
    KERNEL.state.lock().unwrap().readable.remove(&source)
}

/// A session's socket.
#[derive(Debug)]
pub struct Socket(usize);

impl Socket {
    pub fn new() -> Socket {
        Socket(number())
    }

    pub fn arrive(&self) {
        arrive(self.0);
    }

    /// Whether there was something.
    pub fn receive(&self) -> bool {
        receive(self.0)
    }

    pub fn number(&self) -> usize {
        self.0
    }
}

pub mod poller {
    use super::{KERNEL, Watched, number};
    use std::io;
    use std::time::Duration;

    pub trait Source {
        fn id(&self) -> usize;
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Watch {
        Level,
        Shared,
        Edge,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Ready {
        pub key: u64,
        pub last: bool,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Timeout(Option<Duration>);

    impl Timeout {
        pub const NONE: Timeout = Timeout(None);
        pub const NOW: Timeout = Timeout(Some(Duration::ZERO));

        pub fn new(timeout: Option<Duration>) -> Timeout {
            Timeout(timeout)
        }
    }

    #[derive(Default)]
    pub struct Events(Vec<u64>);

    impl Events {
        pub fn get(&self, n: usize) -> Option<Ready> {
            self.0.get(n).map(|&key| Ready { key, last: false })
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
            let news = state.readable.contains(&source.id());
            let edge = watch == Watch::Edge;
            let (poller, source) = (self.0, source.id());
            let twice = state.watched.iter().any(|w| w.poller == poller && w.source == source);
            assert!(!twice, "watched twice");
            state.watched.push(Watched { poller, source, key, edge, news });
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

        /// A model has no time: waits for ever or not at all.
        pub fn wait(&self, events: &mut Events, timeout: &Timeout) -> io::Result<()> {
            events.0.clear();
            let mut state = KERNEL.state.lock().unwrap();
            loop {
                let super::State { watched, readable, .. } = &mut *state;
                for w in watched.iter_mut().filter(|w| w.poller == self.0) {
                    if if w.edge { w.news } else { readable.contains(&w.source) } {
                        w.news = false;
                        events.0.push(w.key);
                    }
                }
                if !events.0.is_empty() || *timeout == Timeout::NOW {
                    return Ok(());
                }
                state = KERNEL.news.wait(state).unwrap();
            }
        }
    }

    pub fn is_shortage(_error: &io::Error) -> bool {
        false
    }
}

pub mod waker {
    use super::{KERNEL, arrive, number, poller::Source, receive};
    use std::io;
    use std::sync::OnceLock;

    #[derive(Debug)]
    pub struct Waker(usize);

    impl Waker {
        pub fn new() -> io::Result<Waker> {
            Ok(Waker(number()))
        }

        pub fn wake(&self) -> bool {
            arrive(self.0);
            true
        }

        pub fn clear(&self) {
            let _woken = receive(self.0);
        }

        pub fn is_intact(&self) -> bool {
            true
        }

        /// Waits for a wake-up, and takes it.
        pub fn wait(&self) {
            let mut state = KERNEL.state.lock().unwrap();
            while !state.readable.remove(&self.0) {
                state = KERNEL.news.wait(state).unwrap();
            }
        }
    }

    impl Source for Waker {
        fn id(&self) -> usize {
            self.0
        }
    }

    #[derive(Debug)]
    pub struct ProcessWaker(OnceLock<Waker>);

    impl ProcessWaker {
        pub const fn new() -> ProcessWaker {
            ProcessWaker(OnceLock::new())
        }

        pub fn get(&self) -> Option<&'static Waker> {
            // SAFETY: the models never free what has a waker.
            self.0.get().map(|waker| unsafe { &*std::ptr::from_ref(waker) })
        }

        pub fn renew(&self) -> io::Result<&'static Waker> {
            if self.0.get().is_none() {
                let _first = self.0.set(Waker::new()?);
            }
            self.get().ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }
}

pub mod sync {
    //! Atomic operations. `loom` takes sequential consistency for less than it is; between fences it
    //! knows it.

    use loom::sync::atomic::fence;
    use std::sync::OnceLock;
    pub use std::sync::atomic::Ordering;

    fn strong(ordering: Ordering) {
        if ordering == Ordering::SeqCst {
            fence(Ordering::SeqCst);
        }
    }

    macro_rules! atomic {
        ($name:ident, $value:ty, $($method:ident),*) => {
            #[derive(Debug)]
            pub struct $name {
                first: $value,
                // Made when it is used first, as `loom` can't make one in a constant: a model uses each
                // before it has threads.
                atomic: OnceLock<loom::sync::atomic::$name>,
            }

            impl Default for $name {
                fn default() -> $name {
                    let new = $name::new(<$value>::default());
                    new.atomic();
                    new
                }
            }

            impl $name {
                pub const fn new(first: $value) -> $name {
                    $name { first, atomic: OnceLock::new() }
                }

                fn atomic(&self) -> &loom::sync::atomic::$name {
                    self.atomic.get_or_init(|| loom::sync::atomic::$name::new(self.first))
                }

                pub fn load(&self, ordering: Ordering) -> $value {
                    strong(ordering);
                    self.atomic().load(ordering)
                }

                pub fn store(&self, value: $value, ordering: Ordering) {
                    self.atomic().store(value, ordering);
                    strong(ordering);
                }

                pub fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    update: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    self.atomic().fetch_update(success, failure, update)
                }

                pub fn compare_exchange(
                    &self,
                    old: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.atomic().compare_exchange(old, new, success, failure)
                }

                $(pub fn $method(&self, value: $value, ordering: Ordering) -> $value {
                    let before = self.atomic().$method(value, ordering);
                    strong(ordering);
                    before
                })*
            }
        };
    }

    atomic!(AtomicBool, bool, swap);
    atomic!(AtomicU8, u8, swap, fetch_max);
    atomic!(AtomicU32, u32, swap);
    atomic!(AtomicU64, u64, swap, fetch_add);
    atomic!(AtomicUsize, usize, swap, fetch_add, fetch_sub);
}

pub mod jitter {
    pub fn jitter() {}

    #[derive(Debug, Default)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }
}

pub mod queue {
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
}

pub mod thread {
    #[derive(Debug)]
    pub struct Thread(Option<loom::thread::JoinHandle<()>>);

    impl Thread {
        pub fn try_join(mut self) -> Result<(), Thread> {
            self.0.take().map(|thread| thread.join().unwrap());
            Ok(())
        }
    }

    pub fn spawn(_name: &str, body: impl FnOnce() + 'static) -> std::io::Result<Thread> {
        Ok(Thread(Some(loom::thread::spawn(body))))
    }

    pub fn is_leaving() -> bool {
        false
    }

    #[derive(Debug)]
    pub struct StateView;

    impl StateView {
        pub fn own() -> Option<StateView> {
            None
        }

        pub fn could_run(&self) -> bool {
            false
        }
    }
}

pub mod clock {
    use std::time::Duration;

    /// A model has no time.
    pub fn beat(interval: impl FnOnce() -> Option<Duration>) -> Option<Duration> {
        interval()
    }
}

pub mod socket {
    pub fn is_connection(_: &impl super::poller::Source) -> bool {
        true
    }
}

pub mod log {
    pub enum Priority {
        Error,
    }
}
