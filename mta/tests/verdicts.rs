//! Whole sessions against a milter by script: what its replies lead to.

use std::time::Duration;

use crate::support::session::{MAIL, play, profile};
use crate::support::{letters, start};
use milter_mta::mail::{Envelope, Message};
use milter_mta::session::{Event, Mta, Session, Stage, Verdict};

/// Plays one message and gives verdict, stage, reply and the commands sent.
fn one(mta: Mta, words: &[&str]) -> (Verdict, Stage, String, String) {
    let (outcomes, seen) = play(mta, 1, words);
    let outcome = outcomes.unwrap().remove(0);
    (outcome.verdict, outcome.stage, outcome.reply.to_string(), letters(&seen))
}

/// Plays one message that fails and gives the message of the error.
fn failure(mta: Mta, words: &[&str]) -> String {
    play(mta, 1, words).0.unwrap_err().to_string()
}

#[test]
fn verdicts_at_each_stage_end_the_message_there() {
    for (letter, stage) in [
        ("M", Stage::Mail),
        ("T", Stage::Data),
        ("L", Stage::Header),
        ("N", Stage::EndOfHeaders),
        ("B", Stage::Body),
        ("E", Stage::EndOfMessage),
    ] {
        for mta in [Mta::Postfix, Mta::Sendmail] {
            for (reply, verdict) in [
                ("a", Verdict::Accept),
                ("d", Verdict::Discard),
                ("r", Verdict::Reject),
                ("t", Verdict::Tempfail),
            ] {
                let (got, at, _, sent) = one(mta, &[&format!("{letter}={reply}")]);
                assert_eq!((got, at), (verdict, stage), "{mta:?} {letter}={reply}");
                let sent = sent.trim_end_matches(['Q', 'A', ' ']);
                assert!(sent.ends_with(letter), "{mta:?} {letter}={reply}: {sent}");
            }
        }
    }
}

#[test]
fn verdicts_on_the_client_hold_for_the_session() {
    for mta in [Mta::Postfix, Mta::Sendmail] {
        for (word, verdict) in [("C=r", Verdict::Reject), ("C=a", Verdict::Accept)] {
            let (outcomes, seen) = play(mta, 2, &[word]);
            let outcomes = outcomes.unwrap();
            assert_eq!(outcomes[1].verdict, verdict);
            assert_eq!(outcomes[1].stage, Stage::Connect);
            // Postfix hangs up without QUIT.
            let end = if mta == Mta::Postfix { "O DC C" } else { "O DC C Q" };
            assert_eq!(letters(&seen), end);
        }
    }
    let (verdict, stage, reply, sent) = one(Mta::Sendmail, &["H=y550 5.7.1 go away\\0"]);
    assert_eq!((verdict, stage), (Verdict::Reject, Stage::Helo));
    assert_eq!(reply, "550 5.7.1 go away");
    assert_eq!(sent, "O DC C DH H Q");
}

#[test]
fn a_421_ends_the_session() {
    let (outcomes, seen) = play(Mta::Postfix, 2, &["M=y421 4.7.0 bye\\0"]);
    let outcomes = outcomes.unwrap();
    assert_eq!(outcomes[1].reply.code, 421);
    assert_eq!(outcomes[1].verdict, Verdict::Tempfail);
    assert_eq!(letters(&seen), "O DC C DH H DM M A A Q");
}

#[test]
fn recipients_are_refused_one_by_one() {
    let (outcomes, seen) = play(Mta::Sendmail, 1, &["R=y550 5.1.1 who\\0", "R=c"]);
    let outcome = outcomes.unwrap().remove(0);
    assert_eq!(outcome.verdict, Verdict::Accept);
    let refused = outcome.recipients[0].refused.as_ref().unwrap();
    assert_eq!(refused.to_string(), "550 5.1.1 <c@d.example>... who");
    let (envelope, _) = outcome.delivered.unwrap();
    assert_eq!(envelope.recipients.len(), 1);
    assert!(letters(&seen).contains("B DE E"));

    for (words, verdict, code) in [
        (["R=r", "R=t"], Verdict::Tempfail, "451"),
        (["R=r", "R=y551 5.7.1 no\\0"], Verdict::Reject, "551"),
    ] {
        let (got, stage, reply, sent) = one(Mta::Postfix, &words);
        assert_eq!((got, stage), (verdict, Stage::Rcpt));
        assert!(reply.starts_with(code), "{reply}");
        assert_eq!(sent, "O DC C DH H DM M DR R DR R A A Q");
    }
}

#[test]
fn skip_means_what_each_mta_makes_of_it() {
    let sent = |mta, word| one(mta, &[word]).3;
    let head = "O DC C DH H DM M DR R";
    assert_eq!(sent(Mta::Postfix, "L=s"), format!("{head} DR R DT T DL L DN N DB B DE E A A Q"));
    assert_eq!(sent(Mta::Sendmail, "L=s"), format!("{head} DR R T L L N DE E Q"));
    assert_eq!(sent(Mta::Sendmail, "B=s"), format!("{head} DR R T L L N B DE E Q"));
    assert_eq!(sent(Mta::Postfix, "R=s"), format!("{head} DT T DL L DL L DN N DB B DE E A A Q"));
    // sendmail asks this milter nothing more in the session.
    assert_eq!(sent(Mta::Sendmail, "R=s"), format!("{head} Q"));
}

#[test]
fn changes_are_collected_and_carried_out() {
    let words = [r"E=p;hX-New\0v\0;m\0\0\0\x01subject\0changed\0;i\0\0\0\0Top\0t\0;\
b12\r\n;b3;e<n@b>\0RET=HDRS\0;+<g@h>\0;2<i@j>\0NOTIFY=NEVER\0;-<e@f.example>\0;qspam\0;c"];
    let words = [words[0].replace("\\\n", "")];
    let (outcomes, _) = play(Mta::Postfix, 1, &words);
    let outcome = outcomes.unwrap().remove(0);
    assert_eq!(outcome.verdict, Verdict::Quarantine);
    assert_eq!(outcome.quarantine_reason().as_deref(), Some("spam"));
    assert!(outcome.remarks.is_empty(), "{:?}", outcome.remarks);
    assert_eq!(outcome.changes.len(), 9);
    let (envelope, message) = outcome.delivered.unwrap();
    assert_eq!(
        envelope.to_string(),
        "MAIL FROM:<n@b> RET=HDRS\nRCPT TO:<c@d.example>\nRCPT TO:<g@h>\n\
         RCPT TO:<i@j> NOTIFY=NEVER\n"
    );
    let text = String::from_utf8(message.to_bytes()).unwrap();
    assert_eq!(text, "Top: t\nSubject: changed\nX-Two:  two\nX-New: v\n\n12\n3");
}

#[test]
fn unasked_changes_leave_a_remark_and_spoil_bodies_for_sendmail() {
    let none = r"O=O\0\0\0\x06\0\0\0\0\0\0\0\0";
    let (outcomes, _) = play(Mta::Postfix, 1, &[none, r"E=hX\0v\0;bnew;c"]);
    let outcome = outcomes.unwrap().remove(0);
    assert_eq!(outcome.verdict, Verdict::Accept);
    assert_eq!(
        outcome.remarks,
        [
            "add header X: v: done without having asked for ADDHDRS",
            "replace body, 3 bytes: done without having asked for CHGBODY"
        ]
    );
    assert_eq!(one(Mta::Sendmail, &[none, "E=bnew;c"]).0, Verdict::Tempfail);
}

#[test]
fn breaches_of_the_protocol_are_errors_that_name_the_place() {
    for (words, message) in [
        (&["O=!close"][..], "at negotiation: the milter closed the connection"),
        (&["O=c"], "at negotiation: reply 'c' where the answer"),
        (&[r"O=O\0\0\0\x07\0\0\0\0\0\0\0\0"], "wants protocol version 7"),
        (&["M=!close"], "at mail: the milter closed the connection"),
        (&["C=cx"], "at connect: malformed reply 'c' (continue): bytes left over"),
        (&["L=z"], "at header: malformed reply 'z'"),
        (&[r"B=hX\0v\0"], "at body: unexpected reply \"add header X: v\": changes"),
        (&["T=4"], "at data: unexpected reply \"shutdown\""),
        (&["E=f"], "at eom: unexpected reply \"connection failure\""),
        (&["R=y250 ok\\0"], "at rcpt: malformed SMTP reply \"250 ok\": it must begin"),
        (&["M=c;c"], "no reply is due here"),
        (&["E=c;c"], "no reply is due here"),
        (&["R=p"], "at rcpt: unexpected reply \"progress\""),
        (&["E=s"], "nothing to skip"),
    ] {
        let error = failure(Mta::Sendmail, words);
        assert!(error.contains(message), "{words:?}: {error}");
    }
    let error = failure(Mta::Postfix, &["E=bone;hX\\0v\\0;btwo;c"]);
    assert!(error.contains("all parts of a new body in a row"), "{error}");
}

#[test]
fn progress_does_not_extend_sendmails_total() {
    let (client, milter) = start(&["E=p"]);
    let mut observer = |_: Event<'_>| {};
    let mut hasty = profile(Mta::Sendmail);
    hasty.timeouts.end_of_message = Some(Duration::from_millis(50));
    let mut session = Session::open(client, hasty, &mut observer).unwrap();
    let envelope = Envelope::new("<>", &["c@d"]);
    let result = session.deliver("Q", &envelope, &Message::parse(MAIL));
    let error = result.unwrap_err();
    assert!(error.is_timeout() && !error.is_closed(), "{error}");
    assert!(error.to_string().starts_with("at eom: no reply within"), "{error}");
    drop(session);
    milter.join().unwrap();
}
