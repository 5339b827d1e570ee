//! Measures our library, Debian's and two floor programs under the same loads, alternately.
//!
//! ```text
//! main, options     the command line
//! run               rounds: every subject of a load in turn, again and again
//! loads             the loads, each with its figures
//! measure           what a load is given, and a window of figures
//! client            the load generator
//! message           what is sent and what is expected, byte by byte
//! subject, server   the programs that are measured, and one running process
//! report, targets   tables, chart and raw output; what is to be reached
//! ```

pub mod client;
pub mod instructions;
pub mod loads;
pub mod measure;
pub mod message;
pub mod options;
pub mod probe;
pub mod report;
pub mod run;
pub mod server;
pub mod subject;
pub mod targets;
