//! Every verdict at every stage: the replies to the SMTP client, the mail, the MTA's log.

use crate::support::{self, Run, probe_with};
use compliance::filter::Socket;
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Observation, Probe, Result, Smtp, compare};

/// Names of verdicts with the probe's verbs for them.
const VERDICTS: &[(&str, &[&str])] = &[
    ("accept", &["accept"]),
    ("reject", &["reject"]),
    ("tempfail", &["tempfail"]),
    ("discard", &["discard"]),
    ("reply5", &["reply~550~5.7.1~Not for 100%% of us", "reject"]),
    ("reply4", &["reply~451~4.7.1~Later", "tempfail"]),
    ("lines", &["mlreply~554~5.7.9~first line~second line", "reject"]),
    ("closes", &["reply~421~4.7.0~Go away", "tempfail"]),
    // The code does not fit the verdict and is not used.
    ("misfit", &["reply~550~5.7.1~Never said", "tempfail"]),
];

const STAGES: &[&str] = &["helo", "envfrom", "envrcpt", "data", "header", "eoh", "body", "eom"];

/// Rules by which a name such as `helo-reject` in the right place gets this verdict.
fn rules() -> Vec<String> {
    let mut rules = Vec::new();
    for stage in STAGES {
        for (verdict, verbs) in VERDICTS {
            rules.extend(verbs.iter().map(|verb| format!("{stage}:{stage}-{verdict}={verb}")));
        }
    }
    rules
}

/// A message with the name in all places, then one that no rule fits.
fn session(mta: &Mta, name: &str) -> Result<Vec<String>> {
    let mut smtp = mta.connect()?;
    smtp.say(&format!("EHLO {name}.example"))?;
    let recipients = [format!("{name}@b.example"), format!("2-{name}@b.example")];
    let recipients = recipients.each_ref().map(String::as_str);
    let message = format!("Subject: {name}\r\nX-After: x\r\n\r\n{name}\r\n");
    smtp.send(&format!("{name}@a.example"), &recipients, &message)?;
    smtp.say("RSET")?;
    let other = format!("after-{}@b.example", name.replace('-', "."));
    smtp.send("other@a.example", &[&other], "Subject: x\r\n\r\nx\r\n")?;
    let transcript = smtp.quit()?;
    mta.wait_for_sessions()?;
    Ok(transcript)
}

fn in_a_message(kind: Kind) {
    let rules = rules();
    let run =
        Run::new(kind, "each verdict and kind of reply at HELO, MAIL ... end of message", &rules);
    run.compare(&[("SMTP", "451 4.7.1 Later"), ("SMTP", "second line")], |mta| {
        let mut transcript = Vec::new();
        for stage in STAGES {
            for (verdict, _) in VERDICTS {
                transcript.push(format!("-- {verdict} at {stage}"));
                transcript.extend(session(mta, &format!("{stage}-{verdict}"))?);
            }
        }
        Ok(transcript)
    });
}

/// All clients are the same, so each verdict needs a probe of its own.
fn at_connect(kind: Kind) {
    compare(
        &probe_with(kind, "each verdict and kind of reply at connect", support::BOTH_WAYS),
        |linkage| {
            let mut seen = Observation::new();
            let mut probe = Probe::start(linkage, Socket::Unix, &["connect=continue"])?;
            let mta = Mta::of(kind).milter(probe.spec()).start()?;
            for (verdict, verbs) in VERDICTS {
                let rules: Vec<String> =
                    verbs.iter().map(|verb| format!("connect={verb}")).collect();
                probe.restart(&rules)?;
                seen.section(format!("SMTP {verdict}"), session(&mta, verdict)?);
                mta.settle()?;
                probe.wait_for_close()?;
            }
            mta.observe(&mut seen)?;
            drop(mta);
            probe.stop(&mut seen, "probe")?;
            seen.expect("SMTP reject", "554");
            seen.expect("SMTP tempfail", "451");
            Ok(seen)
        },
    );
}

/// Unknown commands can be refused too.
fn unknown(kind: Kind) {
    let rules = support::settings(&[
        "unknown:FOO=reject",
        "unknown:BAR=tempfail",
        "unknown:BAZ=reply~550~5.7.1~No BAZ here",
        "unknown:BAZ=reject",
        "unknown:BAX=reply~450~4.7.1~No BAX now",
        "unknown:BAX=tempfail",
    ]);
    let run = Run::new(kind, "unknown commands refused, before and inside of a message", &rules);
    // What filters say of refusals for good, Postfix 3.7 hands on and 3.10 does not.
    let expected = [("SMTP", "No BAX now"), ("callbacks of probe", "unknown BAZ")];
    run.compare(&expected, |mta| {
        let mut smtp = mta.smtp()?;
        let unknown = ["FOO x", "BAR x", "BAZ x", "BAX x", "QUX x"];
        smtp.script(&unknown)?;
        smtp.say("MAIL FROM:<a@a.example>")?;
        smtp.script(&unknown)?;
        smtp.script(&["RCPT TO:<b@b.example>", "DATA"])?;
        smtp.data("Subject: x\r\n\r\nx\r\n")?;
        smtp.quit()
    });
}

/// A filter that has seen enough of a body says so.
fn skip(kind: Kind) {
    let rules = support::settings(&["steps=400", "body:enough=skip"]);
    let run = Run::new(kind, "rest of the body skipped", &rules);
    run.compare(&[("callbacks of probe", "eom")], |mta| {
        let mut smtp = mta.smtp()?;
        let enough = format!("Subject: x\r\n\r\nenough\r\n{}", "more\r\n".repeat(50_000));
        smtp.send("a@a.example", &["skip@b.example"], &enough)?;
        smtp.send("a@a.example", &["all@b.example"], &enough.replace("enough", "start"))?;
        smtp.quit()
    });
}

with_both! { in_a_message at_connect unknown skip silence_was_agreed }

/// The replies to a client's commands, without those to EHLO, in a session with both libraries.
///
/// The reference never answers where D7 says that ours does, and there the MTA's limit does not
/// matter but for the time that the test takes.
fn replies(
    kind: Kind,
    linkage: Linkage,
    rules: &[&str],
    lines: &[&str],
    play: impl Fn(&mut Smtp) -> Result<()>,
) -> Result<String> {
    let probe = Probe::start(linkage, Socket::Unix, &support::settings(rules))?;
    let setup = Mta::of(kind).milter(probe.spec());
    let mta = lines.iter().fold(setup, |setup, line| setup.line(*line)).start()?;
    let mut smtp = mta.smtp()?;
    play(&mut smtp)?;
    smtp.send("other@a.example", &["other@b.example"], "Subject: x\r\n\r\nx\r\n")?;
    let transcript = smtp.quit()?;
    let first = transcript.iter().position(|line| line.starts_with("C: MAIL")).unwrap_or(0);
    let codes = transcript.iter().skip(first).filter_map(|line| line.strip_prefix("S: "));
    Ok(codes.map(|reply| &reply[..3]).collect::<Vec<_>>().join(" "))
}

/// Postfix goes on with a message whose DATA was refused: its client may name another recipient, or
/// say DATA again. Both get the verdict (D7), and what follows is not out of step.
#[test]
fn postfix_goes_on_after_data_was_refused() {
    let rules = ["data:first=reply~550~5.7.1~No data", "data:first=reject"];
    let play = |linkage, line: &str| {
        replies(Kind::Postfix, linkage, &rules, &[line], |smtp| {
            smtp.script(&["MAIL FROM:<first@a.example>", "RCPT TO:<first@b.example>", "DATA"])?;
            smtp.script(&["RCPT TO:<second@b.example>", "DATA", "RSET"]).map(drop)
        })
    };
    let ours = play(Linkage::OursDynamic, "milter_command_timeout = 60s").unwrap();
    assert_eq!(ours, "250 250 550 550 550 250 250 250 354 250 221");
    let theirs = play(Linkage::ReferenceDynamic, "milter_command_timeout = 1s").unwrap();
    assert_eq!(theirs, "250 250 550 451 451 250 451 503 503 221");
}

/// An MTA that has agreed to silence for headers sends the rest before it can know of a verdict; it
/// hears of it with its next reply (D7), and is in step for the message after.
fn silence_was_agreed(kind: Kind) {
    let rules = ["steps=c0080", "header:first=reply~550~5.7.1~No header", "header:first=reject"];
    let play = |linkage, lines: &[&str]| {
        replies(kind, linkage, &rules, lines, |smtp| {
            let text = "Subject: first\r\nX-After: x\r\n\r\ntext\r\n";
            smtp.send("first@a.example", &["first@b.example"], text).map(drop)
        })
    };
    let ours = play(Linkage::OursDynamic, &[]).unwrap();
    assert_eq!(ours, "250 250 354 550 250 250 354 250 221");
    if kind == Kind::Postfix {
        let theirs = play(Linkage::ReferenceDynamic, &["milter_content_timeout = 1s"]).unwrap();
        assert_eq!(theirs, "250 250 354 451 451 503 503 221");
    }
}
