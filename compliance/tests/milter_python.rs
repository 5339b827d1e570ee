//! python3-milter: a script that makes every call there is, in several sessions at once.

use compliance::compare::BOTH_WAYS;
use compliance::filter::{Filter, Socket, apply};
use compliance::milters::{file, left_out, pair, trace_of};
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Observation, Packages, Result, Smtp, compare};
use std::path::Path;
use std::process::Command;

const PACKAGES: &[&str] = &["python3-milter"];

/// The script on the distribution's own Python, which the package is compiled for.
fn start(linkage: Linkage, trace: &Path) -> Result<Filter> {
    let packages = Packages::unpack(PACKAGES)?;
    let mut command = Command::new("/usr/bin/python3");
    apply(linkage, &mut command, &packages)?;
    command.env("PYTHONPATH", packages.root.join("usr/lib/python3/dist-packages"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Filter::start(linkage, command, Socket::Inet, |command, _, spec| {
        command.arg(file("every_call.py")).arg(spec).arg(trace);
    })
}

const CHANGED: &str = "From: a@a.example\r\nSubject: old\r\nX-Gone: x\r\n\r\nold\r\n";

/// Everything in one session: all verdicts, all changes, calls that fail.
fn one_of_all(mta: &Mta) -> Result<Vec<String>> {
    let mut smtp = mta.smtp()?;
    smtp.say("HELO all")?;
    smtp.send("change@a.example", &["kept@b.example", "gone@b.example"], CHANGED)?;
    for word in ["refused", "later", "raise"] {
        smtp.say(&format!("MAIL FROM:<{word}@a.example>"))?;
    }
    smtp.script(&["MAIL FROM:<plain@a.example> SIZE=1000", "RCPT TO:<nobody@b.example>"])?;
    smtp.script(&["RCPT TO:<somebody@b.example>", "NONSENSE x", "RSET"])?;
    let long = format!("Subject: long\r\n\r\n{}", "a line of a long body\r\n".repeat(9000));
    for word in ["plain", "wrong", "quarantine", "discard", "accept", "skip"] {
        smtp.send(&format!("{word}@a.example"), &[&format!("{word}@b.example")], &long)?;
    }
    smtp.quit()
}

/// One of several sessions at once; the slow ones block inside of a callback.
fn one_of_many(mta: &Mta, number: usize) -> Result<Vec<String>> {
    // Without the name that all clients begin with: what sessions of one name do is noted in any order.
    let mut smtp: Smtp = mta.connect()?;
    smtp.say(&format!("EHLO many{number}"))?;
    for round in 0..4 {
        let word = if (number + round).is_multiple_of(2) { "slow" } else { "change" };
        smtp.send(
            &format!("{word}@a.example"),
            &[&format!("{number}-{round}@b.example")],
            CHANGED,
        )?;
    }
    smtp.quit()
}

fn every_call(kind: Kind) {
    if left_out(PACKAGES) {
        return;
    }
    let exercised = "every call of the module, all verdicts, failing calls; 8 sessions at once; \
                     stopped from a callback";
    let mut row = pair(PACKAGES, "python3-milter", kind, exercised, BOTH_WAYS);
    row.differences = &["D37", "D38"];
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let trace = dir.path().join("trace");
        let filter = start(linkage, &trace)?;
        let mta = Mta::of(kind).milter(filter.spec()).start()?;
        seen.section("SMTP", one_of_all(&mta)?);
        let many: Vec<Result<Vec<String>>> = std::thread::scope(|scope| {
            let mta = &mta;
            let start = |number| scope.spawn(move || one_of_many(mta, number));
            let threads: Vec<_> = (0..8).map(start).collect();
            threads.into_iter().map(|thread| thread.join().expect("a session")).collect()
        });
        for (number, transcript) in many.into_iter().enumerate() {
            seen.section(format!("SMTP of session {number}"), transcript?);
        }
        mta.settle()?;
        let mut smtp = mta.smtp()?;
        smtp.say("HELO stopping")?;
        smtp.send("stop@a.example", &["stop@b.example"], CHANGED)?;
        // D37 and D38: with the reference the callback waits, and the process is gone before the
        // message is finished.
        smtp.quit()?;
        // Several sessions at once log in any order.
        mta.settle()?;
        for delivery in mta.deliveries()? {
            if delivery.sender == "stop@a.example" {
                continue;
            }
            let title = format!("delivered from {} to {}", delivery.sender, delivery.recipient);
            let mut lines: Vec<&str> = delivery.message.lines().take(30).collect();
            lines.push("...");
            seen.section(title, lines);
        }
        let mut log = mta.milter_log();
        log.retain(|line| line.contains("warning") || line.contains("fatal"));
        // The last one may have lost its filter.
        log.retain(|line| !line.contains("can't read SMFIC_"));
        seen.section("warnings of the MTA", log);
        drop(mta);
        filter.ended(&mut seen, "python")?;
        let mut callbacks = trace_of(&trace)?;
        callbacks.retain(|line| !line.starts_with("stopping ") && !line.starts_with("9 contexts"));
        seen.section("callbacks", callbacks);
        seen.expect("SMTP", "550 5.7.1 that");
        seen.expect("SMTP", "451 4.7.1 Not now");
        Ok(seen)
    });
}

#[test]
fn every_call_with_postfix() {
    every_call(Kind::Postfix);
}

#[test]
fn every_call_with_sendmail() {
    every_call(Kind::Sendmail);
}
