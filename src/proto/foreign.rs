//! Bytes of other protocols: what somebody speaks who has come to the wrong port.

use super::printable::quote;

/// Bytes that are shown of a text.
const SHOWN: usize = 40;

/// What others begin with, with zeros between one and the next; as far as it has arrived, of
/// which four bytes are enough.
///
/// Not a pointer to each: they would have to be relocated whenever a program starts.
const OPENINGS: [(&str, &[u8]); 4] = [
    (
        "HTTP",
        b"GET \x00POST \x00HEAD \x00PUT \x00OPTIONS \x00CONNECT \x00DELETE \x00PATCH \x00TRACE \x00PRI * HTTP/2",
    ),
    ("SMTP", b"EHLO \x00HELO \x00LHLO \x00QUIT\r\n\x00NOOP\x00RSET\r\n\x00220 \x00220-"),
    // Its second version goes on with a zero.
    ("the PROXY protocol", b"PROXY \x00\r\n\r\n"),
    ("SSH", b"SSH-"),
];

/// Which protocol bytes belong to that can't be a packet, in words; `None` if they are none of those that
/// are known, nor text. Four of them are enough.
#[must_use]
pub fn spoken(bytes: &[u8]) -> Option<String> {
    let first = bytes.first_chunk::<4>()?;
    if let [0x16, 3, 0..=4, _] = first {
        return Some("speaks TLS".to_owned());
    }
    let begins = |word: &[u8]| {
        let length = word.len().min(bytes.len());
        bytes
            .get(..length)
            .is_some_and(|begin| begin.eq_ignore_ascii_case(word.get(..length).unwrap_or_default()))
    };
    let speaks = |words: &[u8]| words.split(|byte| *byte == 0).any(begins);
    let name = OPENINGS.iter().find(|(_, words)| speaks(words)).map(|(name, _)| *name);
    let is_text = |b: &u8| matches!(b, b' '..=b'~' | b'\r' | b'\n' | b'\t');
    let text = quote(bytes.get(..SHOWN).unwrap_or(bytes));
    match name {
        Some(name) => Some(format!("speaks {name} (\"{text}\")")),
        None if first.iter().all(is_text) => Some(format!("sends text (\"{text}\")")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn what_opens_a_conversation_names_the_protocol() {
        for (bytes, name) in [
            (&b"GET / HTTP/1.1\r\n"[..], "speaks HTTP (\"GET / HTTP/1.1\\x0d\\x0a\")"),
            (b"PRI * HTTP/2.0\r\n\r\n", "speaks HTTP (\"PRI * HTTP/2.0\\x0d\\x0a\\x0d\\x0a\")"),
            (b"\x16\x03\x01\x02\0\x01", "speaks TLS"),
            (b"ehlo me\r\n", "speaks SMTP (\"ehlo me\\x0d\\x0a\")"),
            (b"220 mx", "speaks SMTP (\"220 mx\")"),
            (b"PROXY TCP4", "speaks the PROXY protocol (\"PROXY TCP4\")"),
            (b"SSH-2.0", "speaks SSH (\"SSH-2.0\")"),
            (b"hello", "sends text (\"hello\")"),
            (b"putting on", "sends text (\"putting on\")"),
            (b"prox", "speaks the PROXY protocol (\"prox\")"),
            (b"GET ", "speaks HTTP (\"GET \")"),
        ] {
            assert_eq!(spoken(bytes).as_deref(), Some(name));
        }
        for bytes in [&b"GET"[..], b"\0\x01\0\x01", b"\x16\x09\0\0", b"hel\0", b"\xff\xff\xff\xff"]
        {
            assert_eq!(spoken(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(spoken(&[b'x'; 500]).unwrap().len(), "sends text (\"\")".len() + super::SHOWN);
    }
}
