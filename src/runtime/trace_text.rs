//! A trace as lines that a person reads.

use std::fmt::{Result, Write};

use super::moment::{Heading, Moment, Seconds, severity_name};
use crate::proto::command::Command;
use crate::proto::describe::{
    Argument, command_arguments, command_name, response_arguments, response_name,
};
use crate::proto::names;
use crate::proto::quoted::{plain, quoted};
use crate::session::{Event, Outcome};

/// Writes a line, without its end: session, time, queue id, sender, what it is, and the rest.
pub(super) fn line(out: &mut dyn Write, heading: &Heading<'_>, moment: &Moment<'_>) -> Result {
    write!(out, "{} {} ", heading.session, Seconds(heading.at))?;
    for text in [heading.queue_id, heading.sender] {
        plain(out, if text.is_empty() { b"-" } else { text }, ' ')?;
        out.write_char(' ')?;
    }
    let shown = heading.shown;
    match *moment {
        Moment::Begin(time, process) => write!(out, "begin {time} process {process}"),
        Moment::Log(severity, text) => {
            write!(out, "log {}: ", severity_name(severity))?;
            plain(out, text.as_bytes(), '\n')
        }
        Moment::Response(kind, payload, sent) => {
            write!(out, "< {}", response_name(kind))?;
            arguments(out, shown, |each| response_arguments(kind, payload, each))?;
            out.write_str(if sent { "" } else { " (not sent)" })
        }
        Moment::Event(event, took) => self::event(out, event, shown, took),
    }
}

fn event(out: &mut dyn Write, event: Event<'_>, shown: usize, took: std::time::Duration) -> Result {
    match event {
        Event::Packet(letter, payload) => {
            write!(out, "> {}", command_name(letter))?;
            arguments(out, shown, |each| command_arguments(letter, payload, each))
        }
        Event::Bytes(bytes) => {
            out.write_str("> no_packet ")?;
            quoted(out, bytes, shown)
        }
        Event::Enter(command, _) => write!(out, "enter {}", command.callback_name()),
        Event::Return(command, result) => returned(out, command, result, took),
        Event::Call(name, given, outcome) => {
            write!(out, "call {name}(")?;
            for (n, one) in given.iter().enumerate() {
                out.write_str(if n > 0 { ", " } else { "" })?;
                argument(out, one, shown)?;
            }
            out.write_str(") = ")?;
            match outcome {
                Outcome::Status(Ok(())) => out.write_str("MI_SUCCESS"),
                Outcome::Status(Err(why)) => write!(out, "MI_FAILURE ({why})"),
                Outcome::Value(value) => argument(out, &value, shown),
            }
        }
        Event::HungUp => out.write_str("> close"),
        Event::End => out.write_str("< close"),
    }
}

fn returned(
    out: &mut dyn Write,
    command: Command,
    result: i32,
    took: std::time::Duration,
) -> Result {
    write!(out, "callback {} = ", command.callback_name())?;
    match names::result_name(result) {
        Some(name) => out.write_str(name)?,
        None => write!(out, "{result}")?,
    }
    write!(out, " after {} s", Seconds(took))
}

/// Writes arguments, a blank before each.
fn arguments(
    out: &mut dyn Write,
    shown: usize,
    visit: impl FnOnce(&mut dyn FnMut(Argument<'_>)),
) -> Result {
    let mut done = Ok(());
    visit(&mut |one| {
        done = done.and_then(|()| out.write_char(' ')).and_then(|()| argument(out, &one, shown));
    });
    done
}

fn argument(out: &mut dyn Write, one: &Argument<'_>, shown: usize) -> Result {
    match *one {
        Argument::Word(word) => out.write_str(word),
        Argument::Text(bytes) => quoted(out, bytes, shown),
        Argument::Number(number) => write!(out, "{number}"),
        Argument::Address(bits) => write!(out, "{bits:#x}"),
        Argument::Actions(flags) => names::write_actions(out, flags),
        Argument::Steps(flags) => names::write_steps(out, flags),
        Argument::Null => out.write_str("NULL"),
    }
}
