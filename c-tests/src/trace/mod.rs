//! Scripted sessions: one trace filter, told what to do, watched from the MTA's side.
//!
//! ```text
//! text        words, quoted bytes, repetition
//! command     `M <a@b>` -> packet bytes
//! script      `eom: addheader X v; return accept` -> lines for milters/trace.c
//! session     a file of sessions -> Vec<Session>
//! process     starts the filter of a registration with one library
//! play        sends a session, collects replies and trace
//! transcript  both, normalised
//! ```

pub mod command;
pub mod matrix;
pub mod play;
pub mod process;
pub mod script;
pub mod session;
pub mod suite;
pub mod text;
pub mod transcript;

pub use process::{Registration, TraceMilter};
pub use session::Session;
pub use transcript::Transcript;
