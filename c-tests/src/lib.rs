//! Runs the same compiled C programs against Debian's libmilter and against ours.
//!
//! ```text
//! reference   fetches Debian's packages and unpacks them          (never installed)
//! packages    unpacks any package with its libraries
//! public      places that every user may enter, for daemons
//! ours        builds libmilter with cargo and lays out a directory to load it from
//! make        files made once, by whichever test needs them first
//! compile     C or C++ source -> Program (one object, linked dynamically and statically)
//! linkage     which library a Program runs with, as a std::process::Command
//! start       what a program inherits, and what not
//! machine     another processor or C library, ours run there
//! output      what a program prints, within a time limit
//! protocol    docs/protocol.md, whose examples, tables and grammar are tests
//! notes       what scripts/test.sh tells at its end: tests left out, retries of the reference
//! milter      starts a filter, waits for its socket, collects its log, stops it
//! ```
//!
//! Nothing here skips silently: a missing tool or package is an [`Error`] that says what to do.

pub mod compile;
pub mod differences;
pub mod ends;
pub mod error;
pub mod launch;
pub mod linkage;
pub mod machine;
mod make;
pub mod milter;
pub mod notes;
pub mod ours;
pub mod output;
pub mod packages;
pub mod paths;
pub mod protocol;
pub mod public;
pub mod random;
pub mod reference;
pub mod scenario;
pub mod start;
pub mod syslog;
pub mod trace;

pub use compile::{Compile, Headers, Program};
pub use error::{Error, Result};
pub use linkage::Linkage;
pub use milter::Milter;
pub use packages::Packages;
