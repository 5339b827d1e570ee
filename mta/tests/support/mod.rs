//! A milter by script, on raw bytes: the other side of what these tests test.
//!
//! A script is a list of words `LETTER=ITEM;ITEM…`: what to send when the command with that letter
//! comes. An item is a reply, letter and payload, with the escapes `\0 \n \r \t \; \\ \xNN`; or
//! `!close` (hang up), `!exit N` (end the process), `!abort` (crash), `!log FILE TEXT` (append a
//! line), `!wait MS`, `!raw BYTES` (no packet). No item at all means silence. Words for the same letter are used in turn; the last one stays. Without a word a
//! command is answered `c`, and the offer with its own version, all its actions and no flags.

// The tests and fake-milter use different parts of it.
#![allow(dead_code)]

pub(crate) mod session;

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;
use std::time::Duration;

use milter_mta::{Client, OwnedPacket};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Long enough for any machine; only failing tests wait for it.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// What a fake milter says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    answers: HashMap<u8, Vec<String>>,
}

impl Script {
    /// Reads the words of a script.
    pub(crate) fn new<S: AsRef<str>>(words: &[S]) -> Script {
        let mut script = Script::default();
        for word in words {
            let (letter, items) = word.as_ref().split_once('=').expect("LETTER=ITEMS");
            let letter = letter.as_bytes()[0];
            script.answers.entry(letter).or_default().push(items.to_owned());
        }
        script
    }

    /// What to do when the `nth` command of a kind comes.
    fn items(&self, command: &OwnedPacket, nth: usize) -> Vec<String> {
        if let Some(words) = self.answers.get(&command.letter) {
            let word = &words[nth.min(words.len() - 1)];
            let word = word.replace("\\;", "\\x3b");
            let items = word.split(';').filter(|item| !item.is_empty());
            return items.map(str::to_owned).collect();
        }
        match command.letter {
            b'D' | b'A' | b'Q' | b'K' => Vec::new(),
            b'O' => {
                let escaped: Vec<String> =
                    command.payload[..8].iter().map(|byte| format!("\\x{byte:02x}")).collect();
                vec![format!("O{}\\0\\0\\0\\0", escaped.concat())]
            }
            _ => vec!["c".to_owned()],
        }
    }

    /// Serves one connection to its end and gives the commands that came.
    pub(crate) fn serve<S: Read + Write>(&self, mut stream: S) -> Vec<OwnedPacket> {
        let mut seen: Vec<OwnedPacket> = Vec::new();
        while let Some(command) = read_packet(&mut stream) {
            let nth = seen.iter().filter(|old| old.letter == command.letter).count();
            let items = self.items(&command, nth);
            let quit = command.letter == b'Q';
            seen.push(command);
            for item in items {
                match item.split_once(' ').unwrap_or((&item, "")) {
                    ("!close", _) => return seen,
                    ("!exit", status) => std::process::exit(status.parse().unwrap()),
                    ("!abort", _) => std::process::abort(),
                    ("!log", words) => {
                        let (file, text) = words.split_once(' ').unwrap();
                        let mut file = OpenOptions::new().append(true).open(file).unwrap();
                        writeln!(file, "{text}").unwrap();
                    }
                    ("!raw", bytes) => {
                        if stream.write_all(&unescape(bytes)).is_err() {
                            return seen;
                        }
                    }
                    ("!wait", bound) => {
                        std::thread::sleep(Duration::from_millis(bound.parse().unwrap()));
                    }
                    _ => {
                        let bytes = unescape(&item);
                        let mut packet = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
                        packet.extend_from_slice(&bytes);
                        if stream.write_all(&packet).is_err() {
                            return seen;
                        }
                    }
                }
            }
            if quit {
                break;
            }
        }
        seen
    }
}

/// Reads a packet; `None` at end of file.
fn read_packet(stream: &mut impl Read) -> Option<OwnedPacket> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut content = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut content).ok()?;
    let payload = content.split_off(1);
    let letter = content[0];
    Some(OwnedPacket { letter, payload })
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let (byte, used) = match rest {
            [b'0', ..] => (0, 1),
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'x', high, low, ..] => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                (u8::from_str_radix(digits, 16).unwrap(), 3)
            }
            [other, ..] => (*other, 1),
            [] => panic!("a lone backslash in {text}"),
        };
        out.push(byte);
        rest = &rest[used..];
    }
    out
}

/// Has this process, in which tests run side by side, have what they need of descriptors, if it may.
fn enough_descriptors() {
    const ENOUGH: u64 = 4096;
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH)));
    // If that is refused, whoever lacks one says so.
    let _kept = setrlimit(Resource::Nofile, limit);
}

/// Serves every connection of a fresh unix socket in threads of its own; the socket's directory
/// must be kept.
pub(crate) fn listen<S: AsRef<str>>(words: &[S]) -> (tempfile::TempDir, String) {
    enough_descriptors();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("milter.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let script = Script::new(words);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let script = script.clone();
            std::thread::spawn(move || script.serve(stream.unwrap()));
        }
    });
    (directory, format!("unix:{}", path.display()))
}

/// A client connected to a fake milter in a thread, which gives the commands that came.
pub(crate) fn start<S: AsRef<str>>(words: &[S]) -> (Client, JoinHandle<Vec<OwnedPacket>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let script = Script::new(words);
    let milter = std::thread::spawn(move || script.serve(theirs));
    (Client::from_fd(ours.into()), milter)
}

/// The letters of commands in order; macros as `D` and the letter they belong to.
pub(crate) fn letters(seen: &[OwnedPacket]) -> String {
    let mut out = Vec::new();
    for packet in seen {
        let mut word = char::from(packet.letter).to_string();
        if packet.letter == b'D' {
            word.push(char::from(packet.payload[0]));
        }
        out.push(word);
    }
    out.join(" ")
}
