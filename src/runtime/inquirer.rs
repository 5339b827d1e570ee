//! One who asks for statistics: a request comes, the answer goes, nobody waits.

use std::fmt::Write;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::inquiry::{self, Inquiry, REQUEST_MAX};
use crate::sys::fd::OwnFd;
use crate::sys::socket::{end_sending, receive, send_some};

/// How long one may take in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one may say nothing before being answered as if nothing more came.
const SILENCE: Duration = Duration::from_secs(1);
/// Bytes behind a request that are taken in before the connection is closed.
const REST_MAX: usize = 64 << 10;

/// Writes the page of a path; `false` if there is no such page. An error is a lack of memory.
pub(super) type Pages<'a> = dyn FnMut(&str, &mut dyn Write) -> Result<bool, std::fmt::Error> + 'a;

/// What is to become of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It waits for more of the request.
    Asked,
    /// It waits for room.
    Full,
    /// It is closed.
    Close,
}

/// One who asks.
#[derive(Debug)]
pub(super) struct Inquirer {
    socket: OwnFd,
    began: Instant,
    request: Vec<u8>,
    answer: Vec<u8>,
    sent: usize,
}

/// A text for which there may be no memory.
#[derive(Debug, Default)]
struct Text(Vec<u8>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.try_reserve(text.len()).map_err(|_| std::fmt::Error)?;
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Inquirer {
    pub(super) fn new(socket: OwnedFd) -> Inquirer {
        let (request, answer) = (Vec::new(), Vec::new());
        Inquirer { socket: OwnFd::new(socket), began: Instant::now(), request, answer, sent: 0 }
    }

    /// When it is to be looked at again whether or not there is something new.
    pub(super) fn deadline(&self) -> Instant {
        let silent = self.request.is_empty() && self.answer.is_empty();
        self.began + if silent { SILENCE } else { PATIENCE }
    }

    /// Goes on where there is news, or its time is over.
    pub(super) fn go_on(&mut self, pages: &mut Pages<'_>) -> Then {
        if !self.socket.is_intact() {
            return Then::Close;
        }
        if self.answer.is_empty() {
            match self.ask(pages) {
                Ok(Then::Full) => {}
                Ok(then) => return then,
                Err(_) => return Then::Close,
            }
        }
        let late = Instant::now() >= self.began + PATIENCE;
        match self.send() {
            Ok(true) => {
                self.part();
                Then::Close
            }
            Ok(false) if !late => Then::Full,
            _ => Then::Close,
        }
    }

    /// Receives what is there, and makes the answer if that is all that was asked.
    fn ask(&mut self, pages: &mut Pages<'_>) -> io::Result<Then> {
        let mut room = [0; 1024];
        let mut over = Instant::now() >= self.deadline() && self.request.is_empty();
        while self.request.len() < REQUEST_MAX {
            match receive(&self.socket, &mut room) {
                Ok(0) => {
                    over = true;
                    break;
                }
                Ok(n) => {
                    self.request.try_reserve(n).map_err(|_| io::ErrorKind::OutOfMemory)?;
                    self.request.extend_from_slice(room.get(..n).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let inquiry = inquiry::read(&self.request, over);
        if inquiry == Inquiry::Open {
            let late = Instant::now() >= self.began + PATIENCE;
            return Ok(if late { Then::Close } else { Then::Asked });
        }
        self.answer = answer(inquiry, pages).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(Then::Full)
    }

    /// Sends what fits; whether that was the rest.
    fn send(&mut self) -> io::Result<bool> {
        while let Some(rest) = self.answer.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match send_some(&self.socket, rest)? {
                0 => return Ok(false),
                n => self.sent += n,
            }
        }
        Ok(true)
    }

    /// Ends the connection in the peer's sight: a process that the filter has forked may have the socket,
    /// too, and what was not received would take the answer away from a peer that has not read it.
    fn part(&self) {
        end_sending(&self.socket);
        let mut room = [0; 4096];
        for _ in 0..REST_MAX / room.len() {
            if !receive(&self.socket, &mut room).is_ok_and(|n| n > 0) {
                break;
            }
        }
    }
}

impl AsFd for Inquirer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The whole answer.
fn answer(inquiry: Inquiry<'_>, pages: &mut Pages<'_>) -> Result<Vec<u8>, std::fmt::Error> {
    let mut page = Text::default();
    let (path, http, status) = match inquiry {
        Inquiry::Bare(path) => (Some(path), false, ""),
        Inquiry::Page(path) | Inquiry::Head(path) => (Some(path), true, "200 OK"),
        Inquiry::Other => (None, true, "405 Method Not Allowed"),
        Inquiry::Open | Inquiry::Wrong => (None, true, "400 Bad Request"),
    };
    let status = match path {
        Some(path) if pages(path, &mut page)? => status,
        Some(_) => "404 Not Found",
        None => status,
    };
    let known = matches!(status, "" | "200 OK");
    if !known {
        writeln!(page, "{status}: GET /metrics or /callbacks")?;
    }
    if !http {
        return Ok(page.0);
    }
    let mut whole = Text::default();
    let version = if known { "; version=0.0.4" } else { "" };
    write!(
        whole,
        "HTTP/1.0 {status}\r\nContent-Type: text/plain{version}; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        page.0.len()
    )?;
    if !matches!(inquiry, Inquiry::Head(_)) {
        whole.0.try_reserve(page.0.len()).map_err(|_| std::fmt::Error)?;
        whole.0.extend_from_slice(&page.0);
    }
    Ok(whole.0)
}
