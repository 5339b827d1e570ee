//! Option negotiation: what the MTA offers, what the filter wants, what is agreed.
//!
//! Negotiation has two pure halves with `xxfi_negotiate` between them: [`Offer::parse`] with
//! [`Offer::defaults`], then [`agree`].

use std::collections::TryReserveError;

use super::codes::{MDS_1M_SIZE, MDS_256K_SIZE, VERSION_MAX, VERSION_MIN, action, status, step};
use super::command::Command;
use super::names;

/// Bytes. Version, actions and protocol flags, 32 bits each.
pub const OFFER_SIZE: usize = 12;

/// What the MTA offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Protocol version to answer: the MTA's, at most [`VERSION_MAX`].
    pub version: u32,
    /// Actions the MTA supports.
    pub actions: u32,
    /// Protocol flags the MTA supports.
    pub protocol: u32,
    /// The accepted data size flag, which is echoed in the answer; 0 if none.
    pub mds: u32,
}

/// What the filter is, as far as negotiation cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilterTraits {
    /// Actions it registered (`xxfi_flags`).
    pub actions: u32,
    /// Flags "do not send" for the callbacks it lacks.
    pub absent: u32,
    /// Whether its version allows larger data sizes to be negotiated.
    pub mds: bool,
}

/// What the filter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Wanted actions.
    pub actions: u32,
    /// Wanted protocol flags.
    pub protocol: u32,
}

/// What holds for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agreement {
    /// Protocol version answered.
    pub version: u32,
    /// Actions the filter may use.
    pub actions: u32,
    /// Flags the session follows, with the promises the library keeps in the MTA's place.
    pub protocol: u32,
    /// Promises of no reply that the MTA does not know, so that the library replies.
    pub faked: u32,
    /// Flags that go into the answer.
    pub answered: u32,
    /// Whether the MTA takes lists of wanted macros.
    pub symbol_lists: bool,
}

/// Why negotiation failed. Each ends the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegotiateError {
    /// Fewer than [`OFFER_SIZE`] bytes: bytes there.
    TooShort(usize),
    /// Version below [`VERSION_MIN`].
    Version(u32),
    /// `xxfi_negotiate` returned neither CONTINUE nor ALL_OPTS: its result, what was offered.
    Callback(i32, Offer),
    /// The MTA's actions lack some of the wanted ones: offered, wanted.
    Actions(u32, u32),
    /// The MTA's protocol flags lack some of the wanted ones: offered, wanted.
    Protocol(u32, u32),
}

impl std::fmt::Display for NegotiateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NegotiateError::TooShort(len) => write!(f, "len too short {len} < {OFFER_SIZE}"),
            NegotiateError::Version(version) => {
                let version = *version as i32;
                write!(f, "protocol version too old {version} < {VERSION_MIN}")
            }
            NegotiateError::Callback(result, offer) => write!(
                f,
                "xxfi_negotiate returned {result} (protocol options=0x{:x}, actions=0x{:x})",
                offer.protocol, offer.actions
            ),
            NegotiateError::Actions(offered, wanted) => {
                write!(f, "0x{offered:x} does not fulfill action requirements 0x{wanted:x}")
            }
            NegotiateError::Protocol(offered, wanted) => {
                write!(f, "0x{offered:x} does not fulfill protocol requirements 0x{wanted:x}")
            }
        }
    }
}

/// What helps against an offer that is too small.
const HELP: &str = "a current Postfix with milter_protocol = 6 and sendmail from 8.14 on offer all";

/// Says what the MTA lacks, of which no MTA has the flags that are `unknown`.
fn unsuited(lacks: &str, unknown: u32) -> String {
    let help = match unknown {
        0 => HELP.to_owned(),
        flags => format!("no MTA knows 0x{flags:x}, which is a mistake of the filter"),
    };
    format!("this MTA does not offer {lacks}, without which the filter does not run; {help}")
}

impl NegotiateError {
    /// What it means, and what would help, for whom the numbers tell nothing.
    #[must_use]
    pub fn explanation(&self) -> Option<String> {
        let missing = |actions: u32, steps: u32| {
            let names = [names::actions(actions), names::steps(steps)];
            names.into_iter().filter(|names| !names.is_empty()).collect::<Vec<_>>().join(", ")
        };
        Some(match *self {
            NegotiateError::TooShort(_) => return None,
            NegotiateError::Version(version) => format!(
                "this MTA speaks version {} of the milter protocol; versions {VERSION_MIN} to \
                 {VERSION_MAX} are spoken here; {HELP}",
                version as i32
            ),
            NegotiateError::Actions(offered, wanted) => {
                let lacks = missing(wanted & !offered, 0);
                unsuited(&lacks, wanted & !offered & !names::ALL_ACTIONS)
            }
            NegotiateError::Protocol(offered, wanted) => {
                let lacks = missing(0, wanted & !offered);
                unsuited(&lacks, wanted & !offered & !(names::ALL_STEPS | step::INTERNAL))
            }
            NegotiateError::Callback(result, offer) => {
                let actions = names::ALL_ACTIONS & !offer.actions;
                let lacks = missing(actions, names::ALL_STEPS & !offer.protocol);
                let lacks = match lacks.as_str() {
                    "" => "offers all there is".to_owned(),
                    lacks => format!("does not offer {lacks}; {HELP}"),
                };
                format!(
                    "{} from xxfi_negotiate means that the filter does not serve this MTA \
                     (SMFIS_CONTINUE and SMFIS_ALL_OPTS do), which {lacks}",
                    names::result(result)
                )
            }
        })
    }
}

impl Offer {
    /// Reads the payload of the MTA's negotiation packet; bytes beyond the twelfth are ignored.
    ///
    /// # Errors
    /// The packet is too short or the version too old.
    pub fn parse(payload: &[u8], filter: FilterTraits) -> Result<Offer, NegotiateError> {
        let too_short = NegotiateError::TooShort(payload.len());
        let (version, rest) = payload.split_first_chunk::<4>().ok_or(too_short)?;
        let (actions, rest) = rest.split_first_chunk::<4>().ok_or(too_short)?;
        let protocol = rest.first_chunk::<4>().ok_or(too_short)?;
        let version = u32::from_be_bytes(*version);
        if (version as i32) < VERSION_MIN as i32 {
            return Err(NegotiateError::Version(version));
        }
        let actions = match u32::from_be_bytes(*actions) {
            0 => action::V1,
            actions => actions,
        };
        let (protocol, mds) = match u32::from_be_bytes(*protocol) {
            0 => (step::V1, 0),
            protocol => {
                let mds = match filter.mds {
                    true if protocol & step::MDS_1M != 0 => step::MDS_1M,
                    true => protocol & step::MDS_256K,
                    false => 0,
                };
                (protocol & !step::INTERNAL | mds, mds)
            }
        };
        Ok(Offer { version: version.min(VERSION_MAX), actions, protocol, mds })
    }

    /// Bytes of payload that the accepted data size flag allows.
    #[must_use]
    pub fn max_data_size(&self) -> Option<usize> {
        match self.mds {
            step::MDS_1M => Some(MDS_1M_SIZE),
            step::MDS_256K => Some(MDS_256K_SIZE),
            _ => None,
        }
    }

    /// Protocol flags shown to `xxfi_negotiate`: every promise of no reply is to be had.
    #[must_use]
    pub fn shown_protocol(&self) -> u32 {
        self.protocol | step::NR_ALL
    }

    /// What `xxfi_negotiate` finds in its output parameters, and what ALL_OPTS stands for.
    #[must_use]
    pub fn defaults(&self, filter: FilterTraits) -> Request {
        Request { actions: self.actions, protocol: filter.absent | self.protocol & step::SKIP }
    }
}

/// Settles what holds for the session.
///
/// `called` is the result of `xxfi_negotiate` with the values it left; `None` if the filter has no
/// such callback.
///
/// # Errors
/// The MTA does not offer what the filter wants, or the callback refused.
pub fn agree(
    offer: &Offer,
    filter: FilterTraits,
    called: Option<(i32, Request)>,
) -> Result<Agreement, NegotiateError> {
    let wanted = match called {
        None => Request { actions: filter.actions, protocol: filter.absent },
        Some((status::ALL_OPTS, _)) => offer.defaults(filter),
        Some((status::CONTINUE, request)) => request,
        Some((result, _)) => return Err(NegotiateError::Callback(result, *offer)),
    };
    if wanted.actions & !offer.actions != 0 {
        return Err(NegotiateError::Actions(offer.actions, wanted.actions));
    }
    // The library keeps a promise of no reply itself where the MTA does not know it.
    let faked = match called {
        Some(_) => wanted.protocol & step::NR_ALL & !offer.protocol,
        None => 0,
    };
    let mut protocol = wanted.protocol & !faked;
    if protocol & !offer.protocol != 0 {
        // MTAs of protocol versions 2 and 3 never send these commands.
        protocol &= !((step::NODATA | step::NOUNKNOWN) & !offer.protocol);
    }
    if protocol & !offer.protocol != 0 {
        return Err(NegotiateError::Protocol(offer.protocol, protocol));
    }
    Ok(Agreement {
        version: offer.version,
        actions: wanted.actions,
        protocol: protocol | faked,
        faked,
        answered: protocol & !step::INTERNAL | offer.mds,
        symbol_lists: offer.actions & action::SETSYMLIST != 0,
    })
}

impl Agreement {
    /// Agreement of a session in which nothing was negotiated: no action is granted.
    #[must_use]
    pub fn without_negotiation(filter: FilterTraits) -> Agreement {
        Agreement { protocol: filter.absent, answered: filter.absent, ..Agreement::default() }
    }

    /// Whether the MTA knows that it gets no reply to a command.
    #[must_use]
    pub fn is_silent(&self, command: Command) -> bool {
        self.protocol & !self.faked & command.no_reply_flag() != 0
    }

    /// The payload of the answer: the three numbers, then the wanted macros by stage.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn encode<'a>(
        &self,
        lists: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Result<Vec<u8>, TryReserveError> {
        let mut out = Vec::new();
        out.try_reserve(OFFER_SIZE)?;
        for number in [self.version, self.actions, self.answered] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        if self.symbol_lists {
            for (stage, list) in lists {
                out.try_reserve(size_of::<u32>() + list.len() + 1)?;
                out.extend_from_slice(&stage.to_be_bytes());
                out.extend_from_slice(list);
                out.push(0);
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
