//! A Postfix or sendmail of one's own on 127.0.0.1, and what it delivered and logged.

use crate::observation::{Observation, replace_volatile};
use crate::smtp::Smtp;
use c_tests::error::run;
use c_tests::milter::POLL;
use c_tests::{Error, Result, public};
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

mod process;
mod setup;

use process::{ADVICE, Process};
pub use setup::{Kind, Setup};

/// How long mail may take before the test fails; it usually takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of longer messages the rest is told by its hash.
const SHOWN_LINES: usize = 60;

/// A message as it was delivered to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// Envelope recipient.
    pub recipient: String,
    /// Envelope sender.
    pub sender: String,
    /// With LF line ends.
    pub message: String,
}

/// A running MTA; stopped when dropped.
#[derive(Debug)]
pub struct Mta {
    /// Before its directory, which is removed after it.
    _process: Process,
    kind: Kind,
    dir: TempDir,
    port: u16,
    /// SMTP connections made to it so far.
    sessions: AtomicUsize,
}

impl Setup {
    /// Starts it.
    pub fn start(self) -> Result<Mta> {
        let kind = self.kind;
        let dir = public::tempdir()?;
        let (process, port) = self.launch(dir.path())?;
        Ok(Mta { _process: process, kind, dir, port, sessions: AtomicUsize::new(0) })
    }
}

impl Mta {
    /// One of this kind.
    pub fn of(kind: Kind) -> Setup {
        Setup { kind, milters: Vec::new(), lines: Vec::new() }
    }

    /// A Postfix.
    pub fn postfix() -> Setup {
        Self::of(Kind::Postfix)
    }

    /// A sendmail.
    pub fn sendmail() -> Setup {
        Self::of(Kind::Sendmail)
    }

    /// Its SMTP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its directory, with `mail`, `log` and its queue.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// An SMTP session in which EHLO has been said.
    pub fn smtp(&self) -> Result<Smtp> {
        let mut smtp = self.connect()?;
        smtp.say("EHLO client.example")?;
        Ok(smtp)
    }

    /// An SMTP session in which the greeting has been read.
    pub fn connect(&self) -> Result<Smtp> {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Smtp::connect(self.port)
    }

    /// Hands a message to its sendmail command.
    pub fn submit(&self, args: &[&str], message: &str) -> Result<()> {
        let mut command = c_tests::start::command(self.dir().join("sendmail"));
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let fail = |e: std::io::Error| Error::new("the sendmail command", e);
        let mut child = command.spawn().map_err(fail)?;
        // Dropped at the end of the statement, which ends the message.
        let sent = child.stdin.take().map(|mut stdin| stdin.write_all(message.as_bytes()));
        sent.unwrap_or(Ok(())).map_err(fail)?;
        let output = child.wait_with_output().map_err(fail)?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error(format!("{command:?}: {output:?}")))
    }

    /// Lines logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir().join("log")).unwrap_or_default()).into_owned()
    }

    /// Waits until `done` says so.
    pub fn wait_until(&self, what: &str, done: impl Fn(&Self) -> bool) -> Result<()> {
        let start = Instant::now();
        while !done(self) {
            if start.elapsed() > PATIENCE {
                return Err(Error(format!(
                    "{} does not come: {what}; its log:\n{}",
                    self.kind.name(),
                    self.log()
                )));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until the log has a line with this text.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        self.wait_until(&format!("`{text}` in the log"), |mta| {
            mta.log().lines().any(|line| line.contains(text))
        })
    }

    /// Waits until all SMTP sessions are over, so that what the next one logs comes after.
    pub fn wait_for_sessions(&self) -> Result<()> {
        match self.kind {
            Kind::Postfix => self.wait_until("the end of all sessions in the log", |mta| {
                // Lines may still be on their way to the log, of the beginning of a session too.
                let ended = mta.log().matches("]: disconnect from ").count();
                ended >= mta.sessions.load(Ordering::Relaxed)
            }),
            Kind::Sendmail => self.wait_until("the end of all its children", |mta| {
                let pid = fs::read_to_string(mta.dir().join("pid")).unwrap_or_default();
                let pid = pid.lines().next().unwrap_or_default().to_owned();
                let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
                children.is_ok_and(|list| list.trim().is_empty())
            }),
        }
    }

    /// Waits until all sessions are over and all mail is delivered, held or gone, and logged.
    pub fn settle(&self) -> Result<()> {
        self.wait_for_sessions()?;
        if self.kind == Kind::Sendmail {
            // It delivers before it replies.
            return Ok(());
        }
        self.wait_until("an empty queue", |mta| mta.queued().is_empty())?;
        // What was logged before comes before it.
        let last = format!("all is quiet {:?}", Instant::now());
        run(Command::new(self.dir().join("postlog")).args(["-t", "test", &last]), ADVICE)?;
        self.wait_for_log(&last)?;
        self.wait_until("the end of all deliveries in the log", |mta| {
            let log = mta.log();
            log.lines().filter(|line| line.contains("(queue active)")).all(|line| {
                queue_id(line).is_some_and(|id| log.contains(&format!("{id}: removed")))
            })
        })
    }

    /// Files of mail that is still on its way.
    fn queued(&self) -> Vec<PathBuf> {
        let queue = self.dir().join("queue");
        let places = ["maildrop", "incoming", "active"].map(|place| queue.join(place));
        places.iter().flat_map(|place| files(place)).collect()
    }

    /// What is held back for a look by a person: a line for each message.
    ///
    /// Postfix says why in its log; sendmail in its queue file, for root to read.
    fn held(&self) -> Result<Vec<String>> {
        if self.kind == Kind::Postfix {
            let files = files(&self.dir().join("queue/hold"));
            return Ok(files.iter().map(|_| "held".to_owned()).collect());
        }
        let output = run(self.kind.script()?.arg("held").arg(self.dir()), ADVICE)?;
        let reasons = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(reasons.lines().map(|reason| format!("held: {reason}")).collect())
    }

    /// All deliveries so far, by recipient: give messages of one run different recipients or senders.
    pub fn deliveries(&self) -> Result<Vec<Delivery>> {
        let mut found = Vec::new();
        for path in files(&self.dir().join("mail")) {
            if path.extension() != Some(OsStr::new("eml")) {
                continue;
            }
            let read = |path: &Path| {
                fs::read(path)
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .map_err(|e| Error::new(path.display(), e))
            };
            let envelope = read(&path.with_extension("env"))?;
            let field = |name: &str| {
                let mut lines = envelope.lines();
                lines.find_map(|line| line.strip_prefix(name)).unwrap_or("?").to_owned()
            };
            found.push(Delivery {
                sender: field("sender="),
                recipient: field("recipient="),
                message: read(&path)?,
            });
        }
        found.sort_by_cached_key(|d| {
            (d.recipient.clone(), d.sender.clone(), replace_volatile(&d.message))
        });
        Ok(found)
    }

    /// Lines of the log about milters, without time, host and process.
    pub fn milter_log(&self) -> Vec<String> {
        let about = |line: &&str| {
            let line = line.to_ascii_lowercase();
            // Of Postfix when a busy machine looks at its clocks.
            let clocks = line.contains("file system clock") || line.contains("file time stamps");
            !clocks
                && (line.contains("milter") || line.contains("warning:") || line.contains("fatal:"))
        };
        self.log()
            .lines()
            .filter(about)
            // "Nov 21 03:40:23 mx postfix/smtpd[77]: ", "Nov 21 03:40:23 sendmail[77]: "
            .map(|line| match line.split_once("]: ") {
                Some((before, text)) => {
                    let program = before.rsplit(' ').next().unwrap_or_default();
                    format!("{}: {text}", program.split('[').next().unwrap_or_default())
                }
                None => line.to_owned(),
            })
            .collect()
    }

    /// Waits until all is done, then notes deliveries, held messages and the log.
    pub fn observe(&self, seen: &mut Observation) -> Result<()> {
        self.observe_deliveries(seen)?;
        seen.section("log of the MTA", self.milter_log());
        Ok(())
    }

    /// The same without the log, for sessions whose order is left to chance.
    pub fn observe_deliveries(&self, seen: &mut Observation) -> Result<()> {
        self.settle()?;
        seen.hide(format!(":{}", self.port), ":SMTP");
        seen.hide(self.dir().display().to_string(), "MTA:DIR");
        let mut texts = Vec::new();
        for Delivery { recipient, sender, message } in self.deliveries()? {
            texts.push(format!("-- from {sender} to {recipient}"));
            texts.extend(message.lines().take(SHOWN_LINES).map(str::to_owned));
            if message.lines().count() > SHOWN_LINES {
                let mut hasher = DefaultHasher::new();
                let rest: Vec<&str> = message.lines().skip(SHOWN_LINES).collect();
                replace_volatile(&rest.join("\n")).hash(&mut hasher);
                texts.push(format!("... {} more lines, hash {:x}", rest.len(), hasher.finish()));
            }
        }
        seen.section("delivered", texts);
        seen.section("held", self.held()?);
        Ok(())
    }
}

/// The queue id of a line of Postfix' log: `... postfix/qmgr[77]: 16E349A053A: from=...`.
fn queue_id(line: &str) -> Option<&str> {
    let (_, text) = line.split_once("]: ")?;
    text.split_once(':').map(|(id, _)| id)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut found: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    found.sort();
    found
}

impl Drop for Mta {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of {}:\n{}", self.kind.name(), self.log());
        }
    }
}
