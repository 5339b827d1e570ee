//! Real MTAs and real milters, unmodified, with Debian's libmilter and with ours, side by side.
//!
//! ```text
//! mta           a Postfix or sendmail of one's own on 127.0.0.1, and what it delivered and logged
//! played        MTAs that no package has any more, by `mta/`
//! smtp          an SMTP client that writes down the conversation
//! filter        a milter of any kind as a process; its exit status, its socket afterwards
//! haproxy       a HAProxy before two filters, as docs/scaling.md has it
//! scaling       the configurations of docs/scaling.md
//! probe         a C filter that writes down its callbacks and does what it is told
//! root          what only root may do, by sudo if need be
//! observation   what one run showed, in sections; volatile parts made equal
//! pair          a milter and an MTA that run together, and what is claimed of them
//! compare       the same run with each library, compared; writes a row of the compatibility page
//! row           these rows, as the tests of one `cargo test` write them
//! page          docs/compatibility.md, made of these rows, for each release
//! ```
//!
//! A test is a call of [`compare()`] with a [`Pair`] and a closure that makes an [`Observation`].

pub mod compare;
pub mod filter;
pub mod haproxy;
pub mod milter_try;
pub mod milters;
pub mod mta;
pub mod observation;
pub mod page;
pub mod pair;
pub mod played;
pub mod probe;
pub mod root;
pub mod row;
pub mod scaling;
pub mod smtp;

pub use c_tests::{Error, Linkage, Packages, Result};
pub use compare::compare;
pub use filter::Filter;
pub use haproxy::HaProxy;
pub use mta::Mta;
pub use observation::Observation;
pub use pair::Pair;
pub use probe::Probe;
pub use smtp::Smtp;
