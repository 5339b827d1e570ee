//! An SMTP client that shows replies as they came.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A server that says nothing for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// One reply: its lines, without CRLF.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) Vec<String>);

impl Reply {
    /// Fails the test unless every line begins with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: &str) -> Self {
        let fits = |line: &String| line.starts_with(code);
        assert!(!self.0.is_empty() && self.0.iter().all(fits), "wanted {code}: {self:?}");
        self
    }

    /// The queue id in the reply to a message: `250 2.0.0 Ok: queued as ID`.
    #[track_caller]
    pub(crate) fn queue_id(self) -> String {
        let Reply(lines) = self.expect("250 ");
        let line = lines.concat();
        let (_, id) = line.rsplit_once(' ').unwrap();
        id.to_owned()
    }
}

/// An SMTP session.
#[derive(Debug)]
pub(crate) struct Smtp(BufReader<TcpStream>);

impl Smtp {
    /// Connects to a port of this machine; read the greeting with [`Smtp::reply`].
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Connects and says EHLO.
    pub(crate) fn greeted(port: u16) -> Self {
        let mut smtp = Self::connect(port);
        smtp.reply().expect("220");
        smtp.command("EHLO client.example").expect("250");
        smtp
    }

    /// Sends a line, returns the reply to it.
    pub(crate) fn command(&mut self, line: &str) -> Reply {
        write!(self.0.get_mut(), "{line}\r\n").unwrap();
        self.reply()
    }

    /// Reads a reply of one or more lines.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let text = line
                .strip_suffix("\r\n")
                .unwrap_or_else(|| panic!("reply ends with {line:?} after {lines:?}"));
            lines.push(text.to_owned());
            // "250-" goes on, "250 " ends.
            if text.as_bytes().get(3) != Some(&b'-') {
                return Reply(lines);
            }
        }
    }

    /// Sends a whole message: lines ending in CRLF, none of them a single dot;
    /// returns the reply to its final dot.
    #[track_caller]
    pub(crate) fn send(&mut self, sender: &str, recipients: &[&str], message: &str) -> Reply {
        self.command(&format!("MAIL FROM:<{sender}>")).expect("250");
        for recipient in recipients {
            self.command(&format!("RCPT TO:<{recipient}>")).expect("250");
        }
        self.command("DATA").expect("354");
        self.command(&format!("{message}."))
    }
}
