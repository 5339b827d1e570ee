//! Which MTA, with which milters and settings.

use super::process::Process;
use crate::filter::{free_port, postfix_notation};
use c_tests::{Packages, Result, launch};
use std::path::Path;
use std::process::Command;

/// Which MTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Postfix, as the distribution has it.
    Postfix,
    /// sendmail, likewise.
    Sendmail,
}

impl Kind {
    /// Its name on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postfix => "Postfix",
            Self::Sendmail => "sendmail",
        }
    }

    /// Its version.
    pub fn version(self) -> Result<String> {
        self.packages()?.version(match self {
            Self::Postfix => "postfix",
            Self::Sendmail => "sendmail-bin",
        })
    }

    fn packages(self) -> Result<Packages> {
        Packages::unpack(match self {
            Self::Postfix => &["postfix"],
            Self::Sendmail => &["sendmail-bin", "sendmail-cf", "m4"],
        })
    }

    /// The script that starts and stops it.
    pub(super) fn script(self) -> Result<Command> {
        let script = match self {
            Self::Postfix => "postfix.sh",
            Self::Sendmail => "sendmail.sh",
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mta").join(script);
        // What `nohup` and the like ignore, the MTA's programs would ignore too.
        let mut command = launch::launched(path)?;
        command.env("MTA_ROOT", self.packages()?.root);
        Ok(command)
    }
}

/// An MTA that is not started yet.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(super) kind: Kind,
    pub(super) milters: Vec<String>,
    pub(super) lines: Vec<String>,
}

impl Setup {
    /// Has mail looked at by the filter with this `smfi_setconn` specification; in turn if called
    /// several times. Should the filter fail, mail fails temporarily.
    pub fn milter(self, spec: &str) -> Self {
        self.milter_flags(spec, "T")
    }

    /// The same with what sendmail does should the filter fail: `F=` of these flags. Postfix has
    /// `milter_default_action` for it.
    pub fn milter_flags(mut self, spec: &str, flags: &str) -> Self {
        self.milters.push(match self.kind {
            Kind::Postfix => postfix_notation(spec),
            Kind::Sendmail => {
                let number = self.milters.len() + 1;
                let flags = if flags.is_empty() { String::new() } else { format!(", F={flags}") };
                format!(
                    "INPUT_MAIL_FILTER(`filter{number}', `S={spec}{flags}, T=C:10s;S:20s;R:20s;E:60s')"
                )
            }
        });
        self
    }

    /// Adds a line of Postfix' main.cf (`milter_protocol = 2`) or of sendmail's .mc.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Starts it with `dir` for its files; its script, and its SMTP port on 127.0.0.1.
    pub(super) fn launch(self, dir: &Path) -> Result<(Process, u16)> {
        let Self { kind, milters, mut lines } = self;
        match kind {
            Kind::Postfix => {
                let milters = milters.join(" ");
                lines.insert(0, format!("smtpd_milters = {milters}"));
                lines.insert(1, format!("non_smtpd_milters = {milters}"));
            }
            Kind::Sendmail => lines.extend(milters),
        }
        let port = free_port()?;
        let mut script = kind.script()?;
        script.arg("run").arg(dir).arg(port.to_string()).args(lines);
        Ok((Process::start(&mut script)?, port))
    }
}
