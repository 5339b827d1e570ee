//! An SMTP client that writes down what it said and what it was told.

use c_tests::{Error, Result};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

/// A server that says nothing for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// An SMTP session and its transcript.
///
/// A server that closes the connection is part of the transcript, as `(closed)`.
#[derive(Debug)]
pub struct Smtp {
    stream: BufReader<TcpStream>,
    transcript: Vec<String>,
    closed: bool,
}

impl Smtp {
    /// Connects to a port of this machine and reads the greeting.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .map_err(|e| Error::new(format!("connect to 127.0.0.1:{port}"), e))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| Error::new("set a timeout", e))?;
        let mut smtp =
            Self { stream: BufReader::new(stream), transcript: Vec::new(), closed: false };
        smtp.reply()?;
        Ok(smtp)
    }

    /// Connects and says EHLO.
    pub fn greeted(port: u16) -> Result<Self> {
        let mut smtp = Self::connect(port)?;
        smtp.say("EHLO client.example")?;
        Ok(smtp)
    }

    /// Sends lines one after the other, each after the reply to the one before.
    pub fn script(&mut self, lines: &[&str]) -> Result<()> {
        lines.iter().try_for_each(|line| self.say(line).map(drop))
    }

    /// Sends a line, returns the lines of the reply: none if the server closes the connection.
    pub fn say(&mut self, line: &str) -> Result<Vec<String>> {
        self.send_line(line);
        self.reply()
    }

    /// Sends a line and waits for nothing.
    pub fn send_line(&mut self, line: &str) {
        self.transcript.push(format!("C: {line}"));
        self.send_raw(format!("{line}\r\n").as_bytes());
    }

    /// Sends bytes that the transcript need not show; failures show in the next reply.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Sends the text of a message (CRLF line ends, no dots to hide) and the final dot;
    /// returns the reply.
    pub fn data(&mut self, message: &str) -> Result<Vec<String>> {
        self.transcript.push(format!("C: ({} bytes and a dot)", message.len()));
        self.send_raw(format!("{message}.\r\n").as_bytes());
        self.reply()
    }

    /// Sends a piece of a message by BDAT; returns the reply.
    pub fn bdat(&mut self, piece: &str, last: bool) -> Result<Vec<String>> {
        let line = format!("BDAT {}{}", piece.len(), if last { " LAST" } else { "" });
        self.transcript.push(format!("C: {line}"));
        self.send_raw(format!("{line}\r\n{piece}").as_bytes());
        self.reply()
    }

    /// Sends a whole message; the transcript has all replies. Stops at DATA if that is refused.
    pub fn send(&mut self, sender: &str, recipients: &[&str], message: &str) -> Result<()> {
        self.say(&format!("MAIL FROM:<{sender}>"))?;
        for recipient in recipients {
            self.say(&format!("RCPT TO:<{recipient}>"))?;
        }
        if self.say("DATA")?.iter().any(|line| line.starts_with("354")) {
            self.data(message)?;
        }
        Ok(())
    }

    /// Reads a reply of one or more lines into the transcript.
    pub fn reply(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        while !self.closed {
            let mut bytes = Vec::new();
            match self.stream.read_until(b'\n', &mut bytes) {
                Err(e) if e.kind() != std::io::ErrorKind::ConnectionReset => {
                    return Err(Error::new(format!("SMTP reply after {:?}", self.transcript), e));
                }
                Ok(n) if n > 0 => {}
                _ => {
                    self.closed = true;
                    self.transcript.push("(closed)".to_owned());
                    break;
                }
            }
            let line = String::from_utf8_lossy(&bytes);
            let line = line.strip_suffix("\r\n").map_or_else(|| format!("{line:?}"), str::to_owned);
            self.transcript.push(format!("S: {line}"));
            // "250-" goes on, "250 " ends.
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                break;
            }
        }
        Ok(lines)
    }

    /// Says QUIT, waits for the end of the connection; returns the transcript.
    pub fn quit(mut self) -> Result<Vec<String>> {
        self.say("QUIT")?;
        self.reply()?;
        Ok(self.transcript)
    }

    /// Closes the connection as a client that crashes does; returns the transcript.
    pub fn lose(mut self) -> Vec<String> {
        let _ = self.stream.get_mut().shutdown(Shutdown::Both);
        self.transcript.push("(lost)".to_owned());
        self.transcript
    }

    /// The conversation so far.
    pub fn transcript(&self) -> &[String] {
        &self.transcript
    }
}
