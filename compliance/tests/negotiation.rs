//! What filter and MTA agree on: protocol versions, stages left out or without reply, macros.

use crate::support::{Run, SHORT, long, settings};
use compliance::mta::Kind;
use compliance::{Mta, Result};

/// Two messages, a refused recipient, an unknown command, RSET.
fn play(mta: &Mta) -> Result<Vec<String>> {
    let mut smtp = mta.smtp()?;
    let recipients = ["one@b.example", "unknown@b.example", "reject@b.example", "two@b.example"];
    smtp.send("first@a.example", &recipients, SHORT)?;
    smtp.script(&["FOO bar", "MAIL FROM:<rset@a.example>", "RCPT TO:<b@b.example>", "RSET"])?;
    smtp.send("", &["three@b.example"], &long())?;
    smtp.quit()
}

fn with_protocol(version: &str, exercised: &str) {
    let rules = settings(&["eom:first=add~X-Seen~yes"]);
    let line = format!("milter_protocol = {version}");
    let mut run = Run::new(Kind::Postfix, exercised, &rules);
    let lines = [line.as_str()];
    run.lines = &lines;
    run.compare(&[("delivered", "X-Seen: yes")], play);
}

#[test]
fn postfix_protocol_2() {
    with_protocol("2", "milter_protocol = 2");
}

#[test]
fn postfix_protocol_3() {
    with_protocol("3", "milter_protocol = 3");
}

#[test]
fn postfix_protocol_4() {
    with_protocol("4", "milter_protocol = 4");
}

#[test]
fn postfix_protocol_6() {
    with_protocol("6", "milter_protocol = 6");
}

/// An option that makes an old protocol do without replies to headers.
#[test]
fn postfix_without_header_replies() {
    let rules = settings(&["steps=80", "header=noreply", "eom:first=add~X-Seen~yes"]);
    let mut run = Run::new(Kind::Postfix, "milter_protocol = 2 no_header_reply", &rules);
    run.lines = &["milter_protocol = 2 no_header_reply"];
    run.compare(&[("delivered", "X-Seen: yes")], play);
}

fn unwanted_stages(kind: Kind) {
    let rules = settings(&["steps=37f", "eom:first=add~X-Seen~yes"]);
    let mut run =
        Run::new(kind, "all stages but the end of the message left out (SMFIP_NO...)", &rules);
    if kind == Kind::Postfix {
        // It says "abort" after each message; the filter does not know that there was one.
        run.differences = &["D10"];
    }
    run.compare(&[("delivered", "X-Seen: yes")], play);
}

fn silent_stages(kind: Kind) {
    let rules = settings(&[
        "steps=ff080",
        "connect=noreply",
        "helo=noreply",
        "envfrom=noreply",
        "envrcpt=noreply",
        "data=noreply",
        "unknown=noreply",
        "header=noreply",
        "eoh=noreply",
        "body=noreply",
        "eom:first=add~X-Seen~yes",
    ]);
    let run = Run::new(kind, "all stages without reply (SMFIP_NR_...)", &rules);
    run.compare(&[("delivered", "X-Seen: yes")], play);
}

fn refused_recipients_and_blanks(kind: Kind) {
    let rules =
        settings(&["steps=100800", "eom:first=insert~0~X-Seen~yes", "eom:first=add~X-Blank~ yes"]);
    let run = Run::new(kind, "refused recipients reported, leading blanks kept", &rules);
    run.compare(&[("delivered", "X-Seen:yes"), ("callbacks of probe", "X-Two:   blanks")], play);
}

fn chosen_macros(kind: Kind) {
    let rules = settings(&[
        "symbols=0~j {daemon_name} v",
        "symbols=1~{tls_version} j",
        "symbols=2~{mail_addr}",
        "symbols=3~{rcpt_addr} {rcpt_host}",
        "symbols=4~i",
        "symbols=5~i {msg_id} j",
        "symbols=6~i",
    ]);
    let run = Run::new(kind, "macros chosen by the filter at every stage", &rules);
    run.compare(&[("callbacks of probe", "{rcpt_addr}=one@b.example")], play);
}

/// A filter that asks for few actions gets them, and calls beyond them fail.
fn few_actions(kind: Kind) {
    let rules = settings(&[
        "flags=1",
        "eom:first=add~X-Seen~yes",
        "eom:first=change~1~Subject~not negotiated",
        "eom:first=quarantine~not negotiated",
        "eom:first=addrcpt~not@b.example",
        "eom:first=body~not negotiated",
    ]);
    let run = Run::new(kind, "calls that were not negotiated", &rules);
    run.compare(
        &[
            ("delivered", "X-Seen: yes"),
            ("callbacks of probe", "quarantine not negotiated -> failure"),
        ],
        play,
    );
}

with_both! { unwanted_stages silent_stages refused_recipients_and_blanks chosen_macros few_actions }
