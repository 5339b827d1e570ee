//! The C boundary: types, callbacks, and the exported functions.
//!
//! The exported functions check their pointers and hand on to the layers below; nothing else
//! happens here. `include/libmilter/libmilter.h` is generated from [`types`] and from the
//! functions' comments.

mod arguments;
mod call;
mod callbacks;
mod changes;
mod guard;
mod macros;
mod process;
mod progress;
mod reply;
mod run;
mod setmlreply;
mod settings;
mod socket;
mod statistics;
mod trace;
pub mod types;
mod variables;

pub use changes::*;
pub use macros::*;
pub use process::*;
pub use progress::*;
pub use reply::*;
pub use run::*;
pub use setmlreply::smfi_setmlreply;
