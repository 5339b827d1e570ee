//! Random sessions, valid and mutated, that both libraries have to treat alike.
//!
//! ```text
//! profile    registrations and negotiations that sessions are drawn for
//! generate   a seed -> a session, as text that sessions/*.txt would understand
//! states     where the reference's session is after each packet
//! triggers   at which packet an entry of docs/differences.md begins to matter
//! compare    both libraries; up to the first trigger nothing may differ
//! ```
//!
//! What happens from a trigger on is the business of the scripted sessions, which have our side
//! recorded. Here the session is cut before it, and the rest has to be equal.

pub mod compare;
pub mod generate;
pub mod profile;
pub mod states;
pub mod triggers;

pub use compare::{Outcome, Pair};
pub use generate::Generated;
pub use profile::{PROFILES, Profile};
