//! Connection specifications and the listening socket.

pub mod conn_spec;
pub mod listener;
mod replace;
