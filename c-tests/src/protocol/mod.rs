//! `docs/protocol.md`, read by the tests: all it shows is compared with what both libraries do.
//!
//! ```text
//! document    the page: fenced blocks by kind, tables by the words of their heads
//! abnf        a grammar and what it matches
//! diagram     bytes in boxes with what they mean below
//! example     sessions: commands, responses and callbacks in words and in bytes
//! constants   names and values from the headers and from `src/proto`
//! ```
//!
//! A block of a kind that no test knows, or a table whose head none knows, is an error: nothing stands on
//! the page that nobody looks at.

pub mod abnf;
pub mod constants;
pub mod diagram;
pub mod document;
pub mod example;

pub use abnf::Grammar;
pub use document::{Block, Document, Table};
pub use example::Example;
