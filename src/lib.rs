//! A drop-in replacement for sendmail's libmilter.
//!
//! C filters ("milters") use it through `include/libmilter/mfapi.h`; its Rust modules are an
//! implementation detail and promise no stability. The layers, each importing only from those
//! listed before it:
//!
//! ```text
//! proto     the protocol, pure: packets, commands, replies, negotiation, states, macros
//! session   one MTA connection: packets in, callbacks called, packets out; pure over two traits
//! sys       safe wrappers over system calls
//! net       connection specifications, the listening socket, accepted streams
//! runtime   event loops, the elastic thread pool, deadlines, signals, stopping
//! ffi       the C boundary: types, callbacks, the exported smfi_* functions
//! ```

pub mod proto;
pub mod session;

#[doc(hidden)]
pub mod sys;

#[doc(hidden)]
pub mod net;

#[doc(hidden)]
pub mod runtime;

#[doc(hidden)]
pub mod ffi;
