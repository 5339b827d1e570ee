//! Offers, and answers checked as a strict MTA checks them.

use std::fmt;

use crate::wire::flags::{action, describe, protocol};
use crate::wire::{FormatError, Packet, Reply};

/// What an MTA offers to a milter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Highest protocol version it speaks.
    pub version: u32,
    /// Actions it can carry out.
    pub actions: u32,
    /// Protocol flags it understands.
    pub protocol: u32,
}

impl Offer {
    /// sendmail since 8.14.1.
    pub const SENDMAIL: Offer = Offer { version: 6, actions: action::ALL, protocol: protocol::ALL };

    /// sendmail 8.13: no DATA, unknown commands, skipping or silent stages.
    pub const SENDMAIL_8_13: Offer = Offer { version: 2, actions: 0x3f, protocol: 0x7f };

    /// sendmail 8.12: as 8.13, without quarantine.
    pub const SENDMAIL_8_12: Offer = Offer { version: 2, actions: 0x1f, protocol: 0x7f };

    /// Postfix with its default `milter_protocol = 6`.
    pub const POSTFIX: Offer = Offer::SENDMAIL;

    /// Postfix with another `milter_protocol`: 2, 3, 4 or 6.
    #[must_use]
    pub fn postfix(milter_protocol: u32) -> Option<Offer> {
        let protocol = match milter_protocol {
            2 => 0x7f,
            3 => 0x17f,
            4 => 0x37f,
            6 => protocol::ALL,
            _ => return None,
        };
        Some(Offer { version: milter_protocol, actions: action::ALL, protocol })
    }
}

/// What MTA and milter have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Protocol version.
    pub version: u32,
    /// Actions the milter may ask for.
    pub actions: u32,
    /// Protocol flags in force, including those its version implies.
    pub protocol: u32,
    /// Macro lists the milter asks for: stage number (`SMFIM_*`) and names.
    pub symbols: Vec<(u32, Vec<u8>)>,
}

impl Agreement {
    /// Checks the answer to an offer.
    ///
    /// The version must be 2 or above and not above the offer; no flag may be set that was not
    /// offered; symbol lists must be well formed. Versions 2 and 3 imply that unknown commands
    /// and DATA are not sent.
    pub fn check(offer: &Offer, answer: Packet<'_>) -> Result<Agreement, NegotiationError> {
        let Reply::Negotiate { version, actions, protocol: steps, symbols } =
            Reply::parse(answer).map_err(NegotiationError::Format)?
        else {
            return Err(NegotiationError::NotAnAnswer { letter: answer.letter });
        };
        if version < 2 || version > offer.version {
            return Err(NegotiationError::Version { offered: offer.version, answered: version });
        }
        for (kind, offered, answered, names) in [
            ("action", offer.actions, actions, action::NAMES),
            ("protocol", offer.protocol, steps, protocol::NAMES),
        ] {
            let surplus = answered & !offered;
            if surplus != 0 {
                return Err(NegotiationError::Flags {
                    kind,
                    offered,
                    answered,
                    surplus: describe(surplus, names),
                });
            }
        }
        let mut implied = 0;
        if version <= 2 {
            implied |= protocol::NOUNKNOWN;
        }
        if version <= 3 {
            implied |= protocol::NODATA;
        }
        Ok(Agreement {
            version,
            actions,
            protocol: steps | implied,
            symbols: symbol_lists(symbols)?,
        })
    }

    /// Whether all bits of a protocol flag are in force.
    #[must_use]
    pub fn has(&self, flag: u32) -> bool {
        flag != 0 && self.protocol & flag == flag
    }

    /// The macro names the milter asks for at a stage (`SMFIM_*`), if it gave a list.
    pub fn symbols_for(&self, stage: u32) -> Option<impl Iterator<Item = &[u8]>> {
        let (_, list) = self.symbols.iter().find(|(number, _)| *number == stage)?;
        let separators = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
        Some(list.split(separators).filter(|name| !name.is_empty()))
    }
}

/// Takes apart `(stage, names NUL)…`.
fn symbol_lists(mut bytes: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, NegotiationError> {
    let mut lists: Vec<(u32, Vec<u8>)> = Vec::new();
    while !bytes.is_empty() {
        let problem = |problem| NegotiationError::Symbols { problem };
        let Some((stage, rest)) = bytes.split_first_chunk::<4>() else {
            return Err(problem("too short for a stage number"));
        };
        let stage = u32::from_be_bytes(*stage);
        if stage > 6 {
            return Err(problem("a stage number over 6"));
        }
        if lists.iter().any(|(number, _)| *number == stage) {
            return Err(problem("two lists for one stage"));
        }
        let Some(length) = rest.iter().position(|byte| *byte == 0) else {
            return Err(problem("a list without its final NUL"));
        };
        lists.push((stage, rest[..length].to_vec()));
        bytes = &rest[length + 1..];
    }
    Ok(lists)
}

/// Why an answer to an offer is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NegotiationError {
    /// The packet is malformed.
    Format(FormatError),
    /// Something else than an answer came.
    NotAnAnswer {
        /// Letter of the packet.
        letter: u8,
    },
    /// A version that was not offered.
    Version {
        /// Version offered.
        offered: u32,
        /// Version in the answer.
        answered: u32,
    },
    /// Flags that were not offered.
    Flags {
        /// `action` or `protocol`.
        kind: &'static str,
        /// Flags offered.
        offered: u32,
        /// Flags in the answer.
        answered: u32,
        /// The names of those not offered.
        surplus: String,
    },
    /// Malformed symbol lists.
    Symbols {
        /// What is wrong with them.
        problem: &'static str,
    },
}

impl fmt::Display for NegotiationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NegotiationError::Format(error) => error.fmt(f),
            NegotiationError::NotAnAnswer { letter } => write!(
                f,
                "reply '{}' where the answer to the offer ('O') is due",
                letter.escape_ascii()
            ),
            NegotiationError::Version { offered, answered } => write!(
                f,
                "the milter wants protocol version {answered}; this MTA speaks 2 to {offered}"
            ),
            NegotiationError::Flags { kind, offered, answered, surplus } => write!(
                f,
                "the milter wants {kind} flags that this MTA does not offer: {surplus} \
                 (offered {offered:#x}, wanted {answered:#x})"
            ),
            NegotiationError::Symbols { problem } => {
                write!(f, "malformed symbol lists in the answer: {problem}")
            }
        }
    }
}

impl std::error::Error for NegotiationError {}

#[cfg(test)]
mod tests;
