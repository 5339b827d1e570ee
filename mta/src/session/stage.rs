//! The stages of an SMTP session that a milter hears of.

use std::fmt;
use std::str::FromStr;

use crate::wire::command::letter;
use crate::wire::flags::protocol;

/// One stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// A client has connected.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// One header.
    Header,
    /// End of the headers.
    EndOfHeaders,
    /// A part of the body.
    Body,
    /// End of the message.
    EndOfMessage,
    /// An SMTP command the MTA does not know.
    Unknown,
}

impl Stage {
    /// All stages.
    pub const ALL: [Stage; 10] = [
        Stage::Connect,
        Stage::Helo,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Header,
        Stage::EndOfHeaders,
        Stage::Body,
        Stage::EndOfMessage,
        Stage::Unknown,
    ];

    /// The letter of the stage's command.
    #[must_use]
    pub fn letter(self) -> u8 {
        match self {
            Stage::Connect => letter::CONNECT,
            Stage::Helo => letter::HELO,
            Stage::Mail => letter::MAIL,
            Stage::Rcpt => letter::RCPT,
            Stage::Data => letter::DATA,
            Stage::Header => letter::HEADER,
            Stage::EndOfHeaders => letter::END_OF_HEADERS,
            Stage::Body => letter::BODY,
            Stage::EndOfMessage => letter::END_OF_BODY,
            Stage::Unknown => letter::UNKNOWN,
        }
    }

    /// The stage that a command letter belongs to.
    #[must_use]
    pub fn from_letter(letter: u8) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.letter() == letter)
    }

    /// A short name, as in options and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Helo => "helo",
            Stage::Mail => "mail",
            Stage::Rcpt => "rcpt",
            Stage::Data => "data",
            Stage::Header => "header",
            Stage::EndOfHeaders => "eoh",
            Stage::Body => "body",
            Stage::EndOfMessage => "eom",
            Stage::Unknown => "unknown",
        }
    }

    /// The protocol flag by which a milter asks not to get the command, 0 if there is none.
    #[must_use]
    pub fn unwanted_flag(self) -> u32 {
        match self {
            Stage::Connect => protocol::NOCONNECT,
            Stage::Helo => protocol::NOHELO,
            Stage::Mail => protocol::NOMAIL,
            Stage::Rcpt => protocol::NORCPT,
            Stage::Data => protocol::NODATA,
            Stage::Header => protocol::NOHDRS,
            Stage::EndOfHeaders => protocol::NOEOH,
            Stage::Body => protocol::NOBODY,
            Stage::EndOfMessage => 0,
            Stage::Unknown => protocol::NOUNKNOWN,
        }
    }

    /// The protocol flag by which a milter announces that it will not reply, 0 if there is none.
    #[must_use]
    pub fn silent_flag(self) -> u32 {
        match self {
            Stage::Connect => protocol::NR_CONN,
            Stage::Helo => protocol::NR_HELO,
            Stage::Mail => protocol::NR_MAIL,
            Stage::Rcpt => protocol::NR_RCPT,
            Stage::Data => protocol::NR_DATA,
            Stage::Header => protocol::NR_HDR,
            Stage::EndOfHeaders => protocol::NR_EOH,
            Stage::Body => protocol::NR_BODY,
            Stage::EndOfMessage => 0,
            Stage::Unknown => protocol::NR_UNKN,
        }
    }

    /// The number of the stage in symbol lists (`SMFIM_*`), for those that have one.
    #[must_use]
    pub fn symbol_number(self) -> Option<u32> {
        match self {
            Stage::Connect => Some(0),
            Stage::Helo => Some(1),
            Stage::Mail => Some(2),
            Stage::Rcpt => Some(3),
            Stage::Data => Some(4),
            Stage::EndOfMessage => Some(5),
            Stage::EndOfHeaders => Some(6),
            Stage::Header | Stage::Body | Stage::Unknown => None,
        }
    }

    /// Whether the stage is part of the content, which MTAs send after the SMTP dialogue.
    #[must_use]
    pub fn is_content(self) -> bool {
        matches!(self, Stage::Header | Stage::EndOfHeaders | Stage::Body | Stage::EndOfMessage)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Stage, String> {
        let name = match text.to_ascii_lowercase().as_str() {
            "envfrom" => "mail".to_owned(),
            "envrcpt" => "rcpt".to_owned(),
            "ehlo" => "helo".to_owned(),
            other => other.to_owned(),
        };
        let found = Stage::ALL.into_iter().find(|stage| stage.name() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Stage::ALL.iter().map(|stage| stage.name()).collect();
            format!("no stage \"{text}\"; known are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_found_by_name_and_letter() {
        for stage in Stage::ALL {
            assert_eq!(stage.name().parse(), Ok(stage));
            assert_eq!(Stage::from_letter(stage.letter()), Some(stage));
        }
        assert_eq!("envfrom".parse(), Ok(Stage::Mail));
        assert!("end".parse::<Stage>().unwrap_err().contains("known are connect, helo"));
    }
}
