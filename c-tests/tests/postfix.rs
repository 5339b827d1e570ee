//! The examples at work in a real Postfix: what they ask for arrives, with either library.

mod examples_support;
mod postfix_support;

use c_tests::Linkage;
use examples_support::example;
use postfix_support::smtp::Reply;
use postfix_support::{Delivery, Postfix, start_filter};
use std::fmt::Write;

/// A body of somewhat more than 200 kB, every line of it different, with these line ends.
fn long_body(line_end: &str) -> String {
    (0..4000).fold(String::new(), |mut body, n| {
        write!(body, "line {n:05} of a body that goes over several packets{line_end}").unwrap();
        body
    })
}

fn recipients(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|d| d.recipient.as_str()).collect()
}

/// Every modification that there is, in one message.
fn rewrites(linkage: Linkage) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), long_body("\r\n")).unwrap();
    let args = ["old@a.example", "new@b.example", file.path().to_str().unwrap()];
    let command = linkage.command(&example("rewrite")).unwrap();
    let (milter, spec) = start_filter(command, &args, linkage).unwrap();
    let postfix = Postfix::start(&spec).unwrap();
    let mut smtp = postfix.greeted();
    let message = "From: Old <old@a.example>\r\nX-Mailer: one\r\nSubject: hello\r\nX-Mailer: two\r\n\r\nshort\r\n";
    let id = smtp.send("old@a.example", &["old@a.example", "kept@c.example"], message).queue_id();
    let deliveries = postfix.deliveries(&id);

    assert_eq!(recipients(&deliveries), ["kept@c.example", "new@b.example"]);
    for delivery in &deliveries {
        assert_eq!(delivery.sender, "new@b.example");
        let header = delivery.header();
        assert_eq!(header[0], "X-Old-Address: old@a.example");
        assert!(header[1].starts_with("Received: "), "{header:?}");
        assert_eq!(header[2], "From: new@b.example");
        assert_eq!(header[3], "Subject: hello");
        assert_eq!(header.last().unwrap(), &format!("X-Rewritten: {id}"));
        assert!(!header.iter().any(|line| line.starts_with("X-Mailer")), "{header:?}");
        assert!(delivery.body() == long_body("\n"), "{} bytes", delivery.body().len());
    }

    // What is none of its business passes as it is, in the same session.
    let other = "From: a@a.example\r\nX-Mailer: one\r\n\r\nshort\r\n";
    let reply = smtp.send("a@a.example", &["b@b.example"], other);
    let id = reply.queue_id();
    let untouched = &postfix.deliveries(&id)[0];
    assert_eq!(untouched.recipient, "b@b.example");
    assert_eq!(untouched.sender, "a@a.example");
    assert!(untouched.header().contains(&"X-Mailer: one".to_owned()));
    assert!(untouched.body() == "short\n", "{} bytes", untouched.body().len());
    assert_eq!(milter.log().lines().unwrap(), Vec::<String>::new());
}

/// Replies of several lines reach the SMTP client as they are, and quarantine holds the message.
fn turns_away(linkage: Linkage) {
    let command = linkage.command(&example("gatekeeper")).unwrap();
    let (milter, spec) = start_filter(command, &[] as &[&str], linkage).unwrap();
    let postfix = Postfix::start(&spec).unwrap();
    let mut smtp = postfix.greeted();
    let says = |lines: &[&str]| Reply(lines.iter().map(|&line| line.to_owned()).collect());

    assert_eq!(
        smtp.command("MAIL FROM:<seller@SPAM.example>"),
        says(&["550-5.7.1 We know you.", "550 5.7.1 100% of your mail is spam."])
    );
    assert_eq!(
        smtp.command("MAIL FROM:<a@slow.example>"),
        says(&["451-4.7.1 Not now.", "451 4.7.1 Try again later."])
    );
    smtp.command("MAIL FROM:<a@a.example>").expect("250");
    assert_eq!(
        smtp.command("RCPT TO:<gone@b.example>"),
        says(&["550-5.1.6 This user has left.", "550 5.1.6 Try info@ instead."])
    );
    assert_eq!(
        smtp.command("RCPT TO:<busy@b.example>"),
        says(&["452-4.2.2 This mailbox is full.", "452 4.2.2 It may not stay so."])
    );
    smtp.command("RSET").expect("250");

    let message = "Subject: hello\r\n\r\nbody\r\n";
    let held = smtp.send("a@a.example", &["trap@b.example"], message).queue_id();
    postfix.wait_for_log(&format!("{held}: milter-hold: END-OF-MESSAGE"));
    let id = smtp.send("a@a.example", &["info@b.example"], message).queue_id();
    assert_eq!(recipients(&postfix.deliveries(&id)), ["info@b.example"]);
    assert_eq!(milter.log().lines().unwrap(), Vec::<String>::new());
}

macro_rules! with_each {
    ($($library:ident $linkage:ident,)*) => {$(
        mod $library {
            use super::*;

            #[test]
            fn rewrite_changes_envelope_header_and_body() {
                rewrites(Linkage::$linkage);
            }

            #[test]
            fn gatekeeper_replies_in_several_lines() {
                turns_away(Linkage::$linkage);
            }
        }
    )*};
}

with_each! {
    reference ReferenceDynamic,
    ours_dynamic OursDynamic,
    ours_preload OursPreload,
}
