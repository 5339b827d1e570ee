//! Filters with MTAs that no package has any more: sendmail 8.12 to 8.14, Sun Messaging Server, and
//! with clients that do it their own way.

use compliance::compare::{BOTH_WAYS, compare_rows};
use compliance::filter::Socket;
use compliance::played::{Mail, Played};
use compliance::{Filter, Observation, Pair, Probe};

const MAILS: &[Mail<'_>] = &[
    Mail {
        sender: "old@a.example",
        recipients: &["old@a.example", "kept@c.example"],
        text: "From: Old <old@a.example>\nX-Mailer: one\nSubject: hello\n\nrhubarb, rhubarb\n",
    },
    Mail {
        sender: "a@a.example",
        recipients: &["gone@b.example", "trap@b.example"],
        text: "From: a@a.example\nSubject: x\n\nshort\n",
    },
    Mail {
        sender: "seller@spam.example",
        recipients: &["b@b.example"],
        text: "From: a@a.example\nSubject: x\n\nrhubarb\n",
    },
    Mail { sender: "", recipients: &["b@b.example"], text: "Subject: no body\n\n" },
];

/// The filter with each of them in turn.
///
/// TCP only, as the Messaging Server knows nothing else.
fn with_each(milter: &str, source: &str, args: &[&str]) {
    let rows: Vec<Pair<'_>> = Played::ALL
        .iter()
        .map(|played| Pair {
            milter,
            milter_version: "-".into(),
            mta: played.name().0,
            mta_version: played.name().1.into(),
            exercised: "its offer, macros and order of commands; four messages",
            libraries: BOTH_WAYS,
            differences: &[],
        })
        .collect();
    compare_rows(&rows, |linkage| {
        let mut seen = Observation::new();
        let filter = Filter::compiled(linkage, source, Socket::Inet, args)?;
        for played in Played::ALL {
            seen.section(format!("{played:?}"), played.play(filter.spec(), MAILS)?);
        }
        seen.section("log", filter.log_lines()?);
        filter.stop(&mut seen, milter)?;
        Ok(seen)
    });
}

#[test]
fn disclaimer() {
    with_each("disclaimer", "examples-c/disclaimer.c", &["ACME Ltd"]);
}

#[test]
fn rhubarb() {
    with_each("rhubarb", "examples-c/rhubarb.c", &["rhubarb"]);
}

#[test]
fn gatekeeper() {
    with_each("gatekeeper", "examples-c/gatekeeper.c", &[]);
}

#[test]
fn rewrite() {
    with_each("rewrite", "examples-c/rewrite.c", &["old@a.example", "new@b.example"]);
}

/// A filter that asks for as much as the MTA offers, and one that has every callback.
#[test]
fn probe() {
    let rows: Vec<Pair<'_>> = Played::ALL
        .iter()
        .map(|played| Pair {
            milter: "probe",
            milter_version: "-".into(),
            mta: played.name().0,
            mta_version: played.name().1.into(),
            exercised: "every callback, with its macros; every action offered; verdicts",
            libraries: BOTH_WAYS,
            // It hangs up in the middle of a message.
            differences: if played.name().0 == "Stalwart" { &["D16"] } else { &[] },
        })
        .collect();
    compare_rows(&rows, |linkage| {
        let mut seen = Observation::new();
        let rules = [
            "envrcpt:gone=reject",
            "header:spam=reject",
            "envfrom:seller=reply~550~5.7.1~We know you",
            "envfrom:seller=reject",
            "eom:old=add~X-Seen~yes",
            "eom:old=insert~0~X-Top~yes",
            "eom:old=change~1~Subject~changed",
            "eom:old=addrcpt~added@b.example",
            "eom:old=addrcpt~quiet@b.example~NOTIFY=NEVER",
            "eom:old=delrcpt~kept@c.example",
            "eom:old=from~new@a.example",
            "eom:old=body~new body\\r\\n",
            "eom:old=progress",
            "eom:a@=quarantine~for a look",
        ];
        let probe = Probe::start(linkage, Socket::Inet, &rules)?;
        for played in Played::ALL {
            seen.section(format!("{played:?}"), played.play(probe.spec(), MAILS)?);
            probe.wait_for_close()?;
        }
        probe.stop_allowing(&mut seen, "probe", &["D16"])?;
        seen.expect("callbacks of probe", "negotiate 1f ff0ff");
        seen.expect("callbacks of probe", "negotiate ff ff0c2");
        Ok(seen)
    });
}
