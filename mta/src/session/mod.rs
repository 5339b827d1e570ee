//! A whole SMTP session as a milter sees it, played as sendmail or Postfix plays it.
//!
//! [`Session::open`] negotiates; [`Session::connect`] and [`Session::helo`] introduce the client;
//! [`Session::deliver`] plays one message and may be called again; [`Session::quit`] ends it.
//! An observer hears every command and reply.
//!
//! What is played per MTA: which macros go with which command; which commands leave in one write;
//! leading blanks; no-reply, skipped and unwanted stages; when ABORT is sent and when the
//! connection is closed without QUIT; what a reply at a stage means; the SMTP reply to the client.
//! What is not played: sendmail's use of its "end of headers" list flag for the end-of-message
//! macros, and Postfix's second connection for discarded mail.

mod error;
mod event;
mod exchange;
mod macros;
mod offer;
mod outcome;
mod profile;
mod smtp;
mod stage;
mod transaction;

use std::net::IpAddr;
use std::time::Duration;

pub use error::{Place, Problem, SessionError};
pub use event::{Decision, Event};
pub use macros::Macros;
pub use outcome::{Outcome, RecipientOutcome, Verdict};
pub use profile::{Mta, NAMES as MTA_NAMES, Profile, Timeouts, UnknownMta};
pub use smtp::SmtpReply;
pub use stage::Stage;

use crate::client::Client;
use crate::negotiate::Agreement;
use crate::wire::{Command, Origin};

/// The SMTP client that the MTA talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Its host name.
    pub name: String,
    /// Where it connects from.
    pub origin: Origin,
}

impl ClientInfo {
    /// A client at an IP address; a client without a name goes by its address in brackets.
    #[must_use]
    pub fn new(name: Option<&str>, address: IpAddr, port: u16) -> ClientInfo {
        ClientInfo {
            name: name.map_or_else(|| format!("[{address}]"), str::to_owned),
            origin: match address {
                IpAddr::V4(address) => Origin::Inet(address, port),
                IpAddr::V6(address) => Origin::Inet6(address, port, false),
            },
        }
    }
}

/// What the milter still has to do with this SMTP session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Filter {
    /// It is asked.
    Active,
    /// It has accepted the rest, at this stage.
    Done(Stage),
    /// It has refused the client; every message gets this reply.
    Refused(Stage, SmtpReply),
}

/// A session with one milter.
pub struct Session<'o> {
    client: Option<Client>,
    profile: Profile,
    agreement: Agreement,
    macros: Macros,
    observer: &'o mut dyn FnMut(Event<'_>),
    filter: Filter,
    /// The milter has answered MAIL with "continue" and no verdict has ended the message.
    in_message: bool,
    /// MAIL was reached since the last ABORT (Postfix sends ABORT after every message).
    mail_seen: bool,
    /// HELO was reached.
    helo_seen: bool,
    queue_id: String,
    remarks: Vec<String>,
}

impl<'o> Session<'o> {
    /// Negotiates on a fresh connection.
    pub fn open(
        mut client: Client,
        profile: Profile,
        observer: &'o mut dyn FnMut(Event<'_>),
    ) -> Result<Session<'o>, SessionError> {
        client.set_write_timeout(profile.timeouts.write);
        let agreement = offer::negotiate(&mut client, &profile, observer)
            .map_err(|problem| SessionError { place: Place::Negotiation, problem })?;
        Ok(Session {
            client: Some(client),
            profile,
            agreement,
            macros: default_macros(profile.mta),
            observer,
            filter: Filter::Active,
            in_message: false,
            mail_seen: false,
            helo_seen: false,
            queue_id: String::new(),
            remarks: Vec::new(),
        })
    }

    /// What was agreed on.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The macros, to set values or to add some.
    pub fn macros(&mut self) -> &mut Macros {
        &mut self.macros
    }

    /// Whether the milter is still asked about this SMTP session.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.filter == Filter::Active
    }

    /// Introduces the client; the decision holds for the whole session.
    pub fn connect(&mut self, client: &ClientInfo) -> Result<(), SessionError> {
        let mut origin = client.origin.clone();
        if let Origin::Inet6(_, _, prefix) = &mut origin {
            *prefix = self.profile.mta.is_sendmail();
        }
        let address = match &origin {
            Origin::Inet(address, _) => address.to_string(),
            Origin::Inet6(address, _, true) => format!("IPv6:{address}"),
            Origin::Inet6(address, _, false) => address.to_string(),
            Origin::Unix(_) | Origin::Unknown => "0".to_owned(),
        };
        if let Origin::Inet(_, port) | Origin::Inet6(_, port, _) = &origin {
            self.macros.set("client_port", port.to_string());
        }
        self.macros.set("_", format!("{} [{address}]", client.name));
        self.macros.set("client_addr", address);
        self.macros.set("client_name", client.name.as_str());
        self.macros.set("client_ptr", client.name.as_str());
        let command = Command::Connect { host: client.name.as_bytes(), origin: &origin };
        let decision = self.step(Stage::Connect, &command)?;
        self.take_for_session(Stage::Connect, decision)
    }

    /// Says HELO; the decision holds for the whole session.
    pub fn helo(&mut self, name: &str) -> Result<(), SessionError> {
        self.helo_seen = true;
        self.macros.set("s", name);
        let decision = self.step(Stage::Helo, &Command::Helo(name.as_bytes()))?;
        self.take_for_session(Stage::Helo, decision)
    }

    /// Shows an SMTP command that the MTA does not know; gives the reply that refuses it, if any.
    pub fn unknown(&mut self, line: &str) -> Result<Option<SmtpReply>, SessionError> {
        let decision = self.step(Stage::Unknown, &Command::Unknown(line.as_bytes()))?;
        Ok(match decision {
            Some(Decision::Refuse(reply)) => Some(reply),
            _ => None,
        })
    }

    /// Gives up the message in hand, as on RSET.
    pub fn abort(&mut self) -> Result<(), SessionError> {
        self.in_message = false;
        self.mail_seen = false;
        self.announce(&[Command::Abort])
    }

    /// Ends the session but keeps the connection for another one (QUIT_NC).
    pub fn quit_nc(&mut self) -> Result<(), SessionError> {
        self.in_message = false;
        self.mail_seen = false;
        self.helo_seen = false;
        self.filter = Filter::Active;
        self.announce(&[Command::QuitNewConnection])
    }

    /// Ends the session; waits up to `linger` for the milter to close, as it must.
    ///
    /// Real MTAs close at once. Waiting shows replies nobody asked for, which are an error.
    /// Gives `false` if the milter has not closed in time.
    pub fn quit(mut self, linger: Duration) -> Result<bool, SessionError> {
        let postfix = self.profile.mta == Mta::Postfix;
        let mut commands = Vec::new();
        if postfix && self.mail_seen {
            commands.push(Command::Abort);
        }
        if postfix && self.helo_seen {
            commands.push(Command::Abort);
        }
        commands.push(Command::Quit);
        self.announce(&commands)?;
        self.wait_for_close(linger)
    }

    /// Carries out what a reply at connect or HELO means.
    fn take_for_session(
        &mut self,
        stage: Stage,
        decision: Option<Decision>,
    ) -> Result<(), SessionError> {
        let postfix = self.profile.mta == Mta::Postfix;
        match decision {
            None | Some(Decision::Continue) => return Ok(()),
            Some(Decision::Accept) => self.filter = Filter::Done(stage),
            Some(Decision::Refuse(reply)) => self.filter = Filter::Refused(stage, reply),
            Some(Decision::Discard) => {
                let remark = format!("discard has no meaning at {stage}");
                self.remark(remark);
                if postfix || stage == Stage::Helo {
                    return Ok(());
                }
                self.filter = Filter::Done(stage);
            }
            Some(Decision::Skip) if postfix => return Ok(()),
            Some(Decision::Skip) => {
                self.filter = Filter::Done(stage);
                return Ok(());
            }
        }
        if postfix {
            // Postfix hangs up without a word.
            self.client = None;
        } else if stage == Stage::Connect || matches!(self.filter, Filter::Done(_)) {
            self.announce(&[Command::Quit])?;
            self.client = None;
        }
        Ok(())
    }
}

/// The values every session has.
fn default_macros(mta: Mta) -> Macros {
    let mut macros = Macros::new(mta);
    macros.set("j", "mx.example.org");
    macros.set("r", "ESMTP");
    if mta == Mta::Postfix {
        macros.set("daemon_name", "mx.example.org");
        macros.set("daemon_addr", "192.0.2.1");
        macros.set("v", "Postfix 3.7.11");
    } else {
        macros.set("daemon_name", "MTA");
        macros.set("if_name", "mx.example.org");
        macros.set("if_addr", "192.0.2.1");
        macros.set("v", "8.17.1");
    }
    macros
}
