//! The messages that loads send.

use milter_mta::wire::command::Origin;
use milter_mta::wire::{BODY_CHUNK, Command, flags};
use std::net::Ipv4Addr;

mod steps;

use steps::Builder;
pub use steps::{Script, Step};

/// What kind of session a script is.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Argument of EHLO.
    pub helo: &'static str,
    /// Recipients.
    pub recipients: usize,
    /// Headers of the message: `HEADERS`, again and again.
    pub headers: usize,
    /// Bytes of the body.
    pub body: usize,
    /// The filter replies to negotiation and the end of the message only.
    pub no_reply: bool,
    /// The filter changes nothing.
    pub unchanged: bool,
    /// Macros of the connection beside the usual ones: `{m0}`, `{m1}` and so on.
    pub macros: usize,
}

impl Shape {
    /// The typical message: 27 commands with a reply, 30 with a session around it.
    pub const TYPICAL: Shape = Shape {
        helo: "mail.example.org",
        recipients: 2,
        headers: 20,
        body: 4096,
        no_reply: false,
        unchanged: false,
        macros: 0,
    };

    /// A message of 9 commands, for loads that are about callbacks rather than packets.
    pub const SHORT: Shape = Shape { recipients: 1, headers: 3, body: 512, ..Shape::TYPICAL };
}

/// Headers of the typical message, values as an MTA sends them: without the leading blank.
const HEADERS: [(&str, &str); 20] = [
    (
        "Received",
        "from mail.example.org (mail.example.org [192.0.2.25])\n\tby mx.example.net (Postfix) with ESMTPS id 4F0C2A1B3C\n\tfor <first@example.net>; Mon, 6 Oct 2025 10:00:02 +0000 (UTC)",
    ),
    ("Subject", "Minutes of the meeting, and what is left to be done"),
    ("From", "\"A. Sender\" <sender@example.org>"),
    (
        "DKIM-Signature",
        "v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=2025;\n\tt=1759744800; h=from:from:reply-to:subject:subject:date:date:message-id:\n\t message-id:to:to:cc:cc:mime-version:mime-version:content-type:\n\t content-type:in-reply-to:in-reply-to:references:references;\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\n\tb=LxTq4Jm0eWgZy1mVhB3vQmS0q0m9Hq7cZJb0d8Rk3u5wVh2oXnS8pQeY6tLrUaIc\n\t 9fKjHgFdSaPoIuYtReWqZxCvBnMLkJhGfDsAqWeRtYuIoPzXcVbNmAsDfGhJkLqWe\n\t RtYuIoPmNbVcXzLkJhGfDsA==",
    ),
    (
        "Received",
        "from desk.example.org (desk.example.org [198.51.100.7])\n\tby mail.example.org (Postfix) with ESMTPSA id 9B21D400E2;\n\tMon, 6 Oct 2025 10:00:00 +0000 (UTC)",
    ),
    ("Date", "Mon, 6 Oct 2025 12:00:00 +0200"),
    ("To", "first@example.net, \"The Second\" <second@example.net>"),
    ("Cc", "archive@example.org"),
    ("Message-ID", "<20251006100000.9B21D400E2@desk.example.org>"),
    ("In-Reply-To", "<CAF0dK7q5mV=example-1234567890@mail.example.net>"),
    (
        "References",
        "<20251001080000.1111111111@desk.example.org>\n <CAF0dK7q5mV=example-1234567890@mail.example.net>",
    ),
    ("Reply-To", "minutes@example.org"),
    ("MIME-Version", "1.0"),
    ("Content-Type", "text/plain; charset=utf-8; format=flowed"),
    ("Content-Transfer-Encoding", "8bit"),
    ("Content-Language", "en-GB"),
    ("User-Agent", "Mozilla Thunderbird"),
    ("List-Id", "Minutes <minutes.example.org>"),
    ("List-Unsubscribe", "<mailto:minutes-leave@example.org>, <https://lists.example.org/leave>"),
    ("X-Mailer-Trace", "desk.example.org 9B21D400E2 1759744800"),
];

/// Macros of the connection.
const CONNECT_MACROS: [(&[u8], &[u8]); 5] = [
    (b"j", b"mx.example.net"),
    (b"{daemon_name}", b"mx.example.net"),
    (b"{daemon_addr}", b"203.0.113.1"),
    (b"v", b"Postfix 3.7.11"),
    (b"_", b"mail.example.org [192.0.2.25]"),
];

const CONTINUE: &[(u8, &[u8])] = &[(b'c', b"")];

/// What the programs answer at the end of a message; the same texts as in programs/options.h.
const CHANGES: [(u8, &[u8]); 4] = [
    (b'h', b"X-Bench-Checked\0yes, by a filter that is measured\0"),
    (b'h', b"X-Bench-Score\x000.5 of 10.0 (DKIM_VALID=-0.1, HTML_MESSAGE=0.6)\0"),
    (b'm', b"\0\0\0\x01Subject\0[checked] the subject, changed at the end\0"),
    (b'c', b""),
];

/// Actions the programs ask for: add and change headers.
const ACTIONS: u32 = flags::action::ADDHDRS | flags::action::CHGHDRS;

const ID: (&[u8], &[u8]) = (b"i", b"4F0C2A1B3C");

/// Negotiation and quit, without a message between them.
pub fn connect_and_quit() -> Script {
    let mut b = Builder::default();
    b.negotiate(false);
    b.ends();
    b.command(Command::Quit);
    b.step(&[]);
    b.hangup();
    b.script
}

/// The session of a shape: its message, how it ends, and one more message.
pub fn script(shape: &Shape) -> Script {
    let mut b = Builder::default();
    b.negotiate(shape.no_reply);
    let more: Vec<_> = (0..shape.macros).map(|n| (format!("{{m{n}}}"), format!("v{n}"))).collect();
    let more = more.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    b.macros(b'C', &CONNECT_MACROS.into_iter().chain(more).collect::<Vec<_>>());
    let origin = Origin::Inet(Ipv4Addr::new(192, 0, 2, 25), 40_112);
    b.command(Command::Connect { host: b"mail.example.org", origin: &origin });
    b.reply(shape);
    b.turn();
    b.macros(
        b'H',
        &[
            (b"{tls_version}", b"TLSv1.3"),
            (b"{cipher}", b"TLS_AES_256_GCM_SHA384"),
            (b"{cipher_bits}", b"256"),
        ],
    );
    b.command(Command::Helo(shape.helo.as_bytes()));
    b.reply(shape);
    b.message(shape);
    b.turn();
    b.command(Command::Abort);
    b.command(Command::Abort);
    b.command(Command::Quit);
    b.step(&[]);
    b.hangup();
    b.script.again = b.script.steps.len();
    // Postfix sends the abort that ends a message along with the next command.
    b.command(Command::Abort);
    b.message(shape);
    b.script
}

impl Builder {
    /// Ends a step with a plain reply, unless replies were agreed away.
    fn reply(&mut self, shape: &Shape) {
        if !shape.no_reply {
            self.step(CONTINUE);
        }
    }

    fn negotiate(&mut self, no_reply: bool) {
        self.command(Command::Negotiate {
            version: flags::VERSION,
            actions: flags::action::ALL,
            protocol: flags::protocol::ALL,
        });
        let protocol = flags::protocol::NOUNKNOWN | if no_reply { NO_REPLY } else { 0 };
        let words = [flags::VERSION, ACTIONS, protocol];
        self.step(&[(b'O', &words.map(u32::to_be_bytes).concat())]);
    }

    fn message(&mut self, shape: &Shape) {
        self.turn();
        self.macros(
            b'M',
            &[
                (b"{mail_addr}", b"sender@example.org"),
                (b"{mail_host}", b"example.org"),
                (b"{mail_mailer}", b"smtp"),
            ],
        );
        self.command(Command::Mail(&[b"<sender@example.org>", b"SIZE=6144", b"BODY=8BITMIME"]));
        self.reply(shape);
        for n in 0..shape.recipients {
            self.turn();
            let name: &[u8] = if n == 0 { b"first@example.net" } else { b"second@example.net" };
            let rcpt = [
                ID,
                (b"{rcpt_addr}", name),
                (b"{rcpt_host}", b"example.net"),
                (b"{rcpt_mailer}", b"local"),
            ];
            // The queue id is known once a recipient was accepted.
            self.macros(b'R', if n == 0 { &rcpt[1..] } else { &rcpt });
            let argument = [b"<", name, b">"].concat();
            self.command(Command::Rcpt(&[&argument]));
            self.reply(shape);
        }
        self.turn();
        self.macros(b'T', &[ID]);
        self.command(Command::Data);
        // Without replies, Postfix writes when it hands the connection to its next process.
        self.step(if shape.no_reply { &[] } else { CONTINUE });
        self.content(shape);
    }

    fn content(&mut self, shape: &Shape) {
        self.turn();
        for (name, value) in HEADERS.iter().cycle().take(shape.headers) {
            self.macros(b'L', &[ID]);
            let (name, value) = (name.as_bytes(), value.as_bytes());
            self.command(Command::Header { name, value });
            self.reply(shape);
        }
        self.macros(b'N', &[ID]);
        self.command(Command::EndOfHeaders);
        self.reply(shape);
        for chunk in body(shape.body).chunks(BODY_CHUNK) {
            self.macros(b'B', &[ID]);
            self.command(Command::Body(chunk));
            self.reply(shape);
        }
        self.macros(b'E', &[ID]);
        self.command(Command::EndOfBody);
        self.step(if shape.unchanged { CONTINUE } else { &CHANGES });
        self.ends();
    }
}

/// The protocol flags by which the filter promises to reply only at the end of a message.
const NO_REPLY: u32 = flags::protocol::NR_CONN
    | flags::protocol::NR_HELO
    | flags::protocol::NR_MAIL
    | flags::protocol::NR_RCPT
    | flags::protocol::NR_DATA
    | flags::protocol::NR_HDR
    | flags::protocol::NR_EOH
    | flags::protocol::NR_BODY;

/// Text lines of 76 characters and CRLF.
fn body(size: usize) -> Vec<u8> {
    const LINE: &[u8] =
        b"The quick brown fox jumps over the lazy dog while the band plays a waltz....\r\n";
    LINE.iter().copied().cycle().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use milter_mta::wire::frame;

    /// Letters of the packets in one write.
    fn letters(script: &Script, step: &Step) -> Vec<u8> {
        let mut rest = &script.bytes[step.send.clone()];
        let mut letters = Vec::new();
        while let Some((packet, size)) = frame::split(rest).unwrap() {
            letters.push(packet.letter);
            rest = &rest[size..];
        }
        assert!(rest.is_empty(), "a step ends with a packet");
        letters
    }

    #[test]
    fn the_typical_message_is_what_the_figures_are_about() {
        let script = script(&Shape::TYPICAL);
        let replies = |steps: &[Step]| steps.iter().filter(|s| !s.expect.is_empty()).count();
        assert_eq!(replies(&script.steps[..script.again]), 30);
        assert_eq!(replies(&script.steps[script.again..]), 27);
        let first: Vec<u8> =
            script.steps[..script.again].iter().flat_map(|s| letters(&script, s)).collect();
        assert_eq!(first.iter().filter(|l| **l == b'D').count(), 29);
        assert!(first.ends_with(b"DEAAQ"));
        let turns = script.steps[..script.again].iter().filter(|s| s.turn).count();
        assert_eq!(turns, 7, "EHLO, MAIL, two RCPT, DATA, the message, QUIT");
        assert_eq!(letters(&script, &script.steps[script.again]), b"ADM");
    }

    #[test]
    fn without_replies_a_message_is_two_writes() {
        let script = script(&Shape { no_reply: true, ..Shape::TYPICAL });
        assert_eq!(script.again, 4, "negotiation, envelope, content, quit");
        assert_eq!(script.steps.len(), 6);
        let replies: Vec<bool> = script.steps.iter().map(|s| s.expect.is_empty()).collect();
        assert_eq!(replies, [false, true, false, true, true, false]);
    }

    #[test]
    fn large_bodies_go_in_chunks() {
        let script = script(&Shape { body: 1 << 20, ..Shape::TYPICAL });
        let first = &script.steps[..script.again];
        let chunks = first.iter().filter(|s| s.letter == b'B').count();
        assert_eq!(chunks, 17);
    }
}
