//! Replies, well and badly formed.

use super::*;

fn parse(letter: u8, payload: &[u8]) -> Result<Reply<'_>, FormatError> {
    Reply::parse(Packet { letter, payload })
}

#[test]
fn every_reply_is_read() {
    let number = b"\0\0\0\x02X\0v\0";
    let (name, value) = (&b"X"[..], &b"v"[..]);
    let (address, arguments) = (&b"<a>"[..], Some(&b"RET=FULL"[..]));
    let cases: &[(u8, &[u8], Reply<'_>)] = &[
        (b'c', b"", Reply::Continue),
        (b'a', b"", Reply::Accept),
        (b'd', b"", Reply::Discard),
        (b'r', b"", Reply::Reject),
        (b't', b"", Reply::Tempfail),
        (b's', b"", Reply::Skip),
        (b'p', b"", Reply::Progress),
        (b'4', b"", Reply::Shutdown),
        (b'f', b"", Reply::ConnFail),
        (b'y', b"550 no\0", Reply::ReplyCode(b"550 no")),
        (b'h', b"X\0v\0", Reply::AddHeader { name, value }),
        (b'i', number, Reply::InsertHeader { index: 2, name, value }),
        (b'm', number, Reply::ChangeHeader { index: 2, name, value }),
        (b'e', b"<a>\0", Reply::ChangeSender { address, arguments: None }),
        (b'e', b"<a>\0RET=FULL\0", Reply::ChangeSender { address, arguments }),
        (b'+', b"<a>\0", Reply::AddRecipient(address)),
        (b'2', b"<a>\0RET=FULL\0", Reply::AddRecipientArgs { address, arguments }),
        (b'-', b"<a>\0", Reply::DeleteRecipient(address)),
        (b'q', b"spam\0", Reply::Quarantine(b"spam")),
        (b'b', b"", Reply::ReplaceBody(b"")),
        (b'b', b"a\0b", Reply::ReplaceBody(b"a\0b")),
    ];
    for (letter, payload, reply) in cases {
        assert_eq!(parse(*letter, payload).as_ref(), Ok(reply));
    }
}

#[test]
fn a_negotiation_keeps_its_symbol_lists() {
    let payload = b"\0\0\0\x06\0\0\x01\xff\0\0\x07\x7a\0\0\0\0j\0";
    assert_eq!(
        parse(b'O', payload),
        Ok(Reply::Negotiate {
            version: 6,
            actions: 0x1ff,
            protocol: 0x77a,
            symbols: b"\0\0\0\0j\0",
        })
    );
}

#[test]
fn a_bad_form_is_an_error_that_says_what_is_wrong() {
    let cases: &[(u8, &[u8], &str)] = &[
        (b'c', b"x", "bytes left over"),
        (b'h', b"X\0v\0more\0", "bytes left over"),
        (b'y', b"550 a\0b\0", "bytes left over"),
        (b'y', b"550 no", "without its final NUL"),
        (b'y', b"", "a string is missing"),
        (b'h', b"X\0", "a string is missing"),
        (b'h', b"X\0v", "without its final NUL"),
        (b'i', b"\0\0\0", "too short for a 4-byte number"),
        (b'O', b"\0\0\0\x06\0\0\0\0", "too short"),
        (b'e', b"<a>\0x\0y\0", "bytes left over"),
        (b'z', b"", "no reply has this letter"),
        (b'l', b"", "no reply has this letter"),
    ];
    for (letter, payload, problem) in cases {
        let message = parse(*letter, payload).unwrap_err().to_string();
        assert!(message.contains(problem), "{message}");
    }
}

#[test]
fn a_reply_shows_what_it_asks_for() {
    let shown = |letter, payload| parse(letter, payload).unwrap().to_string();
    assert_eq!(shown(b'h', b"X\0a\n\tb\0"), r"add header X: a\n\tb");
    assert_eq!(shown(b'm', b"\0\0\0\x01X\0\0"), "delete header 1 X");
    assert_eq!(shown(b'2', b"<a>\0N=1\0"), "add recipient <a> N=1");
    assert_eq!(
        shown(b'O', b"\0\0\0\x06\0\0\0\x01\0\0\0\x02"),
        "version 6, actions ADDHDRS, protocol NOHELO"
    );
}
