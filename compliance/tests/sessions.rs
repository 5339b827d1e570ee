//! Whole SMTP sessions: what a filter hears of them, and what becomes of the mail.

use crate::support::{SHORT, long, probe_with};
use compliance::compare::BOTH_WAYS;
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Mta, Observation, Probe, compare};

const NOTHING: &[&str] = &[];

/// Several messages, RSET in each stage, a second EHLO, unknown and refused commands.
fn whole_session(kind: Kind, socket: Socket) {
    let exercised = match socket {
        Socket::Inet => {
            "several messages, RSET, EHLO twice, unknown commands, refused recipients; TCP socket"
        }
        Socket::Unix => {
            "several messages, RSET, EHLO twice, unknown commands, refused recipients; unix socket"
        }
    };
    compare(&probe_with(kind, exercised, BOTH_WAYS), |linkage| {
        let mut seen = Observation::new();
        let probe = Probe::start(linkage, socket, NOTHING)?;
        let mta = Mta::of(kind).milter(probe.spec()).start()?;
        let mut smtp = mta.smtp()?;
        smtp.send("first@a.example", &["one@b.example", "reject@b.example"], SHORT)?;
        smtp.script(&["MAIL FROM:<rset@a.example> SIZE=200", "RSET"])?;
        smtp.script(&["MAIL FROM:<rset@a.example>", "RCPT TO:<b@b.example> NOTIFY=NEVER", "RSET"])?;
        smtp.script(&["FOO bar", "NOOP", "VRFY x", "RSET"])?;
        smtp.send("", &["two@b.example", "unknown@b.example", "three@b.example"], &long())?;
        smtp.script(&["MAIL FROM:<helo@a.example>", "EHLO again.example"])?;
        smtp.script(&["MAIL FROM:<bar@a.example>", "FOO in a message", "RCPT TO:<x@b.example>"])?;
        smtp.script(&["DATA"])?;
        smtp.data("Subject: no body\r\n")?;
        smtp.script(&["MAIL FROM:<quit@a.example>", "RCPT TO:<b@b.example>"])?;
        seen.section("SMTP", smtp.quit()?);
        mta.observe(&mut seen)?;
        drop(mta);
        probe.stop(&mut seen, "probe")?;
        seen.expect("callbacks of probe", "envfrom <first@a.example>");
        seen.expect("callbacks of probe", "abort");
        Ok(seen)
    });
}

#[test]
fn postfix_over_tcp() {
    whole_session(Kind::Postfix, Socket::Inet);
}

#[test]
fn postfix_over_a_unix_socket() {
    whole_session(Kind::Postfix, Socket::Unix);
}

#[test]
fn sendmail_over_tcp() {
    whole_session(Kind::Sendmail, Socket::Inet);
}

#[test]
fn sendmail_over_a_unix_socket() {
    whole_session(Kind::Sendmail, Socket::Unix);
}

/// Many clients at the same time, each with messages that nobody else has.
fn at_once(kind: Kind) {
    const CLIENTS: usize = 12;
    compare(
        &probe_with(kind, "12 SMTP sessions at once, changes and refusals", BOTH_WAYS),
        |linkage| {
            let mut seen = Observation::new();
            let rules = ["eom=add~X-Seen~yes", "envrcpt:refused=reject", "eom:dropped=discard"];
            let probe = Probe::start(linkage, Socket::Inet, &rules)?;
            let mta = Mta::of(kind).milter(probe.spec()).start()?;
            let client = |n: usize| {
                let mut smtp = mta.smtp()?;
                for round in 0..3 {
                    let recipients =
                        [format!("{n}-{round}@b.example"), format!("refused-{n}@b.example")];
                    let recipients = recipients.each_ref().map(String::as_str);
                    let message = long().replace("Subject: long", &format!("Subject: {n} {round}"));
                    smtp.send(&format!("{n}@a.example"), &recipients, &message)?;
                }
                smtp.send(&format!("dropped-{n}@a.example"), &["gone@b.example"], SHORT)?;
                smtp.quit()
            };
            std::thread::scope(|scope| {
                let clients: Vec<_> =
                    (0..CLIENTS).map(|n| scope.spawn(move || client(n))).collect();
                for (n, client) in clients.into_iter().enumerate() {
                    let transcript =
                        client.join().unwrap_or_else(|e| std::panic::resume_unwind(e))?;
                    seen.section(format!("SMTP {n}"), transcript);
                }
                Ok(())
            })?;
            mta.observe_deliveries(&mut seen)?;
            drop(mta);
            // Who came first is left to chance: only how often each callback was called.
            probe.wait_for_close()?;
            let trace = probe.trace();
            let count = |stage: &str| {
                trace.iter().filter(|line| line.split(' ').nth(1) == Some(stage)).count()
            };
            let stages =
                ["connect", "envfrom", "envrcpt", "header", "body", "eom", "abort", "close"];
            seen.section("callbacks", stages.map(|stage| format!("{stage} {}", count(stage))));
            probe.stop_silently(&mut seen, "probe")?;
            seen.expect("delivered", "X-Seen: yes");
            seen.expect("callbacks", &format!("close {CLIENTS}"));
            Ok(seen)
        },
    );
}

with_both! { at_once }
