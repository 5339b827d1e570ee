//! Whole sessions against a milter by script: what is sent.

use crate::support::session::{MAIL, play, profile};
use crate::support::{BOUND, letters, start};
use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{ClientInfo, Event, Mta, Session, Verdict};

#[test]
fn postfix_sends_what_postfix_sends() {
    let (outcomes, seen) = play::<&str>(Mta::Postfix, 2, &[]);
    let one = "DM M DR R DR R DT T DL L DL L DN N DB B DE E";
    assert_eq!(letters(&seen), format!("O DC C DH H {one} A {one} A A Q"));
    assert_eq!(seen[0].payload, b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff");
    assert_eq!(seen[2].payload, b"h.example\x004\0\x19192.0.2.1\0");
    assert_eq!(seen[3].payload, b"H");
    // No queue id before the first accepted recipient.
    let mail = b"M{mail_addr}\0a@b.example\0{mail_host}\0b.example\0{mail_mailer}\0smtp\0";
    assert_eq!(seen[5].payload, mail);
    assert_eq!(seen[6].payload, b"<a@b.example>\0SIZE=1\0");
    assert!(!seen[7].payload.starts_with(b"Ri\0"));
    assert!(seen[9].payload.starts_with(b"Ri\0Q0\0"));
    assert_eq!(seen[14].payload, b"Subject\0hello\0");
    assert_eq!(seen[16].payload, b"X-Two\0 two\0");
    assert_eq!(seen[20].payload, b"body\r\n");
    let outcomes = outcomes.unwrap();
    assert_eq!(outcomes[1].reply.to_string(), "250 2.0.0 Ok: queued as Q1");
    let (envelope, message) = outcomes[0].delivered.as_ref().unwrap();
    assert_eq!(envelope.recipients.len(), 2);
    assert_eq!(message.to_bytes(), MAIL);
}

#[test]
fn sendmail_sends_what_sendmail_sends() {
    let (outcomes, seen) = play::<&str>(Mta::Sendmail, 2, &[]);
    let one = "DM M DR R DR R T L L N B DE E";
    assert_eq!(letters(&seen), format!("O DC C DH H {one} {one} Q"));
    assert!(seen[5].payload.starts_with(b"Mi\0Q0\0{mail_mailer}\0"));
    assert_eq!(
        outcomes.unwrap()[0].reply.to_string(),
        "250 2.0.0 Q0 Message accepted for delivery"
    );
    let (_, seen) = play::<&str>(Mta::Sendmail813, 1, &[]);
    assert_eq!(letters(&seen), "O DC C DH H DM M DR R DR R L L N B DE E Q");
    assert_eq!(seen[0].payload, b"\0\0\0\x02\0\0\0\x3f\0\0\0\x7f");
    let (_, seen) = play::<&str>(Mta::Sendmail812, 1, &[]);
    assert_eq!(letters(&seen), "O DC C DH H DM M DR R DR R L L N B E Q");
}

#[test]
fn unwanted_stages_are_left_out_but_not_their_macros() {
    let words = [r"O=O\0\0\0\x06\0\0\0\0\0\0\x03\x7f"];
    let (_, seen) = play(Mta::Postfix, 1, &words);
    assert_eq!(letters(&seen), "O DC DH DM DR DR DT DE E A A Q");
    let (_, seen) = play(Mta::Sendmail, 1, &words);
    assert_eq!(letters(&seen), "O DC DH DM DR DR DE E Q");
}

#[test]
fn silent_stages_are_not_waited_for() {
    let silent =
        [r"O=O\0\0\0\x06\0\0\0\0\0\x0f\xf0\x80", "C=", "H=", "M=", "R=", "T=", "L=", "N=", "B="];
    for mta in [Mta::Postfix, Mta::Sendmail] {
        let (outcomes, seen) = play(mta, 1, &silent);
        assert_eq!(outcomes.unwrap()[0].verdict, Verdict::Accept);
        assert!(letters(&seen).contains(" E"), "{}", letters(&seen));
    }
}

#[test]
fn a_leading_blank_is_kept_if_the_milter_wants_it() {
    let words = [r"O=O\0\0\0\x06\0\0\x01\xff\0\x10\0\0", r"E=hX-New\0v\0;c"];
    let (outcomes, seen) = play(Mta::Sendmail, 1, &words);
    let headers: Vec<_> = seen.iter().filter(|packet| packet.letter == b'L').collect();
    assert_eq!(headers[0].payload, b"Subject\0 hello\0");
    let outcomes = outcomes.unwrap();
    let (_, message) = outcomes[0].delivered.as_ref().unwrap();
    assert!(message.to_bytes().windows(9).any(|part| part == b"\nX-New:v\n"));
}

#[test]
fn the_milter_chooses_its_macros() {
    let words = [r"O=O\0\0\0\x06\0\0\x01\x00\0\0\0\0\0\0\0\x04{msg_id} i {nrcpts}\0"];
    let (_, seen) = play(Mta::Sendmail, 1, &words);
    let data = seen.iter().find(|packet| packet.payload.starts_with(b"Ti"));
    assert_eq!(data.unwrap().payload, b"Ti\0Q0\0{nrcpts}\x002\0");
}

#[test]
fn a_large_body_goes_in_full_parts() {
    let (client, milter) = start::<&str>(&[]);
    let mut observer = |_: Event<'_>| {};
    let mut session = Session::open(client, profile(Mta::Postfix), &mut observer).unwrap();
    let mut message = Message::parse(MAIL);
    message.body = vec![b'x'; 65_535 * 2 + 1];
    let envelope = Envelope::new("<>", &["c@d"]);
    session.deliver("Q", &envelope, &message).unwrap();
    message.body.clear();
    session.deliver("Q", &envelope, &message).unwrap();
    session.quit(BOUND).unwrap();
    let seen = milter.join().unwrap();
    let sizes: Vec<usize> = seen
        .iter()
        .filter(|packet| packet.letter == b'B')
        .map(|packet| packet.payload.len())
        .collect();
    assert_eq!(sizes, [65_535, 65_535, 1]);
}

#[test]
fn the_connection_is_kept_by_quit_nc_and_abort_ends_a_message() {
    let (client, milter) = start(&["U=y500 5.5.1 what\\0"]);
    let mut observer = |_: Event<'_>| {};
    let mut session = Session::open(client, profile(Mta::Sendmail), &mut observer).unwrap();
    let info = ClientInfo::new(None, "2001:db8::1".parse().unwrap(), 25);
    session.connect(&info).unwrap();
    let refused = session.unknown("WHAT now").unwrap().unwrap();
    assert_eq!(refused.to_string(), "500 5.5.1 what");
    session.quit_nc().unwrap();
    session.connect(&info).unwrap();
    session.abort().unwrap();
    session.quit(BOUND).unwrap();
    let seen = milter.join().unwrap();
    assert_eq!(letters(&seen), "O DC C U K DC C A Q");
    assert_eq!(seen[2].payload, b"[2001:db8::1]\x006\0\x19IPv6:2001:db8::1\0");
    assert_eq!(seen[3].payload, b"WHAT now\0");
}
