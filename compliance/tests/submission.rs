//! Mail that comes in other ways than by plain SMTP with DATA.

use crate::support::{Run, SHORT, long, settings};
use compliance::Smtp;
use compliance::mta::Kind;

/// Postfix' cleanup talks to the filter itself.
#[test]
fn postfix_sendmail_command() {
    let rules = settings(&[
        "eom:changed=add~X-Seen~yes",
        "eom:changed=change~1~Subject~changed",
        "eom:changed=addrcpt~added@b.example",
        "eom:changed=from~new@a.example",
        "eom:changed=body~new body\\r\\n",
        "eom:dropped=discard",
        "eom:refused=reply~550~5.7.1~not from here",
        "eom:refused=reject",
        "header:refused-there=reject",
        "eom:held=quarantine~for a look",
    ]);
    let run = Run::new(
        Kind::Postfix,
        "sendmail -t through cleanup (non_smtpd_milters): changes, verdicts",
        &rules,
    );
    run.compare(&[("delivered", "X-Seen: yes"), ("delivered", "to hidden@b.example")], |mta| {
        for sender in ["changed", "dropped", "held", "plain", "refused"] {
            let message = format!(
                "To: {sender}@b.example\nCc: copy-{sender}@b.example\nBcc: hidden@b.example\nSubject: x\n\nbody\n"
            );
            mta.submit(&["-t", "-f", &format!("{sender}@a.example")], &message)?;
            mta.settle()?;
        }
        mta.submit(&["-f", "", "arguments@b.example"], "Subject: null sender\n\nx\n")?;
        mta.settle()?;
        mta.submit(&["-f", "there@a.example", "b@b.example"], "Subject: refused-there\n\nx\n")?;
        Ok(Vec::new())
    });
}

/// The message in pieces with BDAT; DATA is asked of the filter at the first.
#[test]
fn postfix_bdat() {
    let rules = settings(&[
        "eom:first=add~X-Seen~yes",
        "data:at-data=reject",
        "eom:at-end=reply~550~5.7.1~no",
        "eom:at-end=reject",
        "body:at-body=tempfail",
    ]);
    let run =
        Run::new(Kind::Postfix, "BDAT in one and several pieces, refused, aborted, lost", &rules);
    run.compare(&[("delivered", "X-Seen: yes"), ("callbacks of probe", "abort")], |mta| {
        let mut smtp = mta.smtp()?;
        let envelope = |smtp: &mut Smtp, sender: &str| {
            let sender = format!("MAIL FROM:<{sender}@a.example>");
            smtp.script(&[&sender, "RCPT TO:<one@b.example>"])
        };
        envelope(&mut smtp, "first")?;
        smtp.bdat(SHORT, true)?;
        envelope(&mut smtp, "first-pieces")?;
        // Cut in the header, in a line's end, and with nothing in the last piece.
        for piece in [&SHORT[..30], &SHORT[30..SHORT.len() - 1], &SHORT[SHORT.len() - 1..]] {
            smtp.bdat(piece, false)?;
        }
        smtp.bdat("", true)?;
        envelope(&mut smtp, "first-long")?;
        smtp.bdat(&long(), true)?;
        envelope(&mut smtp, "at-data")?;
        smtp.bdat("Subject: x\r\n", false)?;
        smtp.bdat("\r\nx\r\n", true)?;
        smtp.say("RSET")?;
        envelope(&mut smtp, "at-end")?;
        smtp.bdat(SHORT, true)?;
        envelope(&mut smtp, "in-the-body")?;
        smtp.bdat("Subject: x\r\n\r\nat-body\r\n", false)?;
        smtp.bdat("more\r\n", true)?;
        envelope(&mut smtp, "aborted")?;
        smtp.bdat("Subject: x\r\n\r\n", false)?;
        smtp.say("RSET")?;
        envelope(&mut smtp, "lost")?;
        smtp.bdat("Subject: x\r\n\r\n", false)?;
        smtp.send_raw(b"BDAT 100\r\nnot all of it");
        Ok(smtp.lose())
    });
}

/// XCLIENT makes a new milter connection with another client in the same SMTP session.
#[test]
fn postfix_xclient() {
    let rules =
        settings(&["connect:blocked=reject", "connect:limited=tempfail", "eom=add~X-Seen~yes"]);
    let mut run = Run::new(Kind::Postfix, "XCLIENT: another client, refused clients, IPv6", &rules);
    run.lines = &["inet_protocols = all"];
    run.compare(
        &[("callbacks of probe", "192.0.2.7"), ("callbacks of probe", "2001:db8::7")],
        |mta| {
            let mut transcript = Vec::new();
            for (n, client) in [
                "NAME=good.example ADDR=192.0.2.7 PORT=4444",
                "NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7",
                "NAME=blocked.example ADDR=192.0.2.8",
                "NAME=limited.example ADDR=192.0.2.9",
                "NAME=[TEMPUNAVAIL] ADDR=[UNAVAILABLE]",
            ]
            .into_iter()
            .enumerate()
            {
                let mut smtp = mta.smtp()?;
                smtp.script(&["MAIL FROM:<before@a.example>", "RSET"])?;
                smtp.say(&format!("XCLIENT {client}"))?;
                smtp.say("EHLO other.example")?;
                smtp.send("a@a.example", &[&format!("client-{n}@b.example")], SHORT)?;
                transcript.extend(smtp.quit()?);
                mta.settle()?;
            }
            Ok(transcript)
        },
    );
}

/// `sendmail -bs` speaks SMTP on its standard input, for a client without an address.
#[test]
fn sendmail_bs() {
    let rules = settings(&["eom:first=add~X-Seen~yes", "envrcpt:refused=reject"]);
    let run = Run::new(Kind::Sendmail, "sendmail -bs: a client without an address", &rules);
    run.compare(&[("delivered", "X-Seen: yes"), ("callbacks of probe", "no address")], |mta| {
        let mut smtp = Smtp::of_command(&mta.dir().join("sendmail"), &["-bs"])?;
        smtp.say("EHLO client.example")?;
        smtp.send("first@a.example", &["one@b.example", "refused@b.example"], SHORT)?;
        smtp.script(&["MAIL FROM:<rset@a.example>", "RSET"])?;
        smtp.send("", &["two@b.example"], &long())?;
        smtp.quit()
    });
}
