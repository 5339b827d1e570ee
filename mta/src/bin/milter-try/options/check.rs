//! Options that exclude each other.

use super::types::{Library, Options, Task};
use crate::status::Failure;

/// Whether there is nothing to play to.
pub(super) fn names_no_milter(options: &Options) -> bool {
    options.connect.is_none() && options.command.is_empty() && options.files.is_empty()
}

/// Says what does not go together.
pub(super) fn check(options: &Options) -> Result<(), Failure> {
    milter(options)?;
    let messages = options.files.len().max(1) * options.count * options.sessions;
    let played = messages > 1 || !options.files.is_empty();
    match &options.task {
        Task::Replay(_) if played => Err(Failure::usage(
            "--replay plays what is in the capture: no messages, --count or --sessions beside it",
        )),
        Task::Check if options.json => Err(Failure::usage("--check prints one line, no --json")),
        Task::Check if played || options.record.is_some() => {
            Err(Failure::usage("--check plays no messages: use --connect for that"))
        }
        Task::Replay(_) | Task::Check if options.deliver.is_some() => {
            Err(Failure::usage("--deliver needs a message that is played"))
        }
        _ if options.deliver.is_some() && messages > 1 => Err(Failure::usage(
            "--deliver writes one message: play one, without --count and --sessions",
        )),
        _ if options.record.is_some() && options.sessions > 1 => {
            Err(Failure::usage("--record writes one session: leave out --sessions"))
        }
        _ => Ok(()),
    }
}

/// How the milter is named.
fn milter(options: &Options) -> Result<(), Failure> {
    match (&options.connect, options.command.is_empty()) {
        (None, true) => Err(Failure::usage(
            "no milter: put its command after \"--\", or give --connect SPEC\n\
             for example: milter-try -- ./my-milter -p {socket}",
        )),
        (Some(_), false) => Err(Failure::usage(
            "--connect talks to a milter that runs already, so no command may follow",
        )),
        (Some(_), true) if options.socket.is_some() => Err(Failure::usage(
            "--socket tells where the command listens; with --connect there is none",
        )),
        (Some(_), true) if options.library != Library::Find => {
            Err(Failure::usage("--connect talks to a milter that has its library already"))
        }
        _ => Ok(()),
    }
}
