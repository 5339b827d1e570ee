//! MTAs that no package has any more, played by `mta/`: what they offer, send and leave out.

use c_tests::{Error, Result};
use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{ClientInfo, Event, Mta, Profile, Session, Stage, Timeouts};
use milter_mta::{Client, ConnSpec, Offer};

mod mail;
mod stalwart;

pub use mail::Mail;
use mail::{CLIENT, PATIENCE, sent};
use stalwart::stalwart;

/// An MTA to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Played {
    /// Version 2 without quarantine and without macros at the end of the message.
    Sendmail812,
    /// Version 2.
    Sendmail813,
    /// The first with version 6; it forgot to offer lists of macros.
    Sendmail8140,
    /// The first that does.
    Sendmail8141,
    /// Sun Java System Messaging Server 6.3, of 8.13's level: only three actions, few macros, and it
    /// comes to the filter at the first recipient that wants to be filtered.
    SunFirst,
    /// With later patches: six actions.
    SunPatched,
    /// A connection for every stage, each telling the session from its beginning; goes on after
    /// "accept", hangs up after any other verdict; offers two protocol flags only.
    Stalwart,
    /// The same with version 2.
    Stalwart2,
    /// The client library of that name: it uses a connection again, by QUIT_NC.
    GoMilter,
}

impl Played {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Sendmail812,
        Self::Sendmail813,
        Self::Sendmail8140,
        Self::Sendmail8141,
        Self::SunFirst,
        Self::SunPatched,
        Self::Stalwart,
        Self::Stalwart2,
        Self::GoMilter,
    ];

    /// Name and version on the page.
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Sendmail812 => ("sendmail", "8.12 played"),
            Self::Sendmail813 => ("sendmail", "8.13 played"),
            Self::Sendmail8140 => ("sendmail", "8.14.0 played"),
            Self::Sendmail8141 => ("sendmail", "8.14.1 played"),
            Self::SunFirst => ("Sun Messaging Server", "6.3 played"),
            Self::SunPatched => ("Sun Messaging Server", "6.3 patched, played"),
            Self::Stalwart => ("Stalwart", "protocol 6, played"),
            Self::Stalwart2 => ("Stalwart", "protocol 2, played"),
            Self::GoMilter => ("go-milter", "played"),
        }
    }

    fn title(self) -> String {
        let (name, version) = self.name();
        format!("{name} {version}")
    }

    fn profile(self) -> Profile {
        let offer = |version, actions, protocol| Offer { version, actions, protocol };
        let profile = match self {
            Self::Sendmail812 => Profile::new(Mta::Sendmail812),
            Self::Sendmail813 => Profile::new(Mta::Sendmail813),
            Self::Sendmail8140 => Profile::new(Mta::Sendmail).with_offer(offer(6, 0xff, 0x1f_ffff)),
            Self::Sendmail8141 | Self::GoMilter => Profile::new(Mta::Sendmail),
            Self::SunFirst => Profile::new(Mta::Sendmail813).with_offer(offer(2, 0x31, 0x7f)),
            Self::SunPatched => Profile::new(Mta::Sendmail813).with_offer(offer(2, 0x3f, 0x7f)),
            Self::Stalwart => Profile::new(Mta::Sendmail).with_offer(offer(6, 0xff, 0x42)),
            Self::Stalwart2 => Profile::new(Mta::Sendmail813).with_offer(offer(2, 0xff, 0x42)),
        };
        Profile { timeouts: Timeouts::uniform(PATIENCE), ..profile }
    }

    /// Plays messages to the filter at `spec`; gives everything that was said, and what became of
    /// each message.
    pub fn play(self, spec: &str, messages: &[Mail]) -> Result<Vec<String>> {
        let spec = spec.parse::<ConnSpec>().map_err(|e| Error::new(spec, e))?;
        let mut said = Vec::new();
        match self {
            Self::Stalwart | Self::Stalwart2 => {
                for mail in messages {
                    stalwart(self.profile().offer, &spec, mail, &mut said)?;
                }
            }
            // A connection for each message, without those recipients that want no filter.
            Self::SunFirst | Self::SunPatched => {
                for mail in messages {
                    let filtered = &mail.recipients[..1];
                    self.session(&spec, &[Mail { recipients: filtered, ..*mail }], &mut said)?;
                }
            }
            _ => {
                let mut rest = messages;
                while !rest.is_empty() {
                    rest = &rest[self.session(&spec, rest, &mut said)?..];
                }
            }
        }
        Ok(said)
    }

    /// SMTP sessions with these messages; gives how many fitted into this connection.
    fn session(self, spec: &ConnSpec, mails: &[Mail<'_>], said: &mut Vec<String>) -> Result<usize> {
        said.push(format!("-- {}", self.title()));
        let fail = |e: &dyn std::fmt::Display| Error::new(self.title(), e);
        let (mut played, mut outcomes) = (0, Vec::new());
        let mut observer = |event: Event<'_>| said.push(show(event));
        let client = Client::connect(spec, PATIENCE).map_err(|e| fail(&e))?;
        let result =
            Session::open(client, self.profile(), &mut observer).and_then(|mut session| {
                if matches!(self, Self::SunFirst | Self::SunPatched) {
                    for name in ["if_addr", "if_name", "daemon_name", "v", "r"] {
                        session.macros().unset(name);
                    }
                }
                session.macros().set("auth_authen", "ada");
                for mail in mails {
                    if played == 0 || self == Self::GoMilter {
                        if played > 0 {
                            session.quit_nc()?;
                        }
                        let client = ClientInfo::new(Some("client.example"), CLIENT.into(), 40_000);
                        session.connect(&client)?;
                        session.helo("client.example")?;
                    }
                    let envelope = Envelope::new(mail.sender, mail.recipients);
                    let message = Message::parse(mail.text.as_bytes());
                    let outcome = session.deliver("4F0C2A", &envelope, &message)?;
                    played += 1;
                    outcomes.push(format!("{}: {}", mail.sender, outcome.reply.lines.join(" / ")));
                    if let Some((envelope, message)) = &outcome.delivered {
                        outcomes.push(envelope.to_string());
                        let text = String::from_utf8_lossy(&message.to_bytes()).into_owned();
                        outcomes.extend(text.lines().take(20).map(str::to_owned));
                    }
                    // The reference takes QUIT_NC nowhere else (D6).
                    if self == Self::GoMilter && outcome.stage != Stage::EndOfMessage {
                        break;
                    }
                }
                session.quit(PATIENCE)
            });
        said.push(match result {
            Ok(closed) => format!("(closed by the filter: {closed})"),
            Err(e) => {
                played = mails.len();
                format!("(ended: {e})")
            }
        });
        said.extend(outcomes);
        Ok(played)
    }
}

fn show(event: Event<'_>) -> String {
    match event {
        Event::Sent(command) => sent(command),
        Event::Received(reply) => format!("< {reply}"),
        Event::Unanswered => "< (nothing, as agreed)".to_owned(),
        Event::Remark(remark) => format!("({remark})"),
    }
}
