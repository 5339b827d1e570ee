//! docs/protocol.md is true: of the headers, of both libraries, and of who reads it.
//!
//! ```text
//! page      the page itself, and the heads of its tables
//! examples  its grammar, diagrams and example sessions
//! tables    its tables, beside the headers, `src/proto` and each other
//! play      how its commands are reached and played
//! runs      its tables of negotiations, commands and macros, as both libraries have it
//! answers   its tables of responses and results, in the same way
//! order     its table of what may follow what, in the same way
//! reader    a client that was written from it alone
//! ```

mod answers;
mod examples;
mod order;
mod page;
mod play;
mod reader;
mod runs;
mod tables;
