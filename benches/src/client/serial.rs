//! A single MTA that blocks: one message after the other, nothing in between.

use super::Outcome;
use crate::message::{Script, Step};
use crate::server::Address;
use c_tests::{Error, Result};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// A blocking stream of either kind.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn connect(address: &Address) -> Result<Box<dyn Stream>> {
    let connected = match address {
        Address::Unix(path) => UnixStream::connect(path).map(|s| Box::new(s) as Box<dyn Stream>),
        Address::Tcp(at) => TcpStream::connect(at).and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        }),
    };
    connected.map_err(|e| Error(format!("connect to the filter at {address:?}: {e}")))
}

/// Sends one message on a connection of its own and takes the times.
fn message(address: &Address, script: &Script, outcome: &mut Outcome) -> Result<()> {
    let begin = Instant::now();
    let mut stream = connect(address)?;
    let mut reply = [0; 4096];
    for step in &script.steps {
        let sent = Instant::now();
        exchange(&mut *stream, script, step, &mut reply)?;
        let done = Instant::now();
        if !step.expect.is_empty() {
            let took = done.duration_since(sent);
            outcome.commands.saturating_record(took.as_nanos() as u64);
            outcome.longest = outcome.longest.max(took);
        }
        if step.ends {
            outcome.ends.saturating_record(done.duration_since(sent).as_nanos() as u64);
            outcome.messages.saturating_record(done.duration_since(begin).as_nanos() as u64);
        }
        if step.hangup {
            break;
        }
    }
    Ok(())
}

fn exchange(stream: &mut dyn Stream, script: &Script, step: &Step, reply: &mut [u8]) -> Result<()> {
    let fail = |e| Error::new(format!("command {}", step.letter.escape_ascii()), e);
    stream.write_all(&script.bytes[step.send.clone()]).map_err(fail)?;
    let expected = &script.bytes[step.expect.clone()];
    let reply = &mut reply[..expected.len()];
    stream.read_exact(reply).map_err(fail)?;
    if reply != expected {
        return Err(Error(format!(
            "reply to command {}: expected \"{}\", got \"{}\"",
            step.letter.escape_ascii(),
            expected.escape_ascii(),
            reply.escape_ascii()
        )));
    }
    Ok(())
}

/// Sends a number of messages.
pub fn messages(address: &Address, script: &Script, count: u64) -> Result<Outcome> {
    let mut outcome = Outcome::new();
    for _ in 0..count {
        message(address, script, &mut outcome)?;
    }
    Ok(outcome)
}

/// Sends a number of messages on one connection.
pub fn reused(address: &Address, script: &Script, count: u64) -> Result<()> {
    let mut stream = connect(address)?;
    let mut reply = [0; 4096];
    let end = script.steps.iter().position(|step| step.ends && step.letter == b'E');
    let end = end.ok_or_else(|| Error("the script has no message".into()))?;
    for n in 0..count {
        let steps = if n == 0 { &script.steps[..=end] } else { &script.steps[script.again..] };
        for step in steps {
            exchange(&mut *stream, script, step, &mut reply)?;
        }
    }
    Ok(())
}

/// Sends messages until a time, at least one; returns how many as well.
pub fn until(address: &Address, script: &Script, end: Instant) -> Result<(u64, Outcome)> {
    let mut outcome = Outcome::new();
    let mut count = 0;
    while count == 0 || Instant::now() < end {
        message(address, script, &mut outcome)?;
        count += 1;
    }
    Ok((count, outcome))
}
