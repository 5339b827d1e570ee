//! milter-try against milters that run already: verdicts, reports, JSON, many sessions.

use std::process::Command;

use crate::runs::{document, run, status, stderr, stdout};
use serde_json::{Value, json};

#[test]
fn the_exit_status_tells_the_verdict() {
    for (script, code) in [
        (&[][..], 0),
        (&["E=a"], 0),
        (&["M=r"], 10),
        (&["B=y554 5.7.1 no\\0"], 10),
        (&["T=t"], 11),
        (&["C=y421 4.7.0 bye\\0"], 11),
        (&["L=d"], 12),
        (&["E=qspam\\0;c"], 13),
        (&["E=qspam\\0;r"], 10),
        (&["R=!close"], 70),
        (&["R=hX\\0v\\0"], 70),
        (&["O=O\\0\\0\\0\\x09\\0\\0\\0\\0\\0\\0\\0\\0"], 70),
    ] {
        let output = run(script, &["--quiet"]);
        assert_eq!(status(&output), code, "{script:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

/// Text without escape sequences of colour.
fn without_colour(text: &str) -> String {
    let mut pieces = text.split('\x1b');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (code, rest) = piece.split_once('m').expect("an escape sequence of colour");
        assert!(code.strip_prefix('[').is_some_and(|code| code.parse::<u8>().is_ok()), "{piece:?}");
        out.push_str(rest);
    }
    out
}

/// A report without what takes another time in each run.
fn without_times(report: &str) -> String {
    let mut out = String::new();
    let mut in_times = false;
    for line in report.split_inclusive('\n') {
        in_times = line.contains("Time") || in_times && line.starts_with(' ');
        if !in_times {
            out.push_str(line);
        }
    }
    out
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    // The fake milter's socket has another name in each run.
    let report = |script, options: &[&str]| {
        let text = stdout(&run(script, options));
        let text = text.split_once("\n").expect("a first line, with the socket").1.to_owned();
        without_times(&text)
    };
    for script in [&["E=hX-Seen\\0yes\\0;bnew\r\n;c"][..], &["M=y550 5.7.1 no\0"], &["T=t"]] {
        let plain = report(script, &["--color", "never"]);
        assert!(!plain.contains('\x1b'), "{plain}");
        assert_eq!(report(script, &[]), plain, "not a terminal");
        let painted = report(script, &["--color=always"]);
        assert_ne!(painted, plain);
        assert_eq!(without_colour(&painted), plain);
    }
    let output = run(&[], &["--color", "red"]);
    assert_eq!(status(&output), 64);
    assert!(stderr(&output).contains("none of auto, always and never"), "{}", stderr(&output));
}

#[test]
fn aborts_that_mean_nothing_are_told_apart() {
    let aside = "abort      (routine: no message is open any more)\n";
    let text = stdout(&run(&[], &[]));
    assert_eq!(text.matches("abort").count(), text.matches(aside).count(), "{text}");
    // The first ends the refused message, the second is for none.
    let text = stdout(&run(&["M=r"], &[]));
    assert!(text.contains(&format!("  abort\n  {aside}")), "{text}");
}

#[test]
fn the_worst_of_several_verdicts_counts() {
    let output = run(&["M=c", "M=r", "M=c"], &["--count", "3", "-q"]);
    assert_eq!(status(&output), 10);
    let output = run(&["M=t", "M=r"], &["--count", "3", "-q"]);
    assert_eq!(status(&output), 11);
}

#[test]
fn the_report_shows_conversation_verdict_reply_and_changes() {
    let script =
        ["R=y550-5.1.1 no\\r\\n550 5.1.1 such user\\0", "R=c", "E=p;hX-New\\0new\\0;+<n@x>\\0;c"];
    let output = run(&script, &["--rcpt", "gone@x", "--rcpt", "there@x"]);
    let report = stdout(&output);
    assert_eq!(status(&output), 0, "{report}");
    for part in [
        "  negotiate  version 6, actions all (0x1ff), protocol all (0x1fffff)\n",
        "             -> version 6, actions ADDHDRS CHGBODY",
        "  macros     (connect)  j=mx.example.org",
        "  connect    client.example.org [192.0.2.25]:40000      -> continue\n",
        "  helo       client.example.org                         -> continue\n",
        "  header     Subject: A recipe for rhubarb cake         -> continue\n",
        "  eom                                                   -> progress\n",
        "             -> add header X-New: new\n             -> add recipient <n@x>\n",
        "\nVerdict    accept (at the end of the message)\n",
        "\nReply      250 2.0.0 Ok: queued as 4C000000000\n",
        "\nRefused    <gone@x>: 550-5.1.1 no\n           550 5.1.1 such user\n",
        "--- envelope\n+++ envelope after the milter\n@@ -1,3 +1,3 @@\n",
        "-RCPT TO:<gone@x>\n RCPT TO:<there@x>\n+RCPT TO:<n@x>\n",
        "--- sample.eml\n+++ sample.eml after the milter\n@@ ",
        " X-Mailer: milter-try\n+X-New: new\n \n",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    assert!(report.find("  quit\n").unwrap() < report.find("\nVerdict").unwrap());
}

#[test]
fn silent_stages_and_remarks_are_shown() {
    let script = ["O=O\\0\\0\\0\\x06\\0\\0\\0\\0\\0\\0\\x20\\0", "H=", "E=hX\\0\\x1b[31mred\\0;c"];
    let report = stdout(&run(&script, &["--mta", "sendmail"]));
    for part in [
        "  helo       client.example.org                         -> (none, as agreed)\n",
        "  remark     add header X: \\u{1b}[31mred: done without having asked for ADDHDRS\n",
        "+X: \\u{1b}[31mred\n",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    assert!(!report.contains('\x1b'));
}

#[test]
fn messages_envelope_client_and_macros_come_from_options() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one.eml"), directory.path().join("two.eml"));
    std::fs::write(&one, "Subject: one\r\n\r\nbody\r\n").unwrap();
    std::fs::write(&two, "Subject: two\n\n").unwrap();
    let files = [one.to_str().unwrap(), two.to_str().unwrap()];
    let options = [
        "--json",
        "--from",
        "a@b SIZE=9",
        "--rcpt",
        "<c@d> NOTIFY=NEVER",
        "--helo",
        "me",
        "--client",
        "[2001:db8::1]",
        "--macro",
        "mail:auth_type=PLAIN",
        "--mta",
        "sendmail",
        files[0],
        files[1],
    ];
    let document = document(&run(&["M=c", "M=r"], &options));
    assert_eq!(document["status"], 10);
    let session = &document["sessions"][0];
    let entry = |name: &str| -> Value {
        let entries = session["conversation"].as_array().unwrap();
        entries.iter().find(|entry| entry["command"] == name).unwrap().clone()
    };
    assert_eq!(entry("connect")["text"], "[2001:db8::1] [2001:db8::1]:40000");
    assert_eq!(entry("helo")["text"], "me");
    assert_eq!(entry("mail")["text"], "<a@b> SIZE=9");
    assert_eq!(entry("mail")["macros"]["{auth_type}"], "PLAIN");
    assert_eq!(entry("rcpt")["text"], "<c@d> NOTIFY=NEVER");
    assert_eq!(entry("header")["text"], "Subject: one");
    assert_eq!(entry("body")["text"], "6 bytes");
    assert_eq!(session["messages"][0]["name"], files[0]);
    assert_eq!(session["messages"][1]["verdict"], "reject");
    assert_eq!(session["messages"][1]["stage"], "mail");
}

#[test]
fn json_has_everything_a_script_wants() {
    let script = ["E=hX-New\\0new\\0;e<n@x>\\0;b12;b3;qodd\\0;c"];
    let document = document(&run(&script, &["--json", "--mta", "8.13"]));
    assert_eq!(document["status"], 13);
    assert_eq!(document["error"], Value::Null);
    let session = &document["sessions"][0];
    assert_eq!(session["negotiation"]["version"], 2);
    assert_eq!(session["negotiation"]["protocol_names"], "NOUNKNOWN NODATA");
    let message = &session["messages"][0];
    assert_eq!(message["verdict"], "quarantine");
    assert_eq!(message["quarantine"], "odd");
    assert_eq!(message["reply"]["code"], 250);
    assert_eq!(
        message["changes"],
        json!([
            {"kind": "add_header", "name": "X-New", "value": "new"},
            {"kind": "change_sender", "address": "<n@x>", "arguments": null},
            {"kind": "replace_body", "bytes": 3},
            {"kind": "quarantine", "reason": "odd"},
        ])
    );
    assert_eq!(
        message["remarks"],
        json!(["change sender <n@x>: done without having asked for CHGFROM"])
    );
    assert_eq!(message["delivered"]["envelope"]["sender"], "<n@x>");
    let text = message["delivered"]["message"].as_str().unwrap();
    assert!(text.ends_with("X-New: new\n\n123"), "{text}");
    assert!(message["message_diff"].as_str().unwrap().contains("+X-New: new\n"));
    assert!(message["envelope_diff"].as_str().unwrap().contains("+MAIL FROM:<n@x>\n"));
}

#[test]
fn many_sessions_run_at_once_and_are_summed_up() {
    let output = run(&["E=hX\\0v\\0;c"], &["--sessions", "20", "--count", "3"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    let report = stdout(&output);
    assert!(report.contains("Sessions   20 at once, 60 messages\n"), "{report}");
    assert!(report.contains("Verdict        60 x accept\n"), "{report}");
    let progress = stderr(&output);
    assert!(progress.contains("20/20 sessions, 60/60 messages"), "{progress}");

    let document = document(&run(&["M=r"], &["--sessions", "5", "--json"]));
    assert_eq!(document["status"], 10);
    let sessions = document["sessions"].as_array().unwrap();
    let ids: std::collections::HashSet<&str> = sessions
        .iter()
        .map(|session| session["messages"][0]["queue_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn failures_of_many_sessions_are_counted() {
    let output = run(&["T=!close"], &["--sessions", "4"]);
    assert_eq!(status(&output), 70);
    assert!(stdout(&output).contains("Failed          4 x at data: the milter closed"));
    let error = stderr(&output);
    assert!(error.contains("4 of 4 sessions failed, the first at data"), "{error}");
}

#[test]
fn breaches_of_the_protocol_say_what_and_where() {
    let output = run(&["R=y250 fine\\0"], &["--json"]);
    assert_eq!(status(&output), 70);
    let error = stderr(&output);
    assert!(error.contains("milter-try: at rcpt: malformed SMTP reply \"250 fine\""), "{error}");
    assert!(error.contains("An MTA tells the client: 451 4.7.1 Service unavailable"), "{error}");
    let document = document(&output);
    assert_eq!(document["status"], 70);
    assert!(document["error"].as_str().unwrap().starts_with("at rcpt: malformed"));
    assert!(document["sessions"][0]["error"].as_str().unwrap().starts_with("at rcpt"));

    let output = run(&["H=!raw debug: in helo\\n"], &[]);
    assert_eq!(status(&output), 70);
    let error = stderr(&output);
    assert!(error.contains("these are the characters \"debu\", so it is no milter, or"), "{error}");

    // Long enough for what is answered before.
    let output = run(&["H="], &["--timeout", "2.5"]);
    assert_eq!(status(&output), 70);
    let error = stderr(&output);
    assert!(error.contains("at helo: no reply within 2.5 s"), "{error}");
    assert!(error.contains("give --timeout"), "{error}");
}

#[test]
fn mistakes_end_with_their_own_status() {
    let run = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_milter-try"));
        command.args(options).output().unwrap()
    };
    let output = run(&[]);
    assert_eq!(status(&output), 64);
    assert!(stderr(&output).contains("milter-try -- ./my-milter -p {socket}"));
    let output = run(&["/no/such.eml", "--connect", "unix:/no/such"]);
    assert_eq!(status(&output), 66);
    assert!(stderr(&output).contains("cannot read the message /no/such.eml: No such file"));
    let output = run(&["--connect", "unix:/no/such", "--json"]);
    assert_eq!(status(&output), 69);
    assert!(stderr(&output).contains("cannot connect to unix:/no/such: No such file"));
    assert_eq!(document(&output)["status"], 69);
    let output = run(&["--help"]);
    assert_eq!(status(&output), 0);
    assert!(stdout(&output).contains("Exit status: the verdict"));
    let output = run(&["--version"]);
    assert!(stdout(&output).starts_with("milter-try "));
}
