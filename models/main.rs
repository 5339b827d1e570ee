//! Models of where threads meet in `src/runtime`, run in every order that memory allows.
//!
//! The files of the runtime are the real ones; what is below them is played (`sys.rs`), so that `loom`
//! sees each lock, each atomic operation and each wait. `scripts/models.sh` runs them; without
//! `--cfg loom` there is nothing here.

#![allow(dead_code, missing_docs, unreachable_pub, reason = "the models use a part of the files")]

#[cfg(loom)]
mod net;
#[cfg(loom)]
mod runtime;
#[cfg(loom)]
mod sys;

fn main() {
    #[cfg(loom)]
    runtime::all();
}
