//! Counts under a tracer: system calls, and instructions in user space.

use crate::client::{Plan, Run, serial};
use crate::instructions::{self, Kind};
use crate::measure::{Bench, Load, Weight, lower, shared_script};
use crate::message::Shape;
use crate::server::{Server, Setup};
use crate::subject::Subject;
use c_tests::{Error, Result};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Loads that count rather than time.
pub(super) fn loads() -> Vec<Load> {
    vec![
        Load {
            name: "syscalls".into(),
            title: "system calls".into(),
            subjects: &Subject::ALL,
            metrics: vec![lower("per message, C=1", ""), lower("per message, C=64", "")],
            weight: Weight::Heavy,
            measure: Box::new(|bench, subject| {
                Ok(vec![system_calls(bench, subject, 1)?, system_calls(bench, subject, 64)?])
            }),
        },
        Load {
            name: "instructions".into(),
            title: "user instructions per message".into(),
            subjects: &Subject::LIBRARIES,
            metrics: vec![
                lower("typical, library", ""),
                lower("typical, all", ""),
                lower("empty callbacks, reused, library", ""),
                lower("no replies, library", ""),
            ],
            weight: Weight::Heavy,
            measure: Box::new(|bench, subject| {
                let typical = instructions::per_message(bench, subject, Kind::Typical)?;
                let mut values = vec![typical.library, typical.all];
                for kind in [Kind::Reused, Kind::NoReplies] {
                    // The reference takes five seconds to end each run, and the targets are ours.
                    values.push(match subject {
                        Subject::Ours => instructions::per_message(bench, subject, kind)?.library,
                        _ => f64::NAN,
                    });
                }
                Ok(values)
            }),
        },
    ]
}

/// System calls of the server per message.
fn system_calls(bench: &Bench<'_>, subject: Subject, connections: usize) -> Result<f64> {
    let server = bench.start(subject, &Setup::PLAIN)?;
    let tracer = Tracer::attach(&server)?;
    let script = shared_script(&Shape::TYPICAL);
    let each = bench.pace.pick(8, 4, 1);
    let messages = match connections {
        1 => {
            let count = each * 16;
            serial::messages(&server.address, &script, count)?;
            count
        }
        _ => {
            let plan = Plan {
                reuse: true,
                messages_each: Some(each),
                ..Plan::new(&server.address, &script, connections)
            };
            let run = Run::start(&plan)?;
            while run.complete() < connections as u64 && !run.failed() {
                std::thread::sleep(Duration::from_millis(5));
            }
            run.finish()?;
            each * connections as u64
        }
    };
    Ok(tracer.finish(server)? as f64 / messages as f64)
}

/// strace on all threads of a server.
struct Tracer {
    strace: Child,
    lines: BufReader<std::process::ChildStderr>,
}

impl Tracer {
    fn attach(server: &Server) -> Result<Tracer> {
        let mut strace = Command::new("strace")
            .args(["-f", "-c", "-U", "calls,name", "-p", &server.pid().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| Error(format!("cannot run strace: {e}; apt-get install strace")))?;
        let stderr = strace.stderr.take().ok_or_else(|| Error("strace has no stderr".into()))?;
        let mut tracer = Tracer { strace, lines: BufReader::new(stderr) };
        // It says so once it is attached to all threads.
        let mut line = String::new();
        tracer.lines.read_line(&mut line).map_err(|e| Error::new("read from strace", e))?;
        match line.contains("attached") {
            true => Ok(tracer),
            false => Err(Error(format!("strace could not attach: {}", line.trim()))),
        }
    }

    /// Ends the server, and sums up the calls it made.
    fn finish(mut self, server: Server) -> Result<u64> {
        drop(server);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.lines, &mut text)
            .map_err(|e| Error::new("read from strace", e))?;
        self.strace.wait().map_err(|e| Error::new("wait for strace", e))?;
        total(&text).ok_or_else(|| Error(format!("strace printed no total:\n{text}")))
    }
}

/// The number in the line that ends in "total".
fn total(table: &str) -> Option<u64> {
    let line = table.lines().rfind(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_a_table() {
        let table = "    calls syscall\n--------- ----------------\n       12 recvfrom\n        3 sendto\n--------- ----------------\n       15 total\n";
        assert_eq!(total(table), Some(15));
        assert_eq!(total("nothing"), None);
    }
}
