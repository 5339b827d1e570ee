//! A throw-away Postfix for one test, and what it delivered.

pub(crate) mod smtp;

use smtp::Smtp;

use c_tests::error::{Error, Result, run};
use c_tests::milter::POLL;
use c_tests::{Linkage, Milter, paths};
use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const ADVICE: &str = "scripts/test.sh prepares a machine for these tests";

/// How long a delivery may take before the test fails; it usually takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A TCP port of 127.0.0.1 that nothing listened on a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|l| l.local_addr());
    address.map(|a| a.port()).map_err(|e| Error::new("find a free port on 127.0.0.1", e))
}

/// Unpacks distribution packages below the target directory, once; returns where, and the
/// directories to put into `LD_LIBRARY_PATH`.
pub(crate) fn unpack(packages: &[&str]) -> Result<(PathBuf, String)> {
    let name = packages.first().copied().unwrap_or_default();
    let root = paths::work_dir("packages")?.join(name);
    let libraries = paths::locked(&format!("unpack-{name}"), || {
        let mut unpack = Command::new(paths::in_package("mta/unpack.sh"));
        let output = run(unpack.arg(&root).args(packages), ADVICE)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().last().unwrap_or_default().to_owned())
    })?;
    Ok((root, libraries))
}

/// Starts a filter whose first argument is its socket; returns it with its connection spec.
pub(crate) fn start_filter(
    command: Command,
    args: &[impl AsRef<OsStr>],
    linkage: Linkage,
) -> Result<(Milter, String)> {
    let spec = format!("inet:{}@127.0.0.1", free_port()?);
    let mut milter = Milter::start(command, |command, _| {
        command.arg(&spec).args(args);
    })?;
    milter.wait_for(&spec)?;
    milter.check_mapped(linkage)?;
    Ok((milter, spec))
}

/// A message as it was delivered to one recipient.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) sender: String,
    pub(crate) recipient: String,
    /// With LF line ends.
    pub(crate) message: String,
}

impl Delivery {
    /// The header's lines in order, folded ones joined.
    pub(crate) fn header(&self) -> Vec<String> {
        let (header, _) = self.split();
        header.replace("\n\t", " ").lines().map(str::to_owned).collect()
    }

    pub(crate) fn body(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.message.split_once("\n\n").unwrap_or((&self.message, ""))
    }
}

/// A running Postfix; stopped when dropped.
#[derive(Debug)]
pub(crate) struct Postfix {
    dir: TempDir,
    port: u16,
}

impl Postfix {
    /// Starts one that has mail looked at by the filter with this connection spec.
    pub(crate) fn start(milter: &str) -> Result<Self> {
        let (root, _) = unpack(&["postfix"])?;
        let dir = tempfile::tempdir().map_err(|e| Error::new("make a temporary directory", e))?;
        let port = free_port()?;
        let postfix = Self { dir, port };
        let mut start = Command::new(paths::workspace().join("compliance/mta/postfix.sh"));
        start.env("POSTFIX_ROOT", root).arg("start");
        start.arg(postfix.dir.path());
        let address = milter.strip_prefix("inet:").and_then(|rest| rest.split_once('@'));
        let (milter_port, host) = address.ok_or_else(|| Error(format!("{milter}: not inet:")))?;
        let line = format!("smtpd_milters = inet:{host}:{milter_port}");
        run(start.arg(port.to_string()).arg(line), ADVICE)?;
        Ok(postfix)
    }

    /// Connects as an SMTP client and says EHLO.
    pub(crate) fn greeted(&self) -> Smtp {
        Smtp::greeted(self.port)
    }

    /// Lines Postfix has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Waits until the log has a line with this text.
    pub(crate) fn wait_for_log(&self, text: &str) {
        let start = Instant::now();
        while !self.log().lines().any(|line| line.contains(text)) {
            assert!(start.elapsed() < PATIENCE, "no `{text}` in the log:\n{}", self.log());
            std::thread::sleep(POLL);
        }
    }

    /// Waits until a queued message has left for all its recipients; returns all deliveries so
    /// far, by recipient.
    pub(crate) fn deliveries(&self, queue_id: &str) -> Vec<Delivery> {
        self.wait_for_log(&format!("{queue_id}: removed"));
        let mut found = Vec::new();
        for entry in fs::read_dir(self.dir.path().join("mail")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension() != Some(OsStr::new("eml")) {
                continue;
            }
            let envelope = fs::read_to_string(path.with_extension("env")).unwrap();
            let field = |name: &str| {
                let mut lines = envelope.lines();
                let value = lines.find_map(|line| line.strip_prefix(name));
                value.unwrap_or_else(|| panic!("{envelope}")).to_owned()
            };
            found.push(Delivery {
                sender: field("sender="),
                recipient: field("recipient="),
                message: fs::read_to_string(&path).unwrap(),
            });
        }
        found.sort_by(|a, b| a.recipient.cmp(&b.recipient));
        found
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let Ok((root, _)) = unpack(&["postfix"]) else {
            return;
        };
        let mut stop = Command::new(paths::workspace().join("compliance/mta/postfix.sh"));
        stop.env("POSTFIX_ROOT", root).arg("stop");
        if let Err(e) = run(stop.arg(self.dir.path()), ADVICE) {
            eprintln!("{e}");
        }
    }
}
