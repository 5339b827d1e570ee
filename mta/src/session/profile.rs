//! Which MTA to be: what it offers, how it frames its writes, how long it waits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::negotiate::Offer;

/// The MTAs that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mta {
    /// sendmail since 8.14.1.
    Sendmail,
    /// sendmail 8.13.
    Sendmail813,
    /// sendmail 8.12.
    Sendmail812,
    /// Postfix since 2.6.
    Postfix,
}

impl Mta {
    /// Its name, by which [`Profile`] can be read too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mta::Sendmail => "sendmail",
            Mta::Sendmail813 => "8.13",
            Mta::Sendmail812 => "8.12",
            Mta::Postfix => "postfix",
        }
    }

    /// Whether it is a sendmail of any version.
    #[must_use]
    pub fn is_sendmail(self) -> bool {
        self != Mta::Postfix
    }
}

/// How long to wait for a milter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For each reply up to DATA; a progress reply starts the wait again.
    pub command: Duration,
    /// For each reply to the content; a progress reply starts the wait again.
    pub content: Duration,
    /// From the end of the message to the verdict, however many progress replies come.
    pub end_of_message: Option<Duration>,
    /// For the milter to read what is sent.
    pub write: Duration,
}

impl Timeouts {
    /// The same bound for every reply, and none in total.
    #[must_use]
    pub fn uniform(bound: Duration) -> Timeouts {
        Timeouts { command: bound, content: bound, end_of_message: None, write: bound }
    }
}

/// An MTA with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which MTA.
    pub mta: Mta,
    /// What it offers.
    pub offer: Offer,
    /// How long it waits.
    pub timeouts: Timeouts,
}

impl Profile {
    /// An MTA with its default settings.
    #[must_use]
    pub fn new(mta: Mta) -> Profile {
        let seconds = Duration::from_secs;
        match mta {
            Mta::Postfix => Profile {
                mta,
                offer: Offer::POSTFIX,
                timeouts: Timeouts {
                    command: seconds(30),
                    content: seconds(300),
                    end_of_message: None,
                    write: seconds(300),
                },
            },
            _ => Profile {
                mta,
                offer: match mta {
                    Mta::Sendmail813 => Offer::SENDMAIL_8_13,
                    Mta::Sendmail812 => Offer::SENDMAIL_8_12,
                    _ => Offer::SENDMAIL,
                },
                timeouts: Timeouts {
                    command: seconds(10),
                    content: seconds(10),
                    end_of_message: Some(seconds(300)),
                    write: seconds(10),
                },
            },
        }
    }

    /// The same MTA with another offer.
    #[must_use]
    pub fn with_offer(self, offer: Offer) -> Profile {
        Profile { offer, ..self }
    }
}

/// The names that [`Profile`] can be read from.
pub const NAMES: &str = "sendmail, 8.13, 8.12, postfix, postfix:2, postfix:3, postfix:4";

/// A name that stands for no MTA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMta(String);

impl fmt::Display for UnknownMta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no MTA \"{}\"; known are {NAMES}", self.0)
    }
}

impl std::error::Error for UnknownMta {}

impl FromStr for Profile {
    type Err = UnknownMta;

    fn from_str(name: &str) -> Result<Profile, UnknownMta> {
        let unknown = || UnknownMta(name.to_owned());
        match name {
            "sendmail" => Ok(Profile::new(Mta::Sendmail)),
            "8.13" => Ok(Profile::new(Mta::Sendmail813)),
            "8.12" => Ok(Profile::new(Mta::Sendmail812)),
            "postfix" => Ok(Profile::new(Mta::Postfix)),
            _ => {
                let setting = name.strip_prefix("postfix:").ok_or_else(unknown)?;
                let setting = setting.parse().map_err(|_| unknown())?;
                let offer = Offer::postfix(setting).ok_or_else(unknown)?;
                Ok(Profile::new(Mta::Postfix).with_offer(offer))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mtas_have_names() {
        let profile = |name: &str| name.parse::<Profile>();
        for name in NAMES.split(", ") {
            profile(name).unwrap();
        }
        assert_eq!(profile("8.12").unwrap().offer.actions, 0x1f);
        assert_eq!(profile("postfix:3").unwrap().offer.version, 3);
        for name in ["exim", "postfix:5", "postfix:", ""] {
            let error = profile(name).unwrap_err().to_string();
            assert!(error.contains("known are sendmail"), "{error}");
        }
    }
}
