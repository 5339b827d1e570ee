//! From a command's payload to the arguments of its callback.

use super::engine::Session;
use super::{Filter, Report};
use crate::proto::address::{self, Address};
use crate::proto::command::{self, Command};
use crate::proto::nul;
use crate::proto::state::State;

/// What a callback came to.
pub(super) enum Outcome {
    /// A result to reply with.
    Reply(i32),
    /// There is no callback for the command.
    NoCallback,
    /// The payload can't be handed to the callback.
    Malformed(Report<'static>),
}

/// What is handed to a callback, as places in the payload.
enum Arguments {
    /// The end of the host name with its NUL, and the address.
    Connect(usize, Address),
    /// The start of the value.
    Header(usize),
    /// Everything up to here.
    Strings(usize),
    /// Nothing.
    None,
}

impl Session {
    /// Calls the callback of a command, once its payload is known to be well-formed.
    pub(super) fn call<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        next: State,
        bytes: &mut [u8],
    ) -> Outcome {
        use Outcome::{Malformed, NoCallback, Reply};
        if !filter.serves(command) || (command == Command::Body && self.skip_body) {
            self.enter(next);
            return NoCallback;
        }
        let size = bytes.len().saturating_sub(1);
        let payload = bytes.get(..size).unwrap_or_default();
        let arguments = match arguments(command, payload) {
            Ok(arguments) => arguments,
            Err(report) => return Malformed(report),
        };
        self.enter(next);
        let context = &*self.context;
        let end = match arguments {
            Arguments::Connect(end, _) | Arguments::Strings(end) => end,
            Arguments::Header(_) | Arguments::None => size,
        };
        if command == Command::Unknown {
            // The NUL behind the text belongs to it.
            return Reply(filter.unknown(context, bytes));
        }
        let strings = bytes.get_mut(..end).unwrap_or_default();
        Reply(match (arguments, command) {
            (Arguments::Connect(_, address), _) => filter.connect(context, strings, &address),
            (Arguments::Header(value), _) => filter.header(context, strings, value),
            (Arguments::None, _) => filter.event(context, command),
            (_, Command::Helo) => filter.helo(context, strings),
            (_, Command::Body) => filter.body(context, strings),
            _ => filter.envelope(context, command, strings),
        })
    }
}

/// Finds the arguments of a callback in a payload.
fn arguments(command: Command, payload: &[u8]) -> Result<Arguments, Report<'static>> {
    let malformed = |why| Report::Malformed(command, why);
    Ok(match command {
        Command::Connect => {
            let nul = nul::first(payload).ok_or(malformed("the host name is not terminated"))?;
            let address = address::parse(payload, nul + 1).map_err(Report::Address)?;
            Arguments::Connect(nul + 1, address)
        }
        Command::Helo if payload.last() != Some(&0) => {
            return Err(malformed("the name is not terminated"));
        }
        Command::Mail | Command::Rcpt => {
            let end = command::strings(payload);
            Arguments::Strings(end.ok_or(malformed("the address is not terminated"))?)
        }
        Command::Header => {
            let value = command::header_value(payload);
            Arguments::Header(value.ok_or(malformed("it is not two terminated strings"))?)
        }
        Command::Helo | Command::Body | Command::Unknown => Arguments::Strings(payload.len()),
        _ => Arguments::None,
    })
}
