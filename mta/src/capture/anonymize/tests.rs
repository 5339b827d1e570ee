//! What is gone, and what is still the same.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use super::*;

fn record(from: Side, letter: u8, payload: &[u8]) -> Record {
    let payload = payload.to_vec();
    Record { at: Duration::ZERO, from, what: What::Packet(OwnedPacket { letter, payload }) }
}

/// Disguises packets and gives their payloads as text.
fn disguised(packets: &[(Side, u8, &[u8])]) -> Vec<String> {
    let records = packets.iter().map(|(from, letter, payload)| record(*from, *letter, payload));
    let capture = Capture { facts: Vec::new(), records: records.collect() };
    // Always the same, so that no word comes out like another by chance.
    let key = BuildHasherDefault::<DefaultHasher>::default();
    let hash = move |text: &[u8], at: usize, number: u32| key.hash_one((text, at, number));
    let out = super::disguised(&capture, Disguise::of(Box::new(hash)));
    assert_eq!(out.fact("anonymized"), Some("yes"));
    let shown = out.records.iter().zip(packets).map(|(record, (_, letter, before))| {
        let What::Packet(packet) = &record.what else { panic!("{record:?}") };
        assert_eq!((packet.letter, packet.payload.len()), (*letter, before.len()));
        String::from_utf8_lossy(&packet.payload).into_owned()
    });
    shown.collect()
}

use Side::{Milter, Mta};

#[test]
fn addresses_are_others_and_the_same_everywhere() {
    let all = disguised(&[
        (Mta, b'D', b"C{daemon_name}\0relay.example.org\0"),
        (Mta, b'C', b"relay.example.org\x004\x00\x19198.51.100.77\0"),
        (Mta, b'D', b"M{mail_addr}\0Ada.King@example.org\0{mail_mailer}\0smtp\0_\0relay.example.org [198.51.100.77]\0"),
        (Mta, b'M', b"<Ada.King@example.org>\0SIZE=99\0AUTH=ada@example.org\0"),
        (Mta, b'R', b"<bob@example.net>\0ORCPT=rfc822;bob@example.net\0"),
        (Mta, b'L', b"From\0Ada King <ada.king@EXAMPLE.org>\0"),
        (Milter, b'y', b"550 5.1.1 <bob@example.net>: no Bob here, ask relay.example.org\0"),
    ]);
    let text = all.join("\n");
    for gone in ["ada", "king", "bob", "relay", "198.51.100.77"] {
        assert!(!text.to_lowercase().contains(gone), "{gone} is in\n{text}");
    }
    let sender = all[3].split('\0').next().unwrap().trim_matches(['<', '>']);
    assert!(
        all[2].contains(sender) && all[5].to_lowercase().contains(&sender.to_lowercase()),
        "{text}"
    );
    assert!(sender.ends_with(".org") && sender.as_bytes()[0].is_ascii_uppercase(), "{sender}");
    let address = all[1].trim_end_matches('\0').rsplit('\x19').next().unwrap();
    assert!(address.parse::<std::net::Ipv4Addr>().is_ok() && all[2].contains(address), "{text}");
    let recipient = all[4].split('\0').next().unwrap();
    assert!(all[6].starts_with(&format!("550 5.1.1 {recipient}: no ")), "{text}");
    for kept in ["SIZE=99", "AUTH=", "ORCPT=rfc822;", "{mail_mailer}\0smtp", " here, ask "] {
        assert!(text.contains(kept), "{kept} is not in\n{text}");
    }
}

#[test]
fn bodies_keep_their_structure_only() {
    let all = disguised(&[
        (Mta, b'L', b"Content-Type\0multipart/mixed; boundary=\"a_1\"; name=\"plan of Ada.pdf\"\0"),
        (Mta, b'L', b"Subject\0=?utf-8?Q?caf=C3=A9?= secret\0"),
        (Mta, b'B', b"--a_1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nDear caf\xc3\xa9,\r\nsecret=20plan=AB\r\n--a_1--\r\n"),
    ]);
    assert!(
        all[0].starts_with("Content-Type\0multipart/mixed; boundary=\"a_1\"; name=\""),
        "{}",
        all[0]
    );
    assert!(!all[0].contains("plan"), "{}", all[0]);
    assert!(all[1].contains("=?utf-8?Q?") && !all[1].contains("secret"), "{}", all[1]);
    let body = &all[2];
    assert!(body.starts_with("--a_1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"), "{body}");
    assert!(body.ends_with("=3F\r\n--a_1--\r\n") && body.contains("=20"), "{body}");
    for gone in ["Dear", "caf", "secret", "plan"] {
        assert!(!body.contains(gone), "{gone} is in\n{body}");
    }
    // The same word in header and body.
    let word = all[1].trim_end_matches('\0').rsplit(' ').next().unwrap();
    assert!(body.contains(word), "{word} is not in {body}");
}

#[test]
fn what_a_milter_decides_by_stays() {
    let all = disguised(&[
        (Mta, b'O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"),
        (Mta, b'C', b"localhost\x004\0\x19127.0.0.1\0"),
        (Mta, b'C', b"[10.1.2.3]\x004\0\x1910.1.2.3\0"),
        (Mta, b'D', b"Mi\x004C0A\0{auth_type}\0PLAIN\0{daemon_name}\0MTA\0"),
        (Mta, b'L', b"Date\0Tue, 03 Mar 2026 10:30:00 +0100\0"),
        (Mta, b'U', b"XSECRET ada\0"),
        (Milter, b'i', b"\0\0\0\x01X-Spam\0yes\0"),
        (Milter, b'c', b""),
    ]);
    assert_eq!(all[1], "localhost\x004\0\x19127.0.0.1\0");
    assert!(all[2].starts_with("[10.") && !all[2].contains("10.1.2.3"), "{}", all[2]);
    assert_eq!(all[3], "Mi\x004C0A\0{auth_type}\0PLAIN\0{daemon_name}\0MTA\0");
    assert_eq!(all[4], "Date\0Tue, 03 Mar 2026 10:30:00 +0100\0");
    assert!(all[5].starts_with("XSECRET ") && !all[5].contains("ada"), "{}", all[5]);
    assert!(all[6].starts_with("\0\0\0\x01X-Spam\0"), "{}", all[6]);
}

#[test]
fn an_ipv6_address_is_another_one_in_all_places() {
    let all = disguised(&[
        (Mta, b'C', b"h.example\x006\0\x19IPv6:2001:db8::1f\0"),
        (Mta, b'D', b"C{client_addr}\x002001:db8::1f\0"),
        (Milter, b'y', b"550 not from 2001:db8::1f\0"),
    ]);
    let address = all[0].split("IPv6:").nth(1).unwrap().trim_end_matches('\0');
    assert!(
        address.parse::<std::net::Ipv6Addr>().is_ok() && address != "2001:db8::1f",
        "{address}"
    );
    assert!(all[1].contains(address) && all[2].contains(address), "{all:?}");
}

#[test]
fn two_people_do_not_become_one() {
    let mut payload = Vec::new();
    for letter in b'a'..=b'z' {
        payload.extend_from_slice(&[b'<', letter, letter, b'@', b'x', b'>', 0]);
    }
    let text = disguised(&[(Mta, b'M', &payload)]).remove(0);
    let addresses: std::collections::HashSet<&str> = text.split('\0').collect();
    assert_eq!(addresses.len(), 27, "{text}");
}

#[test]
fn it_comes_out_otherwise_each_time() {
    let record = record(Mta, b'H', b"a-host-with-a-long-name.example\0");
    let capture = Capture { facts: Vec::new(), records: vec![record] };
    assert_ne!(anonymize(&capture), anonymize(&capture));
}
