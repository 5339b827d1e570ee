//! The files of the runtime, and the models of them.

#[path = "../../src/runtime/allowance.rs"]
mod allowance;
#[path = "../../src/runtime/batch.rs"]
mod batch;
mod connection;
#[path = "../../src/runtime/crew.rs"]
mod crew;
#[path = "../../src/runtime/deadlines.rs"]
mod deadlines;
#[path = "../../src/runtime/errand.rs"]
mod errand;
#[path = "../../src/runtime/event_loop.rs"]
mod event_loop;
#[path = "../../src/runtime/lifecycle.rs"]
mod lifecycle;
#[path = "../../src/runtime/linger.rs"]
mod linger;
mod log;
mod loops;
#[path = "../../src/runtime/lost.rs"]
mod lost;
#[path = "../../src/runtime/news.rs"]
mod news;
#[path = "../../src/runtime/options.rs"]
mod options;
mod output;
#[path = "../../src/runtime/owner.rs"]
mod owner;
#[path = "../../src/runtime/patience.rs"]
mod patience;
#[path = "../../src/runtime/pool.rs"]
mod pool;
mod pools;
#[path = "../../src/runtime/slots.rs"]
mod slots;
#[path = "../../src/runtime/stop.rs"]
mod stop;
mod stops;
#[path = "../../src/runtime/tenure.rs"]
mod tenure;
#[path = "../../src/runtime/turn.rs"]
mod turn;
mod turns;
#[path = "../../src/runtime/wake_up.rs"]
mod wake_up;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs every model.
pub fn all() {
    let models: Vec<(&str, fn())> =
        [turns::MODELS, stops::MODELS, pools::MODELS, loops::MODELS].concat();
    for (name, model) in models {
        let start = std::time::Instant::now();
        let mut builder = loom::model::Builder::new();
        // Switches away from a thread that could go on; faults that need more are rare.
        builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(3));
        let orders = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&orders);
        builder.check(move || {
            count.fetch_add(1, Ordering::Relaxed);
            model();
        });
        let orders = orders.load(Ordering::Relaxed);
        assert!(orders > 1, "{name}: nothing in it can come in another order");
        println!("{name}: holds in {orders} orders ({:.1} s)", start.elapsed().as_secs_f64());
    }
}
