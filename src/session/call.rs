//! From a command's payload to the arguments of its callback.

use super::engine::Session;
use super::{Filter, Report};
use crate::proto::address;
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

impl Session {
    /// Calls the callback of a command, once its payload is known to be well-formed.
    pub(super) fn call<F: Filter>(
        &mut self,
        filter: &F,
        command: Command,
        next: State,
        bytes: &mut [u8],
    ) -> Outcome {
        use Outcome::{NoCallback, Reply};
        let malformed = |why| Outcome::Malformed(Report::Malformed(command, why));
        if !filter.serves(command) || (command == Command::Body && self.skip_body) {
            self.state = next;
            return NoCallback;
        }
        let context = &*self.context;
        let size = bytes.len().saturating_sub(1);
        let payload = bytes.get(..size).unwrap_or_default();
        match command {
            Command::Connect => {
                let Some(nul) = nul::first(payload) else {
                    return malformed("the host name is not terminated");
                };
                let address = match address::parse(payload, nul + 1) {
                    Ok(address) => address,
                    Err(error) => return Outcome::Malformed(Report::Address(error)),
                };
                self.state = next;
                let host = bytes.get_mut(..=nul).unwrap_or_default();
                Reply(filter.connect(context, host, &address))
            }
            Command::Helo => {
                if payload.last() != Some(&0) {
                    return malformed("the name is not terminated");
                }
                self.state = next;
                let name = bytes.get_mut(..size).unwrap_or_default();
                Reply(filter.helo(context, name))
            }
            Command::Mail | Command::Rcpt => {
                let Some(end) = command::strings(payload) else {
                    return malformed("the address is not terminated");
                };
                self.state = next;
                let strings = bytes.get_mut(..end).unwrap_or_default();
                Reply(filter.envelope(context, command, strings))
            }
            Command::Header => {
                let Some(value) = command::header_value(payload) else {
                    return malformed("it is not two terminated strings");
                };
                self.state = next;
                let strings = bytes.get_mut(..size).unwrap_or_default();
                Reply(filter.header(context, strings, value))
            }
            Command::Body => {
                self.state = next;
                let chunk = bytes.get_mut(..size).unwrap_or_default();
                Reply(filter.body(context, chunk))
            }
            Command::Unknown => {
                self.state = next;
                Reply(filter.unknown(context, bytes))
            }
            _ => {
                self.state = next;
                Reply(filter.event(context, command))
            }
        }
    }
}
