//! Words for words.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// Domains at the top that have more than two letters and are seen often.
const TOP: &[&str] = &[
    "com",
    "org",
    "net",
    "edu",
    "gov",
    "mil",
    "int",
    "info",
    "biz",
    "arpa",
    "example",
    "test",
    "invalid",
    "local",
    "localdomain",
    "lan",
];

/// Names that mean the same everywhere.
const COMMON: &[&str] = &["localhost", "unknown", "postmaster", "mailer", "daemon", "ipv6"];

/// Characters that end a name or an address in a text.
const ENDS: &[u8] = b" \t\r\n\0<>\"(),;:[]{}|=\\";

/// Gives a number for a text and two numbers.
type Hash = Box<dyn Fn(&[u8], usize, u32) -> u64>;

/// What each word has become.
pub(super) struct Disguise {
    /// With a key that nobody knows, the original can't be found by trying names.
    hash: Hash,
    words: HashMap<String, String>,
    used: HashSet<String>,
    /// Parts of addresses and host names, in small letters.
    names: HashSet<String>,
    /// IPv6 addresses and what they become.
    literals: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Disguise {
    /// One that comes out otherwise each time.
    pub(super) fn secret() -> Disguise {
        let key = RandomState::new();
        Disguise::of(Box::new(move |text, at, number| key.hash_one((text, at, number))))
    }

    pub(super) fn of(hash: Hash) -> Disguise {
        Disguise {
            hash,
            words: HashMap::new(),
            used: HashSet::new(),
            names: HashSet::new(),
            literals: Vec::new(),
        }
    }

    /// Takes note of the names in an address or host name.
    pub(super) fn learn(&mut self, text: &[u8]) {
        let runs = text.split(|byte| !byte.is_ascii_alphanumeric());
        // Shorter ones are words of any text.
        let runs = runs.filter(|run| run.len() >= 3).map(lower);
        self.names.extend(runs.filter(|run| !is_top(run) && run.parse::<u64>().is_err()));
    }

    /// Takes note of an IPv6 address.
    pub(super) fn learn_ipv6(&mut self, address: &[u8]) {
        if address.len() < 3 || self.literals.iter().any(|(known, _)| known == address) {
            return;
        }
        let mut other = address.to_vec();
        for (at, byte) in address.iter().enumerate().filter(|(_, byte)| byte.is_ascii_hexdigit()) {
            let digit = (self.hash)(address, at, 0) % 9 + 1;
            if *byte != b'0' {
                other[at] = b"0123456789"[usize::try_from(digit).unwrap_or(1)];
            }
        }
        self.literals.push((address.to_vec(), other));
    }

    /// Disguises every word and number.
    pub(super) fn everything_in(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        for chunk in text.utf8_chunks() {
            let mut ascii = String::new();
            for letter in chunk.valid().chars() {
                if letter.is_ascii() {
                    ascii.push(letter);
                    continue;
                }
                self.put_ascii(&mut out, ascii.as_bytes());
                ascii.clear();
                let other = ["", "", "\u{e9}", "\u{20ac}", "\u{1f600}"][letter.len_utf8()];
                out.extend_from_slice(other.as_bytes());
            }
            self.put_ascii(&mut out, ascii.as_bytes());
            out.extend(chunk.invalid().iter().map(|_| 0xe9));
        }
        out
    }

    fn put_ascii(&mut self, out: &mut Vec<u8>, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if let Some(length) = self.special(out, text, at) {
                at += length;
            } else if rest[0].is_ascii_alphanumeric() {
                let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let after_dot =
                    at > 1 && text[at - 1] == b'.' && text[at - 2].is_ascii_alphanumeric();
                let followed = matches!(rest.get(length..), Some([b'@' | b'-' | b'_', ..]))
                    || matches!(rest.get(length..), Some([b'.', next, ..]) if next.is_ascii_alphanumeric());
                if after_dot && !followed && is_top(&lower(&rest[..length])) {
                    out.extend_from_slice(&rest[..length]);
                } else {
                    out.extend(self.word(&rest[..length]));
                }
                at += length;
            } else {
                out.push(rest[0]);
                at += 1;
            }
        }
    }

    /// What is no word at `at`: addresses of hosts, and how mail writes other letters.
    fn special(&mut self, out: &mut Vec<u8>, text: &[u8], at: usize) -> Option<usize> {
        let rest = &text[at..];
        if let Some((known, other)) =
            self.literals.iter().find(|(known, _)| rest.starts_with(known))
        {
            out.extend_from_slice(other);
            return Some(known.len());
        }
        let begins = at == 0 || !(text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'.');
        if let Some((octets, length)) = quad(rest).filter(|_| begins) {
            out.extend(self.address(&octets).bytes());
            return Some(length);
        }
        match rest {
            // The charset and the encoding of an encoded word.
            [b'=', b'?', ..] => {
                let mut marks = rest.iter().enumerate().filter(|(_, byte)| **byte == b'?');
                let (end, _) = marks.nth(2)?;
                out.extend_from_slice(&rest[..=end]);
                Some(end + 1)
            }
            // A letter of quoted-printable text; blanks, line ends and the sign itself stay.
            [b'=', high @ (b'0'..=b'9' | b'A'..=b'F'), low @ (b'0'..=b'9' | b'A'..=b'F'), ..] => {
                let kept = matches!((high, low), (b'2', b'0') | (b'3', b'D') | (b'0', _));
                out.extend_from_slice(if kept { &rest[..3] } else { b"=3F" });
                Some(3)
            }
            _ => None,
        }
    }

    /// Disguises addresses and hosts, and names that are known to be parts of some.
    pub(super) fn names_in(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            if let Some((known, other)) =
                self.literals.iter().find(|(known, _)| rest.starts_with(known))
            {
                out.extend_from_slice(other);
                rest = &rest[known.len()..];
                continue;
            }
            let length = rest.iter().take_while(|byte| !ENDS.contains(byte)).count();
            if length == 0 {
                out.push(rest[0]);
                rest = &rest[1..];
                continue;
            }
            let (token, after) = rest.split_at(length);
            out.extend(self.token(token));
            rest = after;
        }
        out
    }

    fn token(&mut self, token: &[u8]) -> Vec<u8> {
        let labels: Vec<&[u8]> = token.trim_ascii_end().split(|byte| *byte == b'.').collect();
        let last = labels.iter().rev().find(|label| !label.is_empty()).copied().unwrap_or_default();
        let host = labels.len() > 1 && is_top(&lower(last));
        if token.contains(&b'@') || host || quad(token).is_some() {
            return self.everything_in(token);
        }
        let mut out = Vec::with_capacity(token.len());
        for piece in token.split_inclusive(|byte| !byte.is_ascii_alphanumeric()) {
            let end = piece.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if self.names.contains(&lower(&piece[..end])) {
                out.extend(self.word(&piece[..end]));
            } else {
                out.extend_from_slice(&piece[..end]);
            }
            out.extend_from_slice(&piece[end..]);
        }
        out
    }

    /// Another word of the same length, with capitals and digits in the same places.
    fn word(&mut self, word: &[u8]) -> Vec<u8> {
        let small = lower(word);
        if COMMON.contains(&small.as_str()) {
            return word.to_vec();
        }
        if !self.words.contains_key(&small) {
            // Short words may run out.
            let tries = (0..64).map(|number| self.invented(&small, number));
            let tries: Vec<String> = tries.collect();
            let fresh = tries.iter().find(|other| **other != small && !self.used.contains(*other));
            let other = fresh.unwrap_or(&tries[0]).clone();
            self.used.insert(other.clone());
            self.words.insert(small.clone(), other);
        }
        let other = self.words[&small].bytes().zip(word);
        other
            .map(|(new, old)| if old.is_ascii_uppercase() { new.to_ascii_uppercase() } else { new })
            .collect()
    }

    fn invented(&self, small: &str, number: u32) -> String {
        let mut letters = small.bytes().enumerate().map(|(at, byte)| {
            let random = (self.hash)(small.as_bytes(), at, number);
            let one_of = |set: &[u8]| {
                let at = random % u64::try_from(set.len()).unwrap_or(1);
                char::from(set[usize::try_from(at).unwrap_or(0)])
            };
            match byte {
                b'0'..=b'9' if at == 0 && byte != b'0' => one_of(b"123456789"),
                b'0'..=b'9' => one_of(b"0123456789"),
                _ => one_of(b"abcdefghijklmnopqrstuvwxyz"),
            }
        });
        letters.by_ref().collect()
    }

    /// Another IPv4 address with as many digits; private ones stay private.
    fn address(&self, octets: &[u8; 4]) -> String {
        let kept = match octets {
            [0 | 127, ..] => 4,
            [10, ..] => 1,
            [192, 168, ..] | [169, 254, ..] | [172, 16..=31, ..] => 2,
            _ => 0,
        };
        let others = octets.iter().enumerate().map(|(at, octet)| {
            let random = (self.hash)(&octets[..=at], at, 0);
            let within = |from: u64, count: u64| (from + random % count).to_string();
            match octet {
                _ if at < kept => octet.to_string(),
                0 => "0".to_owned(),
                1..=9 => within(1, 9),
                // None of the private networks.
                10..=99 => within(11, 89),
                _ => within(130, 30),
            }
        });
        others.collect::<Vec<String>>().join(".")
    }
}

fn lower(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_ascii_lowercase()
}

/// Whether it may be a domain at the top.
fn is_top(small: &str) -> bool {
    small.len() == 2 && small.bytes().all(|byte| byte.is_ascii_lowercase()) || TOP.contains(&small)
}

/// An IPv4 address at the front, and its length.
fn quad(text: &[u8]) -> Option<([u8; 4], usize)> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let whole = !text.get(length).is_some_and(u8::is_ascii_alphanumeric);
    let written = std::str::from_utf8(&text[..length]).ok()?.trim_end_matches('.');
    let address = written.parse::<std::net::Ipv4Addr>().ok().filter(|_| whole)?;
    Some((address.octets(), written.len()))
}
