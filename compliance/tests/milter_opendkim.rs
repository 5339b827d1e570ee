//! opendkim, as it is packaged: signing, verifying, and its life as a daemon.

use compliance::compare::{BOTH_WAYS, compare_rows};
use compliance::filter::Socket;
use compliance::milters::{left_out, opendkim, pair};
use compliance::mta::Kind;
use compliance::{Mta, Observation, Result, compare};
use rustix::process::Signal;

/// Sends a message through an MTA; returns it as delivered, with CRLF line ends.
fn through(mta: &Mta, seen: &mut Observation, title: &str, message: &str) -> Result<String> {
    let mut smtp = mta.smtp()?;
    smtp.send("author@a.example", &["reader@b.example"], message)?;
    seen.section(title, smtp.quit()?);
    mta.settle()?;
    let mut deliveries = mta.deliveries()?;
    let last = deliveries.pop().map(|delivery| delivery.message).unwrap_or_default();
    Ok(last.replace('\n', "\r\n"))
}

/// What one signs the other verifies; a changed body or header does not pass.
fn signs_and_verifies(kind: Kind) {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let keys = opendkim::Keys::new(&["test"]).unwrap();
    let row = |exercised| pair(opendkim::PACKAGES, "opendkim", kind, exercised, BOTH_WAYS);
    let rows = [
        row("mail of several body packets signed"),
        row("signatures verified: good, changed body, changed header, none"),
    ];
    compare_rows(&rows, |linkage| {
        let mut seen = Observation::new();
        opendkim::hide_volatile(&mut seen);
        let signer = opendkim::start(linkage, Socket::Inet, &keys.signing("test"))?;
        let outgoing = Mta::of(kind).milter(signer.spec()).start()?;
        let body = "The quick brown fox jumps over the lazy dog.\r\n".repeat(4000);
        let message = format!("From: author@a.example\r\nSubject: signed\r\n\r\n{body}");
        let signed = through(&outgoing, &mut seen, "SMTP to the signer", &message)?;
        outgoing.observe(&mut seen)?;
        drop(outgoing);
        seen.section("log of the signer", signer.log_lines()?);
        signer.stop(&mut seen, "signer")?;
        seen.expect("delivered", "DKIM-Signature: ");

        // sendmail does not take a unix socket below /tmp.
        let socket = if kind == Kind::Postfix { Socket::Unix } else { Socket::Inet };
        let verifier = opendkim::start(linkage, socket, &keys.verifying())?;
        let (start, end) = signed.rsplit_once("dog").expect("the text of the body");
        for (what, message, result) in [
            ("good", signed.clone(), "dkim=pass"),
            ("changed body", format!("{start}cat{end}"), "dkim=fail"),
            ("changed header", signed.replacen("Subject: signed", "Subject: x", 1), "dkim=fail"),
            ("no signature", message.clone(), "dkim=none"),
        ] {
            let incoming = Mta::of(kind).milter(verifier.spec()).start()?;
            let title = format!("SMTP to the verifier: {what}");
            let delivered = through(&incoming, &mut seen, &title, &message)?;
            let header = delivered.split("\r\n\r\n").next().unwrap_or_default();
            seen.section(what, header.lines());
            let log = format!("log of the MTA: {what}");
            let mut lines = incoming.milter_log();
            // Names its directory.
            lines.retain(|line| !line.contains("started as:"));
            seen.section(log, lines);
            seen.expect(what, result);
        }
        seen.section("log of the verifier", verifier.log_lines()?);
        verifier.stop(&mut seen, "verifier")?;
        Ok(seen)
    });
}

#[test]
fn signs_and_verifies_with_postfix() {
    signs_and_verifies(Kind::Postfix);
}

#[test]
fn signs_and_verifies_with_sendmail() {
    signs_and_verifies(Kind::Sendmail);
}

/// It opens its socket, forks, gives up root; SIGUSR1 has it read its settings again.
#[test]
fn runs_as_a_daemon() {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let keys = opendkim::Keys::new(&["first", "second"]).unwrap();
    let exercised = "daemon: fork, change of user, pid file; settings read again after SIGUSR1 \
                     during a session; SIGTERM";
    let row = pair(opendkim::PACKAGES, "opendkim", Kind::Postfix, exercised, BOTH_WAYS);
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        opendkim::hide_volatile(&mut seen);
        let mut daemon = opendkim::daemon(linkage, &keys.signing("first"))?;
        let mta = Mta::postfix().milter(daemon.spec()).start()?;
        let message = |n: usize| format!("From: author@a.example\r\nSubject: {n}\r\n\r\nx\r\n");
        let mut before = mta.smtp()?;
        before.send("1@a.example", &["1@b.example"], &message(1))?;
        let config = daemon.dir().join("opendkim.conf");
        let settings = std::fs::read_to_string(&config).expect("its settings");
        let old = keys.signing("first");
        std::fs::write(&config, settings.replace(&old, &keys.signing("second")))
            .expect("write its settings");
        daemon.signal(Signal::USR1)?;
        // It looks for the wish when a session begins.
        mta.wait_until("the settings are read again", |mta| {
            let greeted = mta.smtp().and_then(compliance::Smtp::quit);
            greeted.is_ok() && daemon.has_logged("configuration reloaded")
        })?;
        before.send("2@a.example", &["2@b.example"], &message(2))?;
        let mut after = mta.smtp()?;
        after.send("3@a.example", &["3@b.example"], &message(3))?;
        seen.section("SMTP before", before.quit()?);
        seen.section("SMTP after", after.quit()?);
        mta.observe(&mut seen)?;
        seen.expect("delivered", "s=first;");
        seen.expect("delivered", "s=second;");
        daemon.describe(&mut seen, "opendkim")?;
        seen.expect("process of opendkim", "Uid: 65534 65534 65534 65534");
        drop(mta);
        seen.section("log", daemon.log());
        daemon.stop(&mut seen, "opendkim")?;
        Ok(seen)
    });
}
