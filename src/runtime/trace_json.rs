//! A trace as JSON, an object a line.

use std::fmt::{Result, Write};

use super::moment::{Heading, Moment, Seconds, severity_name};
use crate::proto::describe::{
    Argument, command_arguments, command_name, response_arguments, response_name,
};
use crate::proto::names;
use crate::proto::quoted::{json, json_value};
use crate::session::{Event, Outcome};

/// Writes an object, without the end of its line.
pub(super) fn line(out: &mut dyn Write, heading: &Heading<'_>, moment: &Moment<'_>) -> Result {
    write!(out, "{{\"session\":{},\"at\":{}", heading.session, Seconds(heading.at))?;
    for (name, text) in [("queue_id", heading.queue_id), ("sender", heading.sender)] {
        if !text.is_empty() {
            write!(out, ",\"{name}\":")?;
            json_value(out, text, usize::MAX)?;
        }
    }
    let shown = heading.shown;
    match *moment {
        Moment::Begin(time, process) => {
            write!(out, ",\"event\":\"begin\",\"time\":\"{time}\",\"process\":{process}")?;
        }
        Moment::Log(severity, text) => {
            write!(out, ",\"event\":\"log\",\"level\":\"{}\",\"text\":", severity_name(severity))?;
            json(out, text.as_bytes())?;
        }
        Moment::Response(kind, payload, sent) => {
            write!(out, ",\"event\":\"response\",\"name\":\"{}\"", response_name(kind))?;
            arguments(out, shown, |each| response_arguments(kind, payload, each))?;
            out.write_str(if sent { "" } else { ",\"sent\":false" })?;
        }
        Moment::Event(Event::Return(command, result), took) => {
            let name = command.callback_name();
            write!(out, ",\"event\":\"callback\",\"name\":\"{name}\",\"result\":")?;
            match names::result_name(result) {
                Some(name) => write!(out, "\"{name}\"")?,
                None => write!(out, "{result}")?,
            }
            write!(out, ",\"took\":{}", Seconds(took))?;
        }
        Moment::Event(event, _) => self::event(out, event, shown)?,
    }
    out.write_char('}')
}

fn event(out: &mut dyn Write, event: Event<'_>, shown: usize) -> Result {
    match event {
        Event::Packet(letter, payload) => {
            write!(out, ",\"event\":\"packet\",\"name\":\"{}\"", command_name(letter))?;
            arguments(out, shown, |each| command_arguments(letter, payload, each))
        }
        Event::Bytes(bytes) => {
            out.write_str(",\"event\":\"no_packet\"")?;
            arguments(out, shown, |each| each(Argument::Text(bytes)))
        }
        Event::Enter(command, _) | Event::Return(command, _) => {
            write!(out, ",\"event\":\"enter\",\"name\":\"{}\"", command.callback_name())
        }
        Event::Call(name, given, outcome) => {
            write!(out, ",\"event\":\"call\",\"name\":\"{name}\"")?;
            arguments(out, shown, |each| given.iter().for_each(|one| each(*one)))?;
            out.write_str(",\"result\":")?;
            match outcome {
                Outcome::Status(Ok(())) => out.write_str("\"MI_SUCCESS\""),
                Outcome::Status(Err(why)) => {
                    write!(out, "\"MI_FAILURE\",\"reason\":\"{why}\"")
                }
                Outcome::Value(value) => argument(out, &value, shown),
            }
        }
        Event::HungUp => out.write_str(",\"event\":\"hangup\""),
        Event::End => out.write_str(",\"event\":\"end\""),
    }
}

/// Writes arguments as a member with an array.
fn arguments(
    out: &mut dyn Write,
    shown: usize,
    visit: impl FnOnce(&mut dyn FnMut(Argument<'_>)),
) -> Result {
    out.write_str(",\"arguments\":[")?;
    let (mut done, mut first) = (Ok(()), true);
    visit(&mut |one| {
        let comma = if std::mem::take(&mut first) { "" } else { "," };
        done = done.and_then(|()| out.write_str(comma)).and_then(|()| argument(out, &one, shown));
    });
    done?;
    out.write_char(']')
}

fn argument(out: &mut dyn Write, one: &Argument<'_>, shown: usize) -> Result {
    match *one {
        Argument::Word(word) => write!(out, "\"{word}\""),
        Argument::Text(bytes) => json_value(out, bytes, shown),
        Argument::Number(number) => write!(out, "{number}"),
        Argument::Address(bits) => write!(out, "{bits}"),
        Argument::Actions(flags) => {
            out.write_char('"')?;
            names::write_actions(out, flags)?;
            out.write_char('"')
        }
        Argument::Steps(flags) => {
            out.write_char('"')?;
            names::write_steps(out, flags)?;
            out.write_char('"')
        }
        Argument::Null => out.write_str("null"),
    }
}
