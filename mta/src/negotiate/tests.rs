//! Answers, good and bad.

use super::*;

fn answer(version: u32, actions: u32, protocol: u32, symbols: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    for word in [version, actions, protocol] {
        payload.extend_from_slice(&word.to_be_bytes());
    }
    payload.extend_from_slice(symbols);
    payload
}

fn check(offer: &Offer, payload: &[u8]) -> Result<Agreement, NegotiationError> {
    let letter = b'O';
    Agreement::check(offer, Packet { letter, payload })
}

#[test]
fn an_answer_within_the_offer_is_taken() {
    let agreed = check(&Offer::SENDMAIL, &answer(6, 0x1ff, 0x77a, b"")).unwrap();
    assert_eq!((agreed.version, agreed.actions), (6, 0x1ff));
    assert_eq!(agreed.protocol, 0x77a);
    assert!(agreed.has(protocol::SKIP) && !agreed.has(protocol::NOCONNECT));
}

#[test]
fn old_versions_imply_what_they_do_not_know() {
    for (version, implied) in [(2, 0x300), (3, 0x200), (4, 0), (6, 0)] {
        let agreed = check(&Offer::SENDMAIL, &answer(version, 0, 0, b"")).unwrap();
        assert_eq!(agreed.protocol, implied, "version {version}");
    }
}

#[test]
fn symbol_lists_are_split_into_names() {
    let lists = b"\0\0\0\0j\0\0\0\0\x03{rcpt_addr}, j  i\0\0\0\0\x06\0";
    let agreed = check(&Offer::SENDMAIL, &answer(6, 0x100, 0, lists)).unwrap();
    let names =
        |stage| -> Option<Vec<&[u8]>> { agreed.symbols_for(stage).map(|names| names.collect()) };
    assert_eq!(names(0), Some(vec![&b"j"[..]]));
    assert_eq!(names(3), Some(vec![&b"{rcpt_addr}"[..], b"j", b"i"]));
    assert_eq!(names(6), Some(vec![]));
    assert_eq!(names(5), None);
}

#[test]
fn an_answer_outside_the_offer_is_refused_with_names() {
    let old = Offer::SENDMAIL_8_13;
    for (payload, message) in [
        (answer(6, 0, 0, b""), "version 6; this MTA speaks 2 to 2"),
        (answer(1, 0, 0, b""), "version 1;"),
        (answer(2, 0x1c1, 0, b""), "CHGFROM ADDRCPT_PAR SETSYMLIST"),
        (answer(2, 0, 0x480, b""), "NR_HDR SKIP (offered 0x7f, wanted 0x480)"),
        (answer(2, 0, 0, b"\0\0\0"), "too short for a stage number"),
        (answer(2, 0, 0, b"\0\0\0\x07j\0"), "a stage number over 6"),
        (answer(2, 0, 0, b"\0\0\0\x01j"), "without its final NUL"),
        (answer(2, 0, 0, b"\0\0\0\x01j\0\0\0\0\x01j\0"), "two lists for one"),
        (vec![0, 0, 0, 6], "too short for a 4-byte number"),
    ] {
        let error = check(&old, &payload).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let other = Packet { letter: b'c', payload: b"" };
    let error = Agreement::check(&old, other).unwrap_err().to_string();
    assert!(error.contains("reply 'c' where"), "{error}");
}

#[test]
fn postfix_offers_by_its_milter_protocol_setting() {
    let flags = |setting| Offer::postfix(setting).map(|offer| (offer.version, offer.protocol));
    assert_eq!(flags(2), Some((2, 0x7f)));
    assert_eq!(flags(3), Some((3, 0x17f)));
    assert_eq!(flags(4), Some((4, 0x37f)));
    assert_eq!(flags(6), Some((6, 0x1f_ffff)));
    assert_eq!(flags(5), None);
}
