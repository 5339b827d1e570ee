//! Several milters in one MTA, set up as docs/scaling.md has it: in which order they are asked, what one knows
//! of another, and what comes of one that is down.

use crate::support::SHORT;
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::scaling::{block, replaced};
use compliance::{Linkage, Mta, Probe, Result};

const LINKAGE: Linkage = Linkage::OursDynamic;

/// The lines of the page's block for an MTA, with these filters in the place of its two.
fn lines(kind: Kind, first: &str, second: &str) -> Vec<String> {
    let name = if kind == Kind::Postfix { "postfix" } else { "sendmail" };
    let mut text = block(name).unwrap();
    let (port, host) = second.trim_start_matches("inet:").split_once('@').unwrap();
    let of_kind = match kind {
        Kind::Postfix => ("inet:127.0.0.1:8890", format!("inet:{host}:{port}")),
        Kind::Sendmail => ("inet:8890@127.0.0.1", second.to_owned()),
    };
    for (words, other) in [("unix:/run/first.sock", first), (of_kind.0, &of_kind.1)] {
        text = replaced(&text, words, other).unwrap();
    }
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut().filter(|_| line.starts_with(' ')) {
            // A line of main.cf that goes on.
            Some(last) => *last += &format!("\n{line}"),
            None => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Both filters and the MTA; each filter has these settings.
fn start(kind: Kind, first: &[&str], second: &[&str]) -> Result<(Probe, Probe, Mta)> {
    let first = Probe::start(LINKAGE, Socket::Unix, first)?;
    let second = Probe::start(LINKAGE, Socket::Inet, second)?;
    let lines = lines(kind, first.spec(), second.spec());
    let setup = lines.into_iter().fold(Mta::of(kind), |setup, line| setup.line(line));
    Ok((first, second, setup.start()?))
}

/// Sends a message; the last lines of what is said: the reply to it, or to what did not go well.
fn send(mta: &Mta, recipients: &[&str]) -> Result<String> {
    let mut smtp = mta.smtp()?;
    smtp.send("a@a.example", recipients, SHORT)?;
    Ok(smtp.quit()?.join("\n"))
}

/// Lines of a trace with this text, without the number of the session.
fn heard(probe: &Probe, text: &str) -> Vec<String> {
    let lines = probe.trace().into_iter().filter(|line| line.contains(text));
    lines.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

/// The second gets what the first has made of the message, and hears nothing of what it has refused.
fn order(kind: Kind) {
    let first = ["envrcpt:no@=reject", "eom=add~X-Order~first", "eom=change~1~Subject~changed"];
    let second = ["envrcpt:other@=reject", "eom=add~X-Order~second"];
    let (first, second, mta) = start(kind, &first, &second).unwrap();
    let said = send(&mta, &["no@b.example", "other@b.example", "yes@b.example"]).unwrap();
    assert_eq!(said.matches("\nS: 550 5.7.1 ").count(), 2, "{said}");
    mta.settle().unwrap();
    let deliveries = mta.deliveries().unwrap();
    assert_eq!(deliveries.len(), 1, "{deliveries:#?}");
    assert_eq!(deliveries[0].recipient, "yes@b.example");
    let order: Vec<&str> =
        deliveries[0].message.lines().filter(|line| line.starts_with("X-Order: ")).collect();
    // Of two headers of a name that are added, sendmail has the later one on top.
    let expected = match kind {
        Kind::Postfix => ["X-Order: first", "X-Order: second"],
        Kind::Sendmail => ["X-Order: second", "X-Order: first"],
    };
    assert_eq!(order, expected, "{}", deliveries[0].message);
    for probe in [&first, &second] {
        probe.wait_for_close().unwrap();
    }
    assert_eq!(heard(&first, " envrcpt ").len(), 3, "{:#?}", first.trace());
    assert_eq!(heard(&second, " envrcpt ").len(), 2, "{:#?}", second.trace());
    assert_eq!(heard(&first, " header ").iter().filter(|l| l.contains("X-Order")).count(), 0);
    let seen = heard(&second, " header ").join("\n");
    assert!(seen.contains("X-Order") && seen.contains("changed"), "{seen}");
}

/// Mail goes on without the first, whose absence is to be overlooked, and not without the second.
fn absence(kind: Kind) {
    let (first, second, mta) =
        start(kind, &["eom=add~X-Order~first"], &["eom=add~X-Order~second"]).unwrap();
    drop(first);
    let said = send(&mta, &["one@b.example"]).unwrap();
    assert!(!said.contains("\nS: 4") && !said.contains("\nS: 5"), "{said}");
    drop(second);
    let said = send(&mta, &["two@b.example"]).unwrap();
    assert!(said.contains("\nS: 451 4"), "{said}");
    mta.settle().unwrap();
    let deliveries = mta.deliveries().unwrap();
    assert_eq!(deliveries.len(), 1, "{deliveries:#?}");
    let message = &deliveries[0].message;
    assert!(
        message.contains("X-Order: second") && !message.contains("X-Order: first"),
        "{message}"
    );
}

with_both! { order absence }
