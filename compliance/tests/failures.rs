//! Filters that die in the middle or are away, and SMTP clients that do.

use crate::support::{Run, SHORT, probe_with, settings};
use compliance::compare::{BOTH_WAYS, PRELOADED};
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Observation, Probe, Result, Smtp, compare};

const STAGES: &[&str] =
    &["negotiate", "connect", "helo", "envfrom", "envrcpt", "data", "header", "eoh", "body", "eom"];

/// A message that meets the filter's end, and one after it in the same session.
fn session(mta: &Mta, stage: &str) -> Result<Vec<String>> {
    let mut smtp = mta.smtp()?;
    smtp.send(
        &format!("{stage}@a.example"),
        &[&format!("1-{stage}@b.example"), "two@b.example"],
        SHORT,
    )?;
    smtp.say("RSET")?;
    smtp.send("other@a.example", &[&format!("after-{stage}@b.example")], SHORT)?;
    let transcript = smtp.quit()?;
    mta.wait_for_sessions()?;
    Ok(transcript)
}

/// The filter dies in the callback of each stage, then is not there at all.
///
/// `flags` are sendmail's, `line` is of Postfix' main.cf. `expected` is in the reply to the end of
/// a message at which the filter dies.
fn dies(
    kind: Kind,
    exercised: &str,
    (flags, line): (&str, Option<&str>),
    libraries: &[Linkage],
    expected: &str,
) {
    compare(&probe_with(kind, exercised, libraries), |linkage| {
        let mut seen = Observation::new();
        let mut probe = Probe::start(linkage, Socket::Unix, &["negotiate=die"])?;
        let mut setup = Mta::of(kind).milter_flags(probe.spec(), flags);
        if let Some(line) = line {
            setup = setup.line(line);
        }
        let mta = setup.start()?;
        for stage in STAGES {
            probe.restart(&[format!("{stage}=die")])?;
            seen.section(format!("SMTP {stage}"), session(&mta, stage)?);
            probe.died(&mut seen, &format!("probe at {stage}"))?;
        }
        seen.section("SMTP away", session(&mta, "away")?);
        mta.observe(&mut seen)?;
        probe.note_trace(&mut seen, "probe");
        seen.expect("end of probe at eom", "exit status: 3");
        seen.expect("SMTP eom", expected);
        Ok(seen)
    });
}

#[test]
fn postfix_accept() {
    let exercised = "filter dies at each stage or is away, milter_default_action = accept";
    dies(
        Kind::Postfix,
        exercised,
        ("", Some("milter_default_action = accept")),
        BOTH_WAYS,
        "queued as",
    );
}

#[test]
fn postfix_reject() {
    let exercised = "filter dies at each stage or is away, milter_default_action = reject";
    dies(
        Kind::Postfix,
        exercised,
        ("", Some("milter_default_action = reject")),
        PRELOADED,
        "S: 550 5.",
    );
}

#[test]
fn postfix_tempfail() {
    let exercised = "filter dies at each stage or is away, milter_default_action = tempfail";
    dies(
        Kind::Postfix,
        exercised,
        ("", Some("milter_default_action = tempfail")),
        PRELOADED,
        "S: 451 4.",
    );
}

#[test]
fn postfix_quarantine() {
    let exercised = "filter dies at each stage or is away, milter_default_action = quarantine";
    dies(
        Kind::Postfix,
        exercised,
        ("", Some("milter_default_action = quarantine")),
        PRELOADED,
        "queued as",
    );
}

#[test]
fn sendmail_goes_on() {
    dies(
        Kind::Sendmail,
        "filter dies at each stage or is away, no F=",
        ("", None),
        BOTH_WAYS,
        "Message accepted",
    );
}

#[test]
fn sendmail_rejects() {
    dies(
        Kind::Sendmail,
        "filter dies at each stage or is away, F=R",
        ("R", None),
        PRELOADED,
        "S: 554 5.",
    );
}

#[test]
fn sendmail_tempfails() {
    dies(
        Kind::Sendmail,
        "filter dies at each stage or is away, F=T",
        ("T", None),
        PRELOADED,
        "S: 451 4.",
    );
}

#[test]
fn sendmail_closes() {
    dies(
        Kind::Sendmail,
        "filter dies at each stage or is away, F=4",
        ("4", None),
        PRELOADED,
        "S: 421 4.",
    );
}

/// The client hangs up after each of these, each time in a session of its own.
fn lost_clients(kind: Kind) {
    let none = settings(&[]);
    let mut run = Run::new(kind, "SMTP client lost at each stage", &none);
    if kind == Kind::Sendmail {
        // Where Postfix ends the message, it just hangs up.
        run.differences = &["D16"];
    }
    run.compare(&[("callbacks of probe", "abort")], |mta| {
        let lines = ["MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "DATA"];
        let mut transcript = Vec::new();
        let mut lose = |smtp: Smtp| {
            transcript.extend(smtp.lose());
            mta.wait_for_sessions()
        };
        lose(mta.connect()?)?;
        for count in 0..=lines.len() {
            let mut smtp = mta.smtp()?;
            smtp.script(&lines[..count])?;
            lose(smtp)?;
        }
        // In the header, in the body.
        for text in ["Subject: lost\r\nX-", "Subject: lost\r\n\r\nbody"] {
            let mut smtp = mta.smtp()?;
            smtp.script(&lines)?;
            smtp.send_raw(text.as_bytes());
            lose(smtp)?;
        }
        // After a whole message.
        let mut smtp = mta.smtp()?;
        smtp.send("a@a.example", &["whole@b.example"], SHORT)?;
        smtp.script(&lines[..2])?;
        lose(smtp)?;
        Ok(transcript)
    });
}

with_both! { lost_clients }
