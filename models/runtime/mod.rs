//! The files of the runtime, and the models of them.

#[path = "../../src/runtime/allowance.rs"]
mod allowance;
#[path = "../../src/runtime/crew.rs"]
mod crew;
#[path = "../../src/runtime/lifecycle.rs"]
mod lifecycle;
mod log;
#[path = "../../src/runtime/lost.rs"]
mod lost;
#[path = "../../src/runtime/options.rs"]
mod options;
mod output;
#[path = "../../src/runtime/pool.rs"]
mod pool;
mod pools;
#[path = "../../src/runtime/stop.rs"]
mod stop;
mod stops;
#[path = "../../src/runtime/turn.rs"]
mod turn;
mod turns;

/// Runs every model.
pub fn all() {
    let models: Vec<(&str, fn())> = [turns::MODELS, stops::MODELS, pools::MODELS].concat();
    for (name, model) in models {
        let start = std::time::Instant::now();
        let mut builder = loom::model::Builder::new();
        // Switches away from a thread that could go on; faults that need more are rare.
        builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(2));
        builder.check(model);
        println!("{name}: holds ({:.1} s)", start.elapsed().as_secs_f64());
    }
}
