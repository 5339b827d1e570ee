//! Serving connections: event loops, the elastic pool, deadlines, signals, stopping.
//!
//! A few event loops, about one a core, each owned by one thread at a time. The owner waits, reads
//! what is there, runs the callbacks and answers; nothing passes from one thread to another. When
//! a callback takes long, the supervisor (the thread that called `smfi_main`) takes the loop with
//! all other sessions away from the blocked thread and gives it to a spare one; the blocked thread
//! finishes its packet, puts its session back into a loop and becomes a spare itself. Callbacks
//! known to be slow start on a spare thread right away.
//!
//! On request a session has a thread of its own instead, for filters that keep data by thread.
//!
//! No lock is held while a callback runs, and a session is owned by exactly one thread or loop at
//! any time, so its callbacks never run on two threads at once.

mod accept;
mod agenda;
mod allowance;
mod attended;
mod balance;
mod batch;
mod conduct;
mod connection;
mod counted;
mod crew;
mod deadlines;
mod desk;
mod drive;
mod entrance;
mod errand;
mod estimates;
mod event_loop;
mod exposition;
mod guests;
mod held;
mod histogram;
mod inquirer;
mod inquiry;
mod job;
mod lifecycle;
mod linger;
mod log;
mod lost;
mod message;
mod moment;
mod news;
mod options;
mod output;
mod overdue;
mod own_thread;
mod owner;
mod packets;
mod partial;
mod patience;
mod placement;
mod pool;
mod readings;
mod receive;
mod run;
mod running;
mod serve;
mod service;
mod signals;
mod slots;
mod spare;
mod stop;
mod subject;
mod supervisor;
mod tally;
mod tenure;
mod trace;
mod trace_capture;
mod trace_json;
mod trace_text;
mod traced;
mod turn;
mod wake_up;
mod watchdog;
mod way;
mod work;

pub use allowance::{Allowance, Surplus};
pub use log::{Log, panicked};
pub use options::{Options, STOP_LIMIT, Threads};
pub use patience::Patience;
pub use serve::{ServeError, serve};
pub use stop::{Control, Level, Running};
pub use trace::{Format, Trace, Traces};
