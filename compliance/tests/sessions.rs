//! Whole SMTP sessions: what a filter hears of them, and what becomes of the mail.

mod support;

use compliance::compare::BOTH_WAYS;
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Mta, Observation, Probe, compare};
use support::{SHORT, long, probe_with};

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
