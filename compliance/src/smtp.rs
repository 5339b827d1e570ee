//! An SMTP client that writes down what it said and what it was told.

use c_tests::{Error, Result};
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::time::Duration;

/// A server that says nothing for so long fails the test.
const PATIENCE: Duration = Duration::from_secs(60);

/// An SMTP session and its transcript.
///
/// A server that closes the connection is part of the transcript, as `(closed)`.
#[derive(Debug)]
pub struct Smtp {
    stream: BufReader<Stream>,
    transcript: Vec<String>,
    closed: bool,
    /// The server, if it is a process of our own.
    server: Option<Child>,
}

/// How the server is reached.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Smtp {
    /// Connects to a port of this machine and reads the greeting.
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .map_err(|e| Error::new(format!("connect to 127.0.0.1:{port}"), e))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| Error::new("set a timeout", e))?;
        Self::over(Stream::Tcp(stream), None)
    }

    /// Starts a command that is an SMTP server on its standard input and output.
    pub fn of_command(command: &Path, args: &[&str]) -> Result<Self> {
        let fail = |e: std::io::Error| Error::new(command.display(), e);
        let (ours, its) = UnixStream::pair().map_err(fail)?;
        ours.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
        let output = its.try_clone().map_err(fail)?;
        let mut server = c_tests::start::command(command);
        server.args(args).stdin(OwnedFd::from(its)).stdout(OwnedFd::from(output));
        let server = server.spawn().map_err(fail)?;
        Self::over(Stream::Unix(ours), Some(server))
    }

    fn over(stream: Stream, server: Option<Child>) -> Result<Self> {
        let stream = BufReader::new(stream);
        let mut smtp = Self { stream, transcript: Vec::new(), closed: false, server };
        smtp.reply()?;
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
        if let Some(mut server) = self.server {
            let status = server.wait().map_err(|e| Error::new("wait for the SMTP server", e))?;
            self.transcript.push(format!("(server: {status})"));
        }
        Ok(self.transcript)
    }

    /// Closes the connection as a client that crashes does; returns the transcript.
    pub fn lose(mut self) -> Vec<String> {
        let _ = match self.stream.get_mut() {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
        self.transcript.push("(lost)".to_owned());
        self.transcript
    }

    /// The conversation so far.
    pub fn transcript(&self) -> &[String] {
        &self.transcript
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "TCP",
            Self::Unix(_) => "a pipe",
        })
    }
}
