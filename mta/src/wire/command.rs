//! What an MTA says: command letters and payloads.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::frame::{begin, end, put_string};

/// Command letters.
pub mod letter {
    /// Give up the current message.
    pub const ABORT: u8 = b'A';
    /// A part of the body.
    pub const BODY: u8 = b'B';
    /// A new SMTP connection.
    pub const CONNECT: u8 = b'C';
    /// Macros for the command that follows.
    pub const MACRO: u8 = b'D';
    /// End of the message.
    pub const END_OF_BODY: u8 = b'E';
    /// HELO or EHLO.
    pub const HELO: u8 = b'H';
    /// Quit, and a new SMTP connection follows.
    pub const QUIT_NC: u8 = b'K';
    /// One header.
    pub const HEADER: u8 = b'L';
    /// MAIL FROM.
    pub const MAIL: u8 = b'M';
    /// End of the headers.
    pub const END_OF_HEADERS: u8 = b'N';
    /// Option negotiation.
    pub const OPTNEG: u8 = b'O';
    /// End of the connection.
    pub const QUIT: u8 = b'Q';
    /// RCPT TO.
    pub const RCPT: u8 = b'R';
    /// DATA.
    pub const DATA: u8 = b'T';
    /// An SMTP command the MTA does not know.
    pub const UNKNOWN: u8 = b'U';
}

/// Where an SMTP client connects from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// IPv4 address and port.
    Inet(Ipv4Addr, u16),
    /// IPv6 address and port; sent with sendmail's `IPv6:` prefix if the flag is set.
    Inet6(Ipv6Addr, u16, bool),
    /// A unix socket path.
    Unix(Vec<u8>),
    /// Not known, such as standard input.
    Unknown,
}

/// One command, borrowing its strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Offer of version, actions and protocol flags.
    Negotiate {
        /// Highest protocol version.
        version: u32,
        /// Action flags offered.
        actions: u32,
        /// Protocol flags offered.
        protocol: u32,
    },
    /// Macros for the command with the letter `target`.
    Macros {
        /// Letter of the command the macros belong to.
        target: u8,
        /// Names and values.
        pairs: &'a [(&'a [u8], &'a [u8])],
    },
    /// Client name and origin.
    Connect {
        /// Name of the client, or its address in brackets.
        host: &'a [u8],
        /// Where it connects from.
        origin: &'a Origin,
    },
    /// Argument of HELO or EHLO.
    Helo(&'a [u8]),
    /// Sender and ESMTP arguments.
    Mail(&'a [&'a [u8]]),
    /// One recipient and ESMTP arguments.
    Rcpt(&'a [&'a [u8]]),
    /// DATA was accepted.
    Data,
    /// One header.
    Header {
        /// Name without colon.
        name: &'a [u8],
        /// Value, folded lines joined by LF.
        value: &'a [u8],
    },
    /// All headers were sent.
    EndOfHeaders,
    /// A part of the body.
    Body(&'a [u8]),
    /// The message is complete.
    EndOfBody,
    /// An unknown SMTP command.
    Unknown(&'a [u8]),
    /// Give up the message.
    Abort,
    /// End the connection.
    Quit,
    /// End the SMTP session; another follows on this connection.
    QuitNewConnection,
}

impl Command<'_> {
    /// The letter of the command.
    #[must_use]
    pub fn letter(&self) -> u8 {
        match self {
            Command::Negotiate { .. } => letter::OPTNEG,
            Command::Macros { .. } => letter::MACRO,
            Command::Connect { .. } => letter::CONNECT,
            Command::Helo(_) => letter::HELO,
            Command::Mail(_) => letter::MAIL,
            Command::Rcpt(_) => letter::RCPT,
            Command::Data => letter::DATA,
            Command::Header { .. } => letter::HEADER,
            Command::EndOfHeaders => letter::END_OF_HEADERS,
            Command::Body(_) => letter::BODY,
            Command::EndOfBody => letter::END_OF_BODY,
            Command::Unknown(_) => letter::UNKNOWN,
            Command::Abort => letter::ABORT,
            Command::Quit => letter::QUIT,
            Command::QuitNewConnection => letter::QUIT_NC,
        }
    }

    /// Appends the whole packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = begin(out, self.letter());
        match self {
            Command::Negotiate { version, actions, protocol } => {
                for word in [version, actions, protocol] {
                    out.extend_from_slice(&word.to_be_bytes());
                }
            }
            Command::Macros { target, pairs } => {
                out.push(*target);
                for (name, value) in *pairs {
                    put_string(out, name);
                    put_string(out, value);
                }
            }
            Command::Connect { host, origin } => {
                put_string(out, host);
                put_origin(out, origin);
            }
            Command::Helo(text) | Command::Unknown(text) => put_string(out, text),
            Command::Mail(arguments) | Command::Rcpt(arguments) => {
                for argument in *arguments {
                    put_string(out, argument);
                }
            }
            Command::Header { name, value } => {
                put_string(out, name);
                put_string(out, value);
            }
            Command::Body(part) => out.extend_from_slice(part),
            Command::Data
            | Command::EndOfHeaders
            | Command::EndOfBody
            | Command::Abort
            | Command::Quit
            | Command::QuitNewConnection => {}
        }
        end(out, start);
    }
}

/// Appends family, port and address.
fn put_origin(out: &mut Vec<u8>, origin: &Origin) {
    match origin {
        Origin::Inet(address, port) => {
            out.push(b'4');
            out.extend_from_slice(&port.to_be_bytes());
            put_string(out, address.to_string().as_bytes());
        }
        Origin::Inet6(address, port, prefix) => {
            out.push(b'6');
            out.extend_from_slice(&port.to_be_bytes());
            if *prefix {
                out.extend_from_slice(b"IPv6:");
            }
            put_string(out, address.to_string().as_bytes());
        }
        Origin::Unix(path) => {
            out.push(b'L');
            out.extend_from_slice(&0_u16.to_be_bytes());
            put_string(out, path);
        }
        Origin::Unknown => out.push(b'U'),
    }
}

#[cfg(test)]
mod tests;
