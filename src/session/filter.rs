//! The callbacks of a filter, as a session sees them.

use super::context::Context;
use crate::proto::address::Address;
use crate::proto::command::Command;
use crate::proto::negotiate::{FilterTraits, Offer, Request};

/// The callbacks of a filter.
///
/// Strings are handed over within a buffer the callback may write to; each ends in NUL. Results
/// are those of the C callbacks, unchecked.
pub trait Filter: Send + Sync {
    /// What negotiation needs to know.
    fn traits(&self) -> FilterTraits;

    /// Whether the callback that serves a command is set (and its version allows to call it).
    fn serves(&self, command: Command) -> bool;

    /// `xxfi_negotiate`: `request` holds the defaults and is changed in place.
    fn negotiate(&self, context: &Context, offer: &Offer, request: &mut Request) -> i32;

    /// `xxfi_connect`.
    fn connect(&self, context: &Context, host: &mut [u8], address: &Address) -> i32;

    /// `xxfi_helo`.
    fn helo(&self, context: &Context, name: &mut [u8]) -> i32;

    /// `xxfi_envfrom` and `xxfi_envrcpt`: one or more strings, one after the other. `None` without
    /// memory to point to so many of them.
    fn envelope(&self, context: &Context, command: Command, strings: &mut [u8]) -> Option<i32>;

    /// `xxfi_header`: the name, and from `value` on the value.
    fn header(&self, context: &Context, strings: &mut [u8], value: usize) -> i32;

    /// `xxfi_body`: at least one byte, without NUL at the end.
    fn body(&self, context: &Context, chunk: &mut [u8]) -> i32;

    /// `xxfi_unknown`.
    fn unknown(&self, context: &Context, text: &mut [u8]) -> i32;

    /// `xxfi_data`, `xxfi_eoh`, `xxfi_eom`, `xxfi_abort` and `xxfi_close`, by command.
    fn event(&self, context: &Context, command: Command) -> i32;
}
