//! A filter whose callbacks are watched.

use super::context::Context;
use super::event::{Due, Event};
use super::filter::Filter;
use crate::proto::address::Address;
use crate::proto::codes::status;
use crate::proto::command::Command;
use crate::proto::negotiate::{FilterTraits, Offer, Request};

/// A filter whose callbacks are watched.
#[derive(Debug)]
pub(super) struct Watched<'a, F> {
    pub(super) filter: &'a F,
    /// What the MTA waits for.
    pub(super) due: Due,
}

impl<F: Filter> Watched<'_, F> {
    fn watch(&self, context: &Context, command: Command, call: impl FnOnce(&F) -> i32) -> i32 {
        if !context.is_watched() {
            return call(self.filter);
        }
        // A command may end the message before.
        let ends = matches!(command, Command::Abort | Command::Quit);
        context.note(Event::Enter(command, if ends { Due::Nothing } else { self.due }));
        let result = call(self.filter);
        context.note(Event::Return(command, result));
        if context.has_overrun() { status::TEMPFAIL } else { result }
    }
}

impl<F: Filter> Filter for Watched<'_, F> {
    fn traits(&self) -> FilterTraits {
        self.filter.traits()
    }

    fn serves(&self, command: Command) -> bool {
        self.filter.serves(command)
    }

    fn negotiate(&self, context: &Context, offer: &Offer, request: &mut Request) -> i32 {
        self.watch(context, Command::Negotiate, |f| f.negotiate(context, offer, request))
    }

    fn connect(&self, context: &Context, host: &mut [u8], address: &Address) -> i32 {
        self.watch(context, Command::Connect, |f| f.connect(context, host, address))
    }

    fn helo(&self, context: &Context, name: &mut [u8]) -> i32 {
        self.watch(context, Command::Helo, |f| f.helo(context, name))
    }

    fn envelope(&self, context: &Context, command: Command, strings: &mut [u8]) -> Option<i32> {
        let mut called = None;
        let result = self.watch(context, command, |f| {
            called = f.envelope(context, command, strings);
            called.unwrap_or(status::TEMPFAIL)
        });
        called.map(|_| result)
    }

    fn header(&self, context: &Context, strings: &mut [u8], value: usize) -> i32 {
        self.watch(context, Command::Header, |f| f.header(context, strings, value))
    }

    fn body(&self, context: &Context, chunk: &mut [u8]) -> i32 {
        self.watch(context, Command::Body, |f| f.body(context, chunk))
    }

    fn unknown(&self, context: &Context, text: &mut [u8]) -> i32 {
        self.watch(context, Command::Unknown, |f| f.unknown(context, text))
    }

    fn event(&self, context: &Context, command: Command) -> i32 {
        self.watch(context, command, |f| f.event(context, command))
    }
}
