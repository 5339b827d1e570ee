//! Fuzz targets: the pure layers of libmilter, compiled without the C boundary, beside simple models.
//!
//! ```text
//! frames         packets in place, the stream cut anywhere, beside a walk over the whole stream
//! macros         storing, clearing and looking up, beside a list of names and values
//! session        a whole connection: any packets, callbacks that make any calls and return anything
//! replies        the rules of smfi_setreply and smfi_setmlreply, beside rules written from scratch
//! conn_spec      connection specifications, beside a grammar written from scratch
//! differential   the same session with sendmail's library and ours, each in a process of its own
//! ```
//!
//! A target panics where the library does what it must not. That each can is shown by the bugs of
//! `src/proto/planted.rs`, which scripts/fuzz.sh turns on one by one.

#![allow(dead_code, unreachable_pub, missing_docs, reason = "the layers are used in part")]

#[path = "../../src/net/conn_spec.rs"]
pub mod conn_spec;
#[path = "../../src/runtime/partial.rs"]
mod partial;
#[path = "../../src/proto/mod.rs"]
pub mod proto;
#[path = "../../src/session/mod.rs"]
pub mod session;

#[cfg(feature = "differential")]
pub mod differential_target;
pub mod frames_target;
mod input;
mod macro_model;
pub mod macros_target;
mod memory;
pub mod replies_target;
pub mod session_target;
pub mod spec_target;
mod stream;
