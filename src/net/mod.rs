//! Connection specifications and listening sockets.

pub mod conn_spec;
pub mod listener;
pub mod listeners;
pub mod network;
mod opening;
mod passed;
mod replace;
pub mod rights;
mod socket_file;
mod unix;
