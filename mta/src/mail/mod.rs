//! Messages and envelopes, and what a milter's changes make of them.

mod apply;
mod change;
mod eml;
mod header;

use std::fmt;

pub use apply::apply;
pub use change::Change;
pub use eml::Parts;
pub use header::Header;

/// A message: headers in their order, and a body whose lines end in CRLF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Header fields from the top.
    pub headers: Vec<Header>,
    /// The body as it goes over the wire.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads a message as found in an `.eml` file, with LF or CRLF line ends.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Message {
        let (headers, body) = eml::parse(bytes);
        Message { headers, body }
    }

    /// Where the parts of a message are in a file.
    #[must_use]
    pub fn parts(bytes: &[u8]) -> Parts {
        eml::parts(bytes)
    }

    /// The message with LF line ends, as a file holds it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        eml::render(&self.headers, &self.body)
    }

    /// The values of the headers of one name, without the blanks around them.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|header| header.value.trim_ascii())
    }
}

/// An envelope address with its ESMTP arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address in angle brackets.
    pub address: String,
    /// ESMTP arguments such as `SIZE=200`.
    pub arguments: Vec<String>,
}

impl Address {
    /// Reads `address [argument…]`; brackets are added where they are missing.
    #[must_use]
    pub fn parse(text: &str) -> Address {
        let mut words = text.split_ascii_whitespace();
        let address = words.next().unwrap_or("<>");
        Address { address: bracketed(address), arguments: words.map(str::to_owned).collect() }
    }

    /// Whether both name the same mailbox, with or without brackets.
    #[must_use]
    pub fn is(&self, address: &str) -> bool {
        self.address.eq_ignore_ascii_case(&bracketed(address))
    }

    /// The address without brackets.
    #[must_use]
    pub fn bare(&self) -> &str {
        let inner = self.address.strip_prefix('<').unwrap_or(&self.address);
        inner.strip_suffix('>').unwrap_or(inner)
    }

    /// The part after the last `@`, empty if there is none.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.bare().rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Address and arguments as the strings of a MAIL or RCPT command.
    #[must_use]
    pub fn strings(&self) -> Vec<&[u8]> {
        std::iter::once(&self.address).chain(&self.arguments).map(|text| text.as_bytes()).collect()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)?;
        for argument in &self.arguments {
            write!(f, " {argument}")?;
        }
        Ok(())
    }
}

/// Puts an address in angle brackets unless it has them.
fn bracketed(address: &str) -> String {
    if address.starts_with('<') { address.to_owned() } else { format!("<{address}>") }
}

/// Sender and recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM.
    pub sender: Address,
    /// RCPT TO, in order.
    pub recipients: Vec<Address>,
}

impl Envelope {
    /// An envelope from addresses as a person writes them.
    #[must_use]
    pub fn new(sender: &str, recipients: &[&str]) -> Envelope {
        Envelope {
            sender: Address::parse(sender),
            recipients: recipients.iter().map(|text| Address::parse(text)).collect(),
        }
    }
}

/// One line per address, as SMTP has them.
impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "MAIL FROM:{}", self.sender)?;
        for recipient in &self.recipients {
            writeln!(f, "RCPT TO:{recipient}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
