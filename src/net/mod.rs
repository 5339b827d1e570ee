//! Connection specifications and the listening socket.

pub mod conn_spec;
pub mod listener;
pub mod network;
mod opening;
mod passed;
mod replace;
pub mod rights;
mod unix;
