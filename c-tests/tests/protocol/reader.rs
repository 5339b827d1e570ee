//! A client that somebody has written from docs/protocol.md alone, `clients/reader.py`, and filters with both
//! libraries: what it sends is well formed and in order, and what it makes of the responses is what the witness
//! makes of them (`mta/`, whose strictness is that of `milter-try`).

use super::page::{COMMANDS, ORDER, document, is_well_formed};
use crate::examples_support::example;
use c_tests::protocol::constants::of_headers;
use c_tests::{Headers, Linkage, Milter, start};
use milter_mta::Client;
use milter_mta::mail::{Change, Envelope, Message};
use milter_mta::session::{ClientInfo, Event, Mta, Outcome, Profile, Session};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Passes on what comes from one side to the other and keeps it.
fn pass_on(mut from: UnixStream, mut to: UnixStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        all.extend_from_slice(&buffer[..n]);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    // The other direction ends with this one.
    let _ = to.shutdown(Shutdown::Both);
    all
}

/// Packets without their lengths; all bytes must be some.
fn packets(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (packet, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        out.push(packet);
        bytes = rest;
    }
    assert!(bytes.is_empty(), "part of a packet");
    out
}

/// What the reader prints, and what it and the filter sent.
struct Conversation {
    printed: String,
    sent: Vec<u8>,
    received: Vec<u8>,
}

fn read(filter: &Path, sender: &str, recipients: &[&str], text: &str) -> Conversation {
    let dir = tempfile::tempdir().unwrap();
    let [between, message] = ["between", "message"].map(|name| dir.path().join(name));
    std::fs::write(&message, text).unwrap();
    let listener = UnixListener::bind(&between).unwrap();
    let mut python = start::command("/usr/bin/python3");
    python.arg(c_tests::paths::in_package("clients/reader.py")).arg(&between).arg(&message);
    python.arg(sender).args(recipients).stdout(std::process::Stdio::piped());
    let child = python.spawn().expect("apt-get install python3");
    let client = listener.accept().unwrap().0;
    let server = UnixStream::connect(filter).unwrap();
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let forth = std::thread::spawn(move || pass_on(from, to));
    let received = pass_on(server, client);
    let sent = forth.join().unwrap();
    let output = child.wait_with_output().unwrap();
    Conversation { printed: String::from_utf8(output.stdout).unwrap(), sent, received }
}

/// Commands that the filter's answer leaves out.
fn left_out(answer: &[u8]) -> Vec<&'static str> {
    let flags = u32::from_be_bytes(*answer[9..].first_chunk().unwrap());
    let known = of_headers(Headers::Ours).unwrap();
    let rows = document().table(COMMANDS).rows.iter();
    let out =
        rows.filter(|row| known.get(&row[5]).is_some_and(|flag| u64::from(flags) & flag != 0));
    out.map(|row| row[0].as_str()).collect()
}

/// Whether a command may follow another one by the table, or by way of some that were left out.
fn may_follow(before: &str, letter: &str, left_out: &[&str]) -> bool {
    let table = document().table(ORDER);
    let row = table.rows.iter().find(|row| row[0] == before).unwrap();
    let allowed = |letter: &str| "+!".contains(&row[table.column(letter)]);
    allowed(letter)
        || left_out.iter().enumerate().any(|(n, out)| {
            let others: Vec<&str> = [&left_out[..n], &left_out[n + 1..]].concat();
            *out != before && allowed(out) && may_follow(out, letter, &others)
        })
}

/// Each packet follows the grammar, and each command the table of the order.
fn check(read: &Conversation) {
    let received = packets(&read.received);
    let left_out = left_out(received[0]);
    let mut before = String::new();
    for packet in packets(&read.sent) {
        assert!(is_well_formed("command", packet), "{:?}", String::from_utf8_lossy(packet));
        let letter = char::from(packet[0]).to_string();
        if letter == "D" {
            continue;
        }
        assert!(!left_out.contains(&letter.as_str()), "{letter} is not wanted");
        if before.is_empty() {
            assert_eq!(letter, "O");
        } else {
            assert!(may_follow(&before, &letter, &left_out), "{letter} after {before}");
        }
        before = letter;
    }
    assert_eq!(before, "Q");
    for packet in received {
        assert!(is_well_formed("response", packet), "{:?}", String::from_utf8_lossy(packet));
    }
}

/// The witness's view in the words of the reader.
fn words(outcome: &Outcome) -> (String, Vec<String>) {
    let text = |bytes: &[u8]| bytes.to_vec();
    let strings = |index: Option<u32>, parts: &[&[u8]]| -> Vec<u8> {
        let mut out = index.map(|n| n.to_be_bytes().to_vec()).unwrap_or_default();
        parts.iter().for_each(|part| out.extend(part.iter().chain(&[0])));
        out
    };
    let pair = |address: &[u8], arguments: &Option<Vec<u8>>| {
        let mut parts = vec![text(address)];
        parts.extend(arguments.clone());
        strings(None, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let change = |change: &Change| -> String {
        let (letter, data) = match change {
            Change::AddHeader { name, value } => ('h', strings(None, &[name, value])),
            Change::InsertHeader { index, name, value } => {
                ('i', strings(Some(*index), &[name, value]))
            }
            Change::ChangeHeader { index, name, value } => {
                ('m', strings(Some(*index), &[name, value]))
            }
            Change::ChangeSender { address, arguments } => ('e', pair(address, arguments)),
            Change::AddRecipient { address, arguments: None } => ('+', strings(None, &[address])),
            Change::AddRecipient { address, arguments } => ('2', pair(address, arguments)),
            Change::DeleteRecipient(address) => ('-', strings(None, &[address])),
            Change::ReplaceBody(body) => ('b', text(body)),
            Change::Quarantine(reason) => ('q', strings(None, &[reason])),
        };
        let hex: Vec<String> = data.iter().map(|b| format!("{b:02x}")).collect();
        format!("change {letter} {}", hex.concat())
    };
    let mut lines = vec![format!("verdict {}", outcome.verdict)];
    let refused = outcome.recipients.iter().filter(|recipient| recipient.refused.is_some());
    lines.extend(refused.map(|refused| format!("refused <{}>", refused.recipient.bare())));
    if outcome.delivered.is_some() {
        lines.extend(outcome.changes.iter().map(change));
    }
    (outcome.reply.to_string().replace('\n', "\\r\\n"), lines)
}

fn witness(filter: &Path, sender: &str, recipients: &[&str], text: &str) -> Outcome {
    let mut observer = |_: Event<'_>| {};
    let spec = format!("unix:{}", filter.display()).parse().unwrap();
    let client = Client::connect(&spec, PATIENCE).unwrap();
    let mut session = Session::open(client, Profile::new(Mta::Postfix), &mut observer).unwrap();
    let client = ClientInfo::new(Some("client.example"), "192.0.2.1".parse().unwrap(), 40_000);
    session.connect(&client).unwrap();
    session.helo("client.example").unwrap();
    let envelope = Envelope::new(sender, recipients);
    let outcome = session.deliver("4F0C2A", &envelope, &Message::parse(text.as_bytes())).unwrap();
    session.quit(PATIENCE).unwrap();
    outcome
}

/// A message: sender, recipients, text.
type Played<'a> = (&'a str, &'a [&'a str], &'a str);

fn compare(linkage: Linkage) {
    let long = format!("From: x\nSubject: long\n\n{}", "a line of rhubarb\n".repeat(8000));
    let cases: [(&str, &[&str], &[Played<'_>]); 3] = [
        (
            "rewrite",
            &["old@a.example", "new@b.example"],
            &[
                (
                    "<old@a.example>",
                    &["<old@a.example>", "<b@b.example>"],
                    "From: Old <old@a.example>\nX-Mailer: one\nX-Mailer: two\n\nhello\n",
                ),
                ("<a@a.example>", &["<b@b.example>"], "Subject: x\n\n"),
                ("<>", &["<b@b.example>"], "From: old@a.example\n\n"),
            ],
        ),
        (
            "gatekeeper",
            &[],
            &[
                ("<Seller@SPAM.example>", &["<b@b.example>"], "Subject: x\n\nx\n"),
                ("<a@a.example>", &["<gone@b.example>", "<b@b.example>"], "Subject: x\n\nx\n"),
                ("<a@a.example>", &["<gone@b.example>"], "Subject: x\n\nx\n"),
                ("<a@odd.example>", &["<b@b.example>"], "Subject: x\nX-Fold: a\n\tb\n\nx\n"),
            ],
        ),
        (
            "disclaimer",
            &["ACME Ltd", "submission"],
            &[
                ("<a@a.example>", &["<b@b.example>"], &long),
                ("<a@a.example>", &["<b@b.example>"], "Content-Type: text/html\n\nx\n"),
            ],
        ),
    ];
    for (name, arguments, messages) in cases {
        let command = linkage.command(&example(name)).unwrap();
        let mut socket = std::path::PathBuf::new();
        let mut milter = Milter::start(command, |command, dir| {
            socket = dir.join("socket");
            command.arg(format!("unix:{}", socket.display())).args(arguments);
        })
        .unwrap();
        milter.wait_for(&format!("unix:{}", socket.display())).unwrap();
        milter.check_mapped(linkage).unwrap();
        for (sender, recipients, text) in messages {
            let read = read(&socket, sender, recipients, text);
            check(&read);
            let outcome = witness(&socket, sender, recipients, text);
            let (reply, wanted) = words(&outcome);
            let lines: Vec<&str> = read.printed.lines().collect();
            let (texts, lines): (Vec<&str>, Vec<&str>) =
                lines.into_iter().partition(|line| line.starts_with("text "));
            assert_eq!(lines, wanted, "{linkage:?} {name} {sender}");
            for text in texts {
                assert_eq!(text, format!("text {reply}"), "{linkage:?} {name} {sender}");
            }
        }
    }
}

#[test]
fn a_reader_speaks_with_the_reference() {
    compare(Linkage::ReferenceDynamic);
}

#[test]
fn a_reader_speaks_with_ours() {
    compare(Linkage::OursDynamic);
}
