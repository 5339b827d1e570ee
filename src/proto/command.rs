//! Commands of the MTA and the rules for their payloads.

use super::codes::step;
use super::nul;
use super::planted::{Bug, planted};

/// A command of the MTA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// 'O': option negotiation.
    Negotiate,
    /// 'D': macros for a stage.
    Macro,
    /// 'C': connection information.
    Connect,
    /// 'H': HELO or EHLO.
    Helo,
    /// 'M': MAIL.
    Mail,
    /// 'R': RCPT.
    Rcpt,
    /// 'T': DATA.
    Data,
    /// 'L': one header.
    Header,
    /// 'N': end of headers.
    Eoh,
    /// 'B': body chunk.
    Body,
    /// 'E': end of the message, perhaps with a last body chunk.
    Eom,
    /// 'U': a command the MTA does not know.
    Unknown,
    /// 'A': the message is given up.
    Abort,
    /// 'Q': the connection ends.
    Quit,
    /// 'K': the SMTP connection ends, another one follows on this connection.
    QuitNc,
}

/// Commands by letter.
static BY_LETTER: [Option<Command>; 256] = {
    let commands = [
        (b'O', Command::Negotiate),
        (b'D', Command::Macro),
        (b'C', Command::Connect),
        (b'H', Command::Helo),
        (b'M', Command::Mail),
        (b'R', Command::Rcpt),
        (b'T', Command::Data),
        (b'L', Command::Header),
        (b'N', Command::Eoh),
        (b'B', Command::Body),
        (b'E', Command::Eom),
        (b'U', Command::Unknown),
        (b'A', Command::Abort),
        (b'Q', Command::Quit),
        (b'K', Command::QuitNc),
    ];
    let mut table = [None; 256];
    let mut i = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    while i < commands.len() {
        let (letter, command) = commands[i];
        table[letter as usize] = Some(command);
        i += 1;
    }
    table
};

impl Command {
    /// How many commands there are; [`Command::index`] is below it.
    pub const COUNT: usize = 15;

    /// The command of a packet's letter.
    #[inline]
    #[must_use]
    pub fn from_letter(letter: u8) -> Option<Command> {
        BY_LETTER.get(usize::from(letter)).copied().flatten()
    }

    /// The letter of its packets.
    #[must_use]
    pub fn letter(self) -> u8 {
        match self {
            Command::Negotiate => b'O',
            Command::Macro => b'D',
            Command::Connect => b'C',
            Command::Helo => b'H',
            Command::Mail => b'M',
            Command::Rcpt => b'R',
            Command::Data => b'T',
            Command::Header => b'L',
            Command::Eoh => b'N',
            Command::Body => b'B',
            Command::Eom => b'E',
            Command::Unknown => b'U',
            Command::Abort => b'A',
            Command::Quit => b'Q',
            Command::QuitNc => b'K',
        }
    }

    /// A small number, for tables by command.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// What C programmers call the callback that serves the command.
    #[must_use]
    pub fn callback_name(self) -> &'static str {
        match self {
            Command::Negotiate => "xxfi_negotiate",
            Command::Macro => "macros",
            Command::Connect => "xxfi_connect",
            Command::Helo => "xxfi_helo",
            Command::Mail => "xxfi_envfrom",
            Command::Rcpt => "xxfi_envrcpt",
            Command::Data => "xxfi_data",
            Command::Header => "xxfi_header",
            Command::Eoh => "xxfi_eoh",
            Command::Body => "xxfi_body",
            Command::Eom => "xxfi_eom",
            Command::Unknown => "xxfi_unknown",
            Command::Abort => "xxfi_abort",
            Command::Quit | Command::QuitNc => "xxfi_close",
        }
    }

    /// Whether an empty payload is an error.
    #[inline]
    #[must_use]
    pub fn needs_payload(self) -> bool {
        !matches!(
            self,
            Command::Data
                | Command::Eoh
                | Command::Eom
                | Command::Abort
                | Command::Quit
                | Command::QuitNc
        )
    }

    /// The flag by which a filter promises not to reply; 0 where there is none.
    #[inline]
    #[must_use]
    pub fn no_reply_flag(self) -> u32 {
        match self {
            Command::Connect => step::NR_CONN,
            Command::Helo => step::NR_HELO,
            Command::Mail => step::NR_MAIL,
            Command::Rcpt => step::NR_RCPT,
            Command::Data => step::NR_DATA,
            Command::Header => step::NR_HDR,
            Command::Eoh => step::NR_EOH,
            Command::Body => step::NR_BODY,
            Command::Unknown => step::NR_UNKN,
            _ => 0,
        }
    }

    /// Whether the command is part of a message's transaction, and so opens one if none is open.
    #[inline]
    #[must_use]
    pub fn is_message(self) -> bool {
        matches!(
            self,
            Command::Mail
                | Command::Rcpt
                | Command::Data
                | Command::Header
                | Command::Eoh
                | Command::Body
                | Command::Eom
        )
    }

    /// The lowest macro stage that the command empties before its callback runs.
    #[inline]
    #[must_use]
    pub fn clears_macros_from(self) -> Option<usize> {
        match self {
            Command::Negotiate => Some(0),
            Command::Connect => Some(1),
            Command::Helo => Some(2),
            Command::Mail => Some(3),
            Command::Rcpt => Some(4),
            _ => None,
        }
    }
}

/// Bytes up to and with the last NUL: the strings of a MAIL or RCPT command.
///
/// `None` if there is no NUL at all. What follows the last NUL is not part of any string.
#[inline]
#[must_use]
pub fn strings(payload: &[u8]) -> Option<usize> {
    nul::until_last(payload).map(<[u8]>::len)
}

/// Where the value of a header packet begins: after the first NUL that is not the first byte.
///
/// `None` if the last byte is not NUL or if there is no second string.
#[inline]
#[must_use]
pub fn header_value(payload: &[u8]) -> Option<usize> {
    if payload.last() != Some(&0) {
        return None;
    }
    let from = if planted(Bug::HeaderSplit) { 0 } else { 1 };
    let name_end = nul::first(payload.get(from..)?)? + from;
    let value = name_end + 1;
    (value < payload.len()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_needs_two_terminated_strings() {
        assert_eq!(header_value(b"X\0\0"), Some(2));
        assert_eq!(header_value(b"X\0v\0more\0"), Some(2));
        assert_eq!(header_value(b"\0a\0b\0"), Some(3));
        for bad in [&b"X\0"[..], b"X", b"X\0v", b"\0\0", b"\0v\0", b"\0", b""] {
            assert_eq!(header_value(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn strings_end_at_the_last_nul() {
        assert_eq!(strings(b"<a@b>\0SIZE=1\0junk"), Some(13));
        assert_eq!(strings(b"\0"), Some(1));
        assert_eq!(strings(b"junk"), None);
    }

    #[test]
    fn every_letter_maps_to_an_index_of_its_own() {
        let mut seen = [false; Command::COUNT];
        for letter in 0..=255u8 {
            if let Some(command) = Command::from_letter(letter) {
                assert!(!std::mem::replace(&mut seen[command.index()], true));
                assert_eq!(command.letter(), letter);
            }
        }
        assert_eq!(seen, [true; Command::COUNT]);
    }
}
