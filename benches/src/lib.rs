//! Measures our library, Debian's and two floor programs under the same loads, alternately.
//!
//! ```text
//! main, options     the command line
//! run               rounds: every subject of a load in turn, again and again
//! report            tables, chart and raw output
//! targets           what is to be reached, and whether it was
//! results, machine  the figures of a run, and where it took place
//! numbers           how figures are written
//! loads             the loads, each with its figures
//! measure           what a load is given, and a window of figures
//! client            the load generator
//! message           what is sent and what is expected, byte by byte
//! subject, server   the programs that are measured, and one running process
//! system_calls, instructions, probe   what such a process does and uses
//! ```

pub mod client;
pub mod instructions;
pub mod loads;
pub mod machine;
pub mod measure;
pub mod message;
pub mod numbers;
pub mod options;
pub mod probe;
pub mod report;
pub mod results;
pub mod run;
pub mod server;
pub mod subject;
pub mod system_calls;
pub mod targets;
