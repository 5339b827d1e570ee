//! A HAProxy of one's own before filters, set up as `docs/scaling.md` has it.

use crate::filter::free_port;
use crate::milters::Service;
use crate::scaling::{block, replaced};
use c_tests::milter::POLL;
use c_tests::{Error, Packages, Result, start};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long a health check may take to see what is so.
const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in the place of a filter host of the page: the n-th one, and its name.
const SERVERS: [(&str, &str); 2] = [("filter1", "192.0.2.11:8891"), ("filter2", "192.0.2.12:8891")];

/// A running HAProxy; ended when dropped.
#[derive(Debug)]
pub struct HaProxy {
    service: Service,
    spec: String,
}

/// An address of a filter host of one's own, as `inet:PORT@ADDRESS`: the n-th of 127/8.
///
/// Hosts are told apart by it. Network namespaces would add nothing that a connection shows, and are
/// forbidden to users and in containers.
pub fn host(n: usize) -> Result<String> {
    Ok(format!("inet:{}@127.0.0.{}", free_port()?, 11 + n))
}

impl HaProxy {
    /// Starts one before these two filters.
    pub fn start(filters: &[String; 2]) -> Result<Self> {
        Self::start_changed(filters, |text| text)
    }

    /// The same with a configuration that is changed in some way.
    pub fn start_changed(
        filters: &[String; 2],
        change: impl FnOnce(String) -> String,
    ) -> Result<Self> {
        let text = block("haproxy")?;
        let port = free_port()?;
        let mut text = change(replaced(&text, "127.0.0.1:8890", &format!("127.0.0.1:{port}"))?);
        for ((_, address), spec) in SERVERS.iter().zip(filters) {
            let (port, host) = spec.trim_start_matches("inet:").split_once('@').unwrap_or_default();
            text = replaced(&text, address, &format!("{host}:{port}"))?;
        }
        let service = Service::start(program()?, |command, dir, socket| {
            // Debian's has the first two lines of it too.
            let global = format!(
                "global\n    log stdout format raw local0\n    stats socket {} level admin\n    \
                 external-check\n    insecure-fork-wanted\n",
                socket.display()
            );
            let file = dir.join("haproxy.cfg");
            fs::write(&file, global + &text)?;
            command.arg("-db").arg("-f").arg(file);
            Ok(())
        })?;
        Ok(Self { service, spec: format!("inet:{port}@127.0.0.1") })
    }

    /// What an MTA connects to.
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// Says something to its socket, as an administrator does; the answer.
    pub fn ask(&self, words: &str) -> Result<String> {
        let fail = |e| Error::new("the socket of HAProxy", e);
        let mut stream = UnixStream::connect(self.service.socket()).map_err(fail)?;
        writeln!(stream, "{words}").map_err(fail)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(fail)?;
        Ok(answer)
    }

    /// A field of `show stat` about a filter: 0 or 1.
    pub fn field(&self, filter: usize, name: &str) -> Result<String> {
        let (server, _) = SERVERS[filter];
        let table = self.ask("show stat")?;
        let mut lines = table.trim_start_matches("# ").lines();
        let place = |name: &str, line: &str| line.split(',').position(|field| field == name);
        let wanted = lines.next().and_then(|head| place(name, head));
        let line = lines.find(|line| line.starts_with(&format!("filters,{server},")));
        line.and_then(|line| line.split(',').nth(wanted?))
            .map(str::to_owned)
            .ok_or_else(|| Error(format!("no {name} of {server} in\n{table}")))
    }

    /// Waits until a field about a filter is so.
    pub fn wait_for(&self, filter: usize, name: &str, done: impl Fn(&str) -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            let value = self.field(filter, name)?;
            if done(&value) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(Error(format!(
                    "{name} of filter {filter} stays {value}; {}",
                    self.log()
                )));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until its health check has found a filter `UP` or `DOWN`.
    pub fn wait_until(&self, filter: usize, status: &str) -> Result<()> {
        self.wait_for(filter, "status", |found| found == status)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.service.output()
    }
}

/// The program, as a command that finds its libraries.
fn program() -> Result<Command> {
    let packages = Packages::unpack(&["haproxy"])?;
    let mut command = start::command(packages.root.join("usr/sbin/haproxy"));
    command.env("LD_LIBRARY_PATH", &packages.libraries);
    Ok(command)
}
