//! Everything a filter can ask for at the end of a message, and two filters in turn.

use crate::support::{Run, SHORT, long, probe_with, settings};
use compliance::compare::BOTH_WAYS;
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Mta, Observation, Probe, compare};

/// By sender; the probe's rules for each.
fn all_changes(kind: Kind) {
    let rules = settings(&[
        "eom:header@=add~X-Added~plain",
        "eom:header@=add~X-Folded~one\\n\\ttwo\\n three",
        "eom:header@=add~X-Empty~",
        "eom:header@=add~X-Added~ with a blank before it",
        "eom:header@=insert~0~X-First~at the top",
        "eom:header@=insert~1~X-Second~below it",
        "eom:header@=insert~3~X-Fourth~in between",
        "eom:header@=insert~99~X-Last~behind all",
        "eom:header@=change~1~Subject~changed",
        "eom:header@=change~2~X-Twice~second changed",
        "eom:header@=change~1~X-Gone~",
        "eom:header@=change~5~X-Twice~there is no fifth",
        "eom:header@=change~1~X-New~was not there",
        "eom:header@=change~1~X-Null",
        "eom:envelope@=from~new@a.example",
        "eom:envelope@=addrcpt~added@b.example",
        "eom:envelope@=addrcpt~<brackets@b.example>",
        "eom:envelope@=addrcpt~silent@b.example~NOTIFY=NEVER",
        "eom:envelope@=delrcpt~<gone@b.example>",
        "eom:envelope@=delrcpt~never@b.example",
        "eom:arguments@=from~<args@a.example>~RET=HDRS ENVID=x",
        "eom:body@=body~new body\\r\\n",
        "eom:long@=body~0123456789abcdef\\r\\n~12000",
        "eom:pieces@=body~first \\r",
        "eom:pieces@=body~\\nsecond\\r\\n",
        "eom:pieces@=body~third\\r\\n",
        "eom:empty@=body~",
        "eom:held@=quarantine~for a look",
        "eom:held@=add~X-Held~yes",
        "eom:progress@=progress",
        "eom:progress@=progress",
        "eom:progress@=add~X-Progress~made",
        "eom:refused@=add~X-Never~seen",
        "eom:refused@=mlreply~554~5.7.1~100%% refused~in lines",
        "eom:refused@=reject",
        "eom:dropped@=quarantine~dropped all the same",
        "eom:dropped@=discard",
        "eom:accept@=add~X-Accept~yes",
        "eom:accept@=accept",
        // Not the time for changes.
        "envfrom:early@=add~X-Early~x",
        "eoh:early@=quarantine~early",
    ]);
    let run =
        Run::new(kind, "every change at the end of a message, one by one and together", &rules);
    let expected = [
        ("delivered", "X-Added: plain"),
        ("delivered", "from new@a.example to added@b.example"),
        ("delivered", "new body"),
        ("held", "held"),
        ("SMTP", "554-5.7.1 100% refused"),
    ];
    run.compare(&expected, |mta| {
        let message =
            "Subject: x\r\nX-Twice: one\r\nX-Gone: x\r\nX-Twice: two\r\nX-Null: x\r\n\r\nshort\r\n";
        let mut smtp = mta.smtp()?;
        for sender in [
            "header",
            "arguments",
            "body",
            "long",
            "pieces",
            "empty",
            "held",
            "progress",
            "refused",
            "dropped",
            "accept",
            "early",
            "untouched",
        ] {
            let recipient = format!("{sender}@b.example");
            smtp.send(&format!("{sender}@a.example"), &[&recipient], message)?;
        }
        let recipients = ["kept@b.example", "gone@b.example"];
        smtp.send("envelope@a.example", &recipients, message)?;
        smtp.send("long@a.example", &["from-long@b.example"], &long())?;
        smtp.quit()
    });
}

/// Two filters in turn: the second sees what the first has changed, and nothing of what it refused.
fn two_in_a_row(kind: Kind) {
    let exercised =
        "two milters in a row: changes of the first seen by the second, verdicts of either";
    compare(&probe_with(kind, exercised, BOTH_WAYS), |linkage| {
        let mut seen = Observation::new();
        let first = [
            "eom:changed=add~X-One~1",
            "eom:changed=change~1~Subject~by the first",
            "eom:changed=body~by the first\\r\\n",
            "envrcpt:one=reject",
            "eom:first=reject",
            "body:first-body=reject",
            "envfrom:off=accept",
        ];
        let second = [
            "eom:changed=add~X-Two~2",
            "eom:changed=insert~0~X-Top~2",
            "envrcpt:two=tempfail",
            "eom:second=reply~550~5.7.1~says the second",
            "eom:second=reject",
            "eom:held=quarantine~by the second",
        ];
        let first = Probe::start(linkage, Socket::Unix, &first)?;
        let second = Probe::start(linkage, Socket::Inet, &second)?;
        let mta = Mta::of(kind).milter(first.spec()).milter(second.spec()).start()?;
        let mut smtp = mta.smtp()?;
        for sender in ["changed", "first", "first-body", "second", "off", "held", "plain"] {
            let recipients = ["one@b.example", "two@b.example", &format!("{sender}@b.example")];
            let message = SHORT.replace("short", sender);
            smtp.send(&format!("{sender}@a.example"), &recipients, &message)?;
        }
        smtp.script(&["MAIL FROM:<rset@a.example>", "RCPT TO:<b@b.example>", "RSET"])?;
        seen.section("SMTP", smtp.quit()?);
        mta.observe(&mut seen)?;
        drop(mta);
        first.stop(&mut seen, "first")?;
        second.stop(&mut seen, "second")?;
        seen.expect("callbacks of second", "by the first");
        seen.expect("delivered", "X-Two: 2");
        seen.expect("SMTP", "says the second");
        Ok(seen)
    });
}

with_both! { all_changes two_in_a_row }
