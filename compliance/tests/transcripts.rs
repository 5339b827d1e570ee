//! What docs/protocol.md says that Postfix and sendmail send is what they send.
//!
//! A filter of raw bytes writes down the packets of one SMTP session with a real MTA. They are compared with
//! the example of the page, which is played against both libraries: letters, names of macros and payloads;
//! ports, queue ids, times and versions are not.

use c_tests::protocol::{Document, Example};
use c_tests::trace::text::quote;
use compliance::mta::Kind;
use compliance::{Mta, Result};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

const MESSAGE: &str = "From: a@a.example\r\nSubject: hello\r\nX-Fold: one\r\n\ttwo\r\nX-Empty:\r\n\
                       X-Two:  blanks\r\n\r\nshort\r\n";

/// Answers every command of one connection, and gives its packets: letter and payload.
fn record(mut stream: TcpStream) -> Vec<Vec<u8>> {
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut length = [0; 4];
    while stream.read_exact(&mut length).is_ok() {
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut packet).unwrap();
        let answer: &[u8] = match packet[0] {
            b'O' => b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\0\0\0",
            b'D' | b'A' | b'Q' | b'K' => b"",
            _ => b"\0\0\0\x01c",
        };
        // The MTA may be gone.
        let _ = stream.write_all(answer);
        seen.push(packet);
    }
    seen
}

fn listen() -> (String, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let spec = format!("inet:{}@127.0.0.1", listener.local_addr().unwrap().port());
    (spec, std::thread::spawn(move || record(listener.accept().unwrap().0)))
}

/// A packet without what is another one each time.
fn lasting(packet: &[u8]) -> String {
    let letter = char::from(packet[0]);
    let strings: Vec<&[u8]> = packet[1..].split(|b| *b == 0).collect();
    match letter {
        'D' => {
            let names = strings.iter().step_by(2).filter(|name| !name.is_empty());
            format!("D {}", names.map(|name| quote(name)).collect::<Vec<_>>().join(" "))
        }
        // Family and address; the port is in front of the address, and may have a 0.
        'C' => {
            let address = packet.len().saturating_sub(10);
            format!("C {} {}", quote(strings[0]), quote(&packet[address..]))
        }
        'L' if [&b"Message-Id"[..], b"Date"].contains(&strings[0]) => {
            format!("L {}", quote(strings[0]))
        }
        // The first word of it only, or all, by the version of Postfix.
        'U' => format!("U {}", quote(strings[0].split(|b| *b == b' ').next().unwrap())),
        _ => format!("{letter} {}", quote(&packet[1..])),
    }
}

/// The packet in the words of the page.
fn words(packet: &[u8]) -> String {
    let strings: Vec<&[u8]> = packet[1..].split(|b| *b == 0).collect();
    match packet[0] {
        b'D' => {
            let first = char::from(packet[1]).to_string();
            let rest: Vec<&[u8]> = packet[2..].split(|b| *b == 0).collect();
            let pairs = rest.chunks_exact(2).map(|pair| quote(&[pair[0], b"=", pair[1]].concat()));
            [format!("> D {first}")].into_iter().chain(pairs).collect::<Vec<_>>().join(" ")
        }
        b'B' | b'O' | b'C' => {
            format!("> X {} {}", char::from(packet[0]), quote(&packet[1..]))
        }
        letter => {
            let strings = strings.iter().map(|s| quote(s)).collect::<Vec<_>>().join(" ");
            format!("> {} {strings}", char::from(letter))
        }
    }
}

fn compare(kind: Kind, title: &str) -> Result<()> {
    let page = Document::read("protocol.md")?;
    let examples: Result<Vec<Example>> = page.of_kind("session").map(Example::parse).collect();
    let examples = examples?;
    let example = examples.iter().find(|example| example.session.name == title);
    let (spec, recorder) = listen();
    let mta = Mta::of(kind).milter(&spec).start()?;
    let mut smtp = mta.smtp()?;
    smtp.send("a@a.example", &["b@b.example"], MESSAGE)?;
    smtp.script(&["MAIL FROM:<>", "RCPT TO:<c@b.example>", "RSET", "FOO bar"])?;
    smtp.quit()?;
    mta.settle()?;
    drop(mta);
    let seen = recorder.join().unwrap();
    let shown: Vec<String> = match example {
        Some(example) => example.packets(true).map(|packet| lasting(&packet[4..])).collect(),
        None => Vec::new(),
    };
    let sent: Vec<String> = seen.iter().map(|packet| lasting(packet)).collect();
    let all: Vec<String> = seen.iter().map(|packet| words(packet)).collect();
    assert_eq!(shown, sent, "docs/protocol.md, \"{title}\": it sends\n{}", all.join("\n"));
    Ok(())
}

#[test]
fn postfix_sends_what_the_page_says() {
    compare(Kind::Postfix, "what Postfix sends").unwrap();
}

#[test]
fn sendmail_sends_what_the_page_says() {
    compare(Kind::Sendmail, "what sendmail sends").unwrap();
}
