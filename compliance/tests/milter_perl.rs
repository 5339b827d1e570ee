//! libsendmail-milter-perl: a disclaimer filter on the binding's pool of Perl interpreters.

use compliance::compare::BOTH_WAYS;
use compliance::filter::{Filter, Socket, apply};
use compliance::milters::{file, left_out, pair, perl_directories, trace_of};
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Observation, Packages, Result, compare};
use std::path::Path;
use std::process::Command;

const PACKAGES: &[&str] = &["libsendmail-milter-perl"];

/// The filter with at most so many interpreters, each for so many callbacks; 0 is no limit.
fn start(linkage: Linkage, trace: &Path, interpreters: &str, requests: &str) -> Result<Filter> {
    let packages = Packages::unpack(PACKAGES)?;
    let mut command = Command::new("/usr/bin/perl");
    apply(linkage, &mut command, &packages)?;
    for dir in perl_directories(&packages)? {
        command.arg("-I").arg(dir);
    }
    Filter::start(linkage, command, Socket::Inet, |command, _, spec| {
        command.arg(file("disclaimer.pl")).arg(spec).arg(trace).args([interpreters, requests]);
    })
}

const MESSAGE: &str =
    "From: a@a.example\r\nSubject: hello\r\nX-Fold: one\r\n\ttwo\r\n\r\nshort\r\n";

fn session(mta: &Mta, number: usize) -> Result<Vec<String>> {
    let mut smtp = mta.smtp()?;
    smtp.say(&format!("HELO session{number}"))?;
    smtp.say("MAIL FROM:<spammer@a.example>")?;
    let long = format!("Subject: long\r\n\r\n{}", "a line of a long body\r\n".repeat(4000));
    for (round, message) in [MESSAGE, &long, MESSAGE].into_iter().enumerate() {
        let kept = format!("{number}-{round}@b.example");
        smtp.send("a@a.example", &[&kept, "gone@b.example"], message)?;
    }
    smtp.script(&["MAIL FROM:<a@a.example>", "RCPT TO:<b@b.example>", "RSET"])?;
    smtp.quit()
}

fn disclaims(kind: Kind, interpreters: &str, requests: &str, exercised: &str) {
    if left_out(PACKAGES) {
        return;
    }
    let mut row = pair(PACKAGES, "libsendmail-milter-perl", kind, exercised, BOTH_WAYS);
    row.differences = &["D10"];
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let trace = dir.path().join("trace");
        let filter = start(linkage, &trace, interpreters, requests)?;
        let mta = Mta::of(kind).milter(filter.spec()).start()?;
        let sessions: Vec<Result<Vec<String>>> = std::thread::scope(|scope| {
            let mta = &mta;
            let start = |number| scope.spawn(move || session(mta, number));
            let threads: Vec<_> = (0..6).map(start).collect();
            threads.into_iter().map(|thread| thread.join().expect("a session")).collect()
        });
        for (number, transcript) in sessions.into_iter().enumerate() {
            seen.section(format!("SMTP of session {number}"), transcript?);
        }
        mta.settle()?;
        for delivery in mta.deliveries()? {
            // No order tells these copies apart.
            if delivery.recipient.starts_with("archive") {
                continue;
            }
            let lines = delivery.message.lines();
            let end = lines.clone().count().saturating_sub(3);
            let shown = lines.enumerate().filter(|(n, _)| *n < 20 || *n >= end);
            seen.section(format!("delivered to {}", delivery.recipient), shown.map(|(_, l)| l));
        }
        let archived = mta.deliveries()?;
        let archived = archived.iter().filter(|d| d.recipient.starts_with("archive")).count();
        seen.section("archived", [archived.to_string()]);
        let mut log = mta.milter_log();
        log.retain(|line| line.contains("warning") || line.contains("fatal"));
        seen.section("warnings of the MTA", log);
        drop(mta);
        filter.stop(&mut seen, "perl")?;
        let mut callbacks = trace_of(&trace)?;
        // D10: the reference calls it also where no message is open.
        callbacks.retain(|line| !line.ends_with(" abort"));
        if requests != "0" {
            // Nothing names the sessions there.
            callbacks.sort();
        }
        seen.section("callbacks", callbacks);
        if requests == "0" {
            seen.expect("delivered to 1-1@b.example", "This mail is confidential.");
        }
        seen.expect("delivered to 1-1@b.example", "X-Disclaimer: message");
        seen.expect("SMTP of session 0", "554 5.7.1 We know you");
        seen.expect("archived", "18");
        Ok(seen)
    });
}

#[test]
fn interpreters_without_a_limit() {
    let exercised = "a disclaimer added in 6 sessions at once, on as many interpreters as needed";
    disclaims(Kind::Postfix, "0", "0", exercised);
}

#[test]
fn few_interpreters_that_are_replaced() {
    let exercised =
        "a disclaimer added in 6 sessions at once, on two interpreters for 10 callbacks each";
    disclaims(Kind::Postfix, "2", "10", exercised);
}

#[test]
fn with_sendmail() {
    disclaims(Kind::Sendmail, "0", "0", "a disclaimer added in 6 sessions at once");
}
