//! The MTA's end of a session with `runtime.c`.

use milter_mta::wire::command::Origin;
use milter_mta::{Client, ClientError, OwnedPacket};
use std::time::Duration;

/// How long anything may take before the test fails; far more than it does take.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// An MTA's connection.
pub(crate) struct Session {
    pub(crate) client: Client,
}

impl Session {
    /// Negotiates, and names the session by its client's host.
    pub(crate) fn introduce(&mut self, name: &str) {
        self.client.queue_optneg(6, 0x1ff, 0x1f_ffff);
        self.client.queue_connect(name, &Origin::Unknown);
        self.client.flush().unwrap();
        assert_eq!(self.reply(), 'O');
        assert_eq!(self.reply(), 'c');
    }

    /// Sends a command, strings ended by NUL, without waiting.
    pub(crate) fn send(&mut self, letter: u8, strings: &[&str]) {
        self.client.queue_strings(letter, strings);
        self.client.flush().unwrap();
    }

    /// Sends a command and gives the reply's letter.
    pub(crate) fn ask(&mut self, letter: u8, strings: &[&str]) -> char {
        self.send(letter, strings);
        self.reply()
    }

    /// Tells the filter what to do in a callback of this session.
    pub(crate) fn task(&mut self, callback: &str, task: &str) {
        assert_eq!(self.ask(b'H', &[&format!("{callback} {task}")]), 'c');
    }

    /// Begins a message with one recipient.
    pub(crate) fn mail(&mut self) {
        assert_eq!(self.ask(b'M', &["<a@example.org>"]), 'c');
        assert_eq!(self.ask(b'R', &["<b@example.net>"]), 'c');
    }

    /// Plays the rest of a message, begun by [`Session::mail`].
    pub(crate) fn rest(&mut self) {
        for (letter, strings) in
            [(b'T', &[][..]), (b'L', &["Subject", "x"]), (b'N', &[]), (b'B', &["x"]), (b'E', &[])]
        {
            assert_eq!(self.ask(letter, strings), 'c', "{}", letter as char);
        }
    }

    /// Plays a whole message, and ends the session.
    pub(crate) fn deliver(mut self) {
        self.mail();
        self.rest();
        self.quit();
    }

    pub(crate) fn packet(&mut self) -> OwnedPacket {
        self.client.read_owned(BOUND).unwrap()
    }

    pub(crate) fn reply(&mut self) -> char {
        self.packet().letter as char
    }

    /// Waits until the filter has closed the connection; nothing may come before.
    pub(crate) fn closed(&mut self) {
        match self.client.read_owned(BOUND) {
            Err(error) if error.is_closed() => {}
            Err(ClientError::Closed { .. }) => {}
            other => panic!("expected the end of the connection, got {other:?}"),
        }
    }

    pub(crate) fn quit(mut self) {
        self.send(b'Q', &[]);
        self.closed();
    }
}
