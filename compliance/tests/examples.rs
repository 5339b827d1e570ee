//! The example filters with Postfix and sendmail.

use compliance::compare::BOTH_WAYS;
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Filter, Mta, Observation, Pair, Result, Smtp, compare};
use std::fmt::Write;

/// Compares what an example makes of what `play` says.
fn example(
    kind: Kind,
    name: &str,
    exercised: &str,
    args: &[&str],
    lines: &[&str],
    expected: &[(&str, &str)],
    play: impl Fn(&mut Smtp) -> Result<()> + Sync,
) {
    let pair = Pair {
        milter: name,
        milter_version: "-".into(),
        mta: kind.name(),
        mta_version: kind.version().unwrap(),
        exercised,
        libraries: BOTH_WAYS,
        differences: &[],
    };
    compare(&pair, |linkage| {
        let mut seen = Observation::new();
        let source = format!("examples-c/{name}.c");
        let filter = Filter::compiled(linkage, &source, Socket::Inet, args)?;
        let setup = Mta::of(kind).milter(filter.spec());
        let mta = lines.iter().fold(setup, |setup, &line| setup.line(line)).start()?;
        let mut smtp = mta.smtp()?;
        play(&mut smtp)?;
        seen.section("SMTP", smtp.quit()?);
        mta.observe(&mut seen)?;
        drop(mta);
        seen.section("log", filter.log_lines()?);
        filter.stop(&mut seen, name)?;
        for (section, text) in expected {
            seen.expect(section, text);
        }
        Ok(seen)
    });
}

/// Every kind of change in one message, with a body of several packets.
fn rewrite(kind: Kind) {
    let body = (0..4000).fold(String::new(), |mut body, n| {
        write!(body, "line {n:05} of a body that goes over several packets\r\n").unwrap();
        body
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), body).unwrap();
    let args = ["old@a.example", "new@b.example", file.path().to_str().unwrap()];
    let expected = [
        ("delivered", "X-Old-Address: old@a.example"),
        ("delivered", "-- from new@b.example to new@b.example"),
        ("delivered", "From: new@b.example"),
        ("delivered", "line 00001 of a body"),
        ("delivered", "-- from other@a.example to b@b.example"),
    ];
    let exercised = "sender, recipients, header and a long body changed; two messages";
    example(kind, "rewrite", exercised, &args, &[], &expected, |smtp| {
        let message = "From: Old <old@a.example>\r\nX-Mailer: one\r\nSubject: hello\r\nX-Mailer: two\r\n\r\nshort\r\n";
        smtp.send("old@a.example", &["old@a.example", "kept@c.example"], message)?;
        smtp.send("other@a.example", &["b@b.example"], "X-Mailer: one\r\n\r\nshort\r\n")
    });
}

/// Replies of several lines, and quarantine.
fn gatekeeper(kind: Kind) {
    let expected = [
        ("SMTP", "550 5.7.1 100% of your mail is spam."),
        ("SMTP", "451 4.7.1 Try again later."),
        ("SMTP", "550 5.1.6 Try info@ instead."),
        ("SMTP", "452 4.2.2 It may not stay so."),
        ("held", "held"),
        ("delivered", "to info@b.example"),
    ];
    let exercised = "replies of several lines at MAIL and RCPT, quarantine";
    example(kind, "gatekeeper", exercised, &[], &[], &expected, |smtp| {
        let message = "Subject: hello\r\n\r\nbody\r\n";
        smtp.script(&["MAIL FROM:<seller@SPAM.example>", "MAIL FROM:<a@slow.example>"])?;
        smtp.script(&["MAIL FROM:<a@a.example>", "RCPT TO:<gone@b.example>"])?;
        smtp.script(&["RCPT TO:<busy@b.example>", "RSET"])?;
        smtp.send("a@a.example", &["trap@b.example"], message)?;
        smtp.send("a@odd.example", &["odd@b.example"], message)?;
        smtp.send("a@a.example", &["info@b.example"], message)
    });
}

/// The service's name makes all mail outgoing, as Postfix' submission service does it.
fn disclaimer(kind: Kind) {
    let lines: &[&str] = match kind {
        Kind::Postfix => &["milter_macro_daemon_name = submission"],
        Kind::Sendmail => &["define(`confMILTER_MACROS_CONNECT', `j, _, {daemon_name}')dnl"],
    };
    let service = match kind {
        Kind::Postfix => "submission",
        Kind::Sendmail => "MTA",
    };
    let args = ["ACME Ltd", service];
    let exercised = "text added to plain bodies of all sizes, others left alone";
    example(kind, "disclaimer", exercised, &args, lines, &[("delivered", "ACME Ltd")], |smtp| {
        for (n, message) in [
            "Subject: x\r\n\r\nhello\r\n",
            "Content-Type: text/html\r\n\r\n<p>hello\r\n",
            "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8K\r\n",
            "Subject: no body\r\n\r\n",
            &crate::support::long(),
        ]
        .into_iter()
        .enumerate()
        {
            smtp.send("a@a.example", &[&format!("number-{n}@b.example")], message)?;
        }
        Ok(())
    });
}

/// A word that may come in two packets.
fn rhubarb(kind: Kind) {
    let exercised = "a word looked for, also over the border of body packets";
    example(
        kind,
        "rhubarb",
        exercised,
        &["rhubarb"],
        &[],
        &[("delivered", "X-Rhubarb:")],
        |smtp| {
            let send = |smtp: &mut Smtp, n: usize, body: &str| {
                let message = format!("Subject: x\r\n\r\n{body}\r\n");
                smtp.send("a@a.example", &[&format!("number-{n}@b.example")], &message)
            };
            send(smtp, 1, "Rhubarb, rhuBARB")?;
            send(smtp, 2, "none")?;
            // Lines of 72 bytes: the packets' border of 65535 bytes is inside of one of the words.
            for shift in 0..7 {
                let line = format!("{}\r\n", "rhubarb ".repeat(8) + "123456");
                send(smtp, 3 + shift, &("x".repeat(shift) + &line.repeat(1000)))?;
            }
            Ok(())
        },
    );
}

with_both! { rewrite gatekeeper disclaimer rhubarb }
