//! Sessions recorded, replayed and disguised by milter-try.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::runs::{milter_try, run, status, stderr, stdout};
use crate::support::listen;
use milter_mta::Capture;
use milter_mta::capture::What;
use serde_json::Value;

/// Records a session with a milter by script.
fn record(file: &Path, script: &[&str], options: &[&str]) -> Output {
    run(script, &[options, &["--record", file.to_str().unwrap()]].concat())
}

/// Plays a capture to a milter by script.
fn replay(file: &Path, script: &[&str], options: &[&str]) -> Output {
    run(script, &[options, &["--replay", file.to_str().unwrap()]].concat())
}

const SCRIPT: [&str; 3] = ["R=y550 5.1.1 no\\0", "R=c", "E=hX-New\\0new\\0;bone\r\n;c"];

#[test]
fn what_is_recorded_is_answered_the_same_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.capture");
    let rcpts = ["-q", "--rcpt", "gone@x", "--rcpt", "there@x", "--count", "2"];
    for options in [&rcpts[..], &["-q", "--mta", "sendmail"], &["-q", "--mta", "8.12"]] {
        record(&file, &SCRIPT, options);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let capture = Capture::parse(&std::fs::read(&file).unwrap()).unwrap();
        assert!(capture.fact("started").is_some() && capture.fact("recorder").is_some());
        let mta = if options.len() > 4 { "postfix" } else { options[2] };
        assert_eq!(capture.fact("mta"), Some(mta));
        assert_eq!(capture.records.last().map(|record| &record.what), Some(&What::Closed));
        let output = replay(&file, &SCRIPT, &[]);
        let report = stdout(&output);
        assert_eq!(status(&output), 0, "{report}{}", stderr(&output));
        assert!(report.contains(" equal\n"), "{report}");
        assert!(!report.contains("different") && !report.contains("not played"), "{report}");
    }
}

#[test]
fn answers_that_differ_are_shown_stage_by_stage() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.capture");
    record(&file, &SCRIPT, &["-q", "--rcpt", "gone@x", "--rcpt", "there@x"]);
    let output = replay(&file, &["R=c", "E=hX-New\\0other\\0;btwo\r\n;c"], &[]);
    let report = stdout(&output);
    assert_eq!(status(&output), 20, "{report}");
    for part in [
        "Replay     ",
        "  helo       client.example.org                         -> continue\n",
        "  rcpt       <gone@x>\n             - reply 550 5.1.1 no\n             + continue\n",
        "  rcpt       <there@x>                                  -> continue\n",
        "  eom\n             - add header X-New: new\n             - replace body, 5 bytes\n",
        "                 one\n             + add header X-New: other\n",
        "                 two\n               continue\n",
        "\nAnswers    ",
        ", 2 different (at rcpt, eom)\n           - as recorded, + now\n",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
}

#[test]
fn the_rest_is_played_as_an_mta_would() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.capture");
    record(&file, &[], &["-q", "--count", "2"]);
    let not_played = |script: &[&str]| -> (Vec<String>, i64) {
        let output = replay(&file, script, &["--json"]);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["status"], 20, "{script:?}");
        let commands = document["replay"]["commands"].as_array().unwrap();
        let left_out = commands.iter().filter(|command| command["not_played"].is_string());
        let left_out = left_out.map(|command| {
            format!(
                "{}: {}",
                command["command"].as_str().unwrap(),
                command["not_played"].as_str().unwrap()
            )
        });
        (left_out.collect(), document["replay"]["different"].as_i64().unwrap())
    };
    // Of the first message everything up to the next; that is refused too, by the same word.
    let (left_out, different) = not_played(&["M=r"]);
    assert_eq!(different, 2);
    assert_eq!(left_out[0], "rcpt: the milter is done with the message");
    assert!(left_out.iter().all(|text| text.ends_with("done with the message")), "{left_out:?}");
    assert!(!left_out.iter().any(|text| text.starts_with("mail:")), "{left_out:?}");
    let (left_out, _) = not_played(&["R=t", "R=c"]);
    assert_eq!(left_out[0], "data: no recipient is left");
    assert!(left_out.len() < 20, "the second message is played: {left_out:?}");
    let (left_out, _) = not_played(&["C=a"]);
    assert_eq!(left_out[0], "helo: the milter is done with the session");
    assert!(!left_out.iter().any(|text| text.starts_with("quit")), "{left_out:?}");
    // NOHELO and NOBODY, with the answer to RCPT left out (NR_RCPT).
    let (left_out, different) =
        not_played(&["O=O\\0\\0\\0\\x06\\0\\0\\x01\\xff\\0\\0\\x80\\x12", "R="]);
    assert_eq!(left_out[0], "helo: the milter does not want it");
    assert!(left_out.contains(&"body: the milter does not want it".to_owned()), "{left_out:?}");
    assert_eq!(different, 3, "negotiate and two rcpt");
    let (left_out, _) = not_played(&["B=!close"]);
    assert_eq!(left_out[0], "eom: the connection is closed");
}

#[test]
fn a_milter_that_hangs_or_breaks_the_protocol_is_recorded_and_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.capture");
    for (script, shown) in [
        (["T=!close"], "  data\n             -> (closes the connection)\n"),
        (["T="], "  data                                                  -> (no answer)\n"),
        (["T=z"], "  data\n             -> malformed reply 'z' (unknown)"),
        (["T=cc"], "-> malformed reply 'c' (continue): bytes left over"),
    ] {
        let output = record(&file, &script, &["-q", "--timeout", "2"]);
        assert_eq!(status(&output), 70, "{script:?}");
        let output = replay(&file, &script, &["--timeout", "2"]);
        let report = stdout(&output);
        assert_eq!(status(&output), 0, "{script:?}\n{report}");
        assert!(report.contains(shown), "{shown:?} is not in\n{report}");
    }
}

#[test]
fn a_disguised_capture_is_played_like_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.capture");
    let script = ["R=y550 5.1.1 no\\0", "R=c"];
    let rcpts = ["--rcpt", "bob@king.example", "--rcpt", "eve@king.example"];
    record(&file, &script, &[&["-q", "--from", "ada@king.example"], &rcpts[..]].concat());
    let before = std::fs::read(&file).unwrap();
    let output = milter_try(&["--anonymize", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(status(&output), 0);
    let after = Capture::parse(&output.stdout).unwrap();
    assert_eq!(after.fact("anonymized"), Some("yes"));
    let before = Capture::parse(&before).unwrap();
    let shape = |capture: &Capture| -> Vec<(u8, usize)> {
        let packets = capture.records.iter().filter_map(|record| match &record.what {
            What::Packet(packet) => Some((packet.letter, packet.payload.len())),
            _ => None,
        });
        packets.collect()
    };
    assert_eq!(shape(&before), shape(&after));
    let text = stdout(&output);
    for gone in ["ada@", "bob@", "rhubarb", "king.example", "Dear Bob"] {
        assert!(!text.contains(gone), "{gone} is in\n{text}");
    }
    for kept in ["Content-Type\\0text/plain; charset=utf-8", "550 5.1.1 no", "X-Mailer"] {
        assert!(text.contains(kept), "{kept} is not in\n{text}");
    }
    std::fs::write(&file, &output.stdout).unwrap();
    let output = replay(&file, &script, &["-q"]);
    assert_eq!(status(&output), 0, "{}", stderr(&output));
}

#[test]
fn what_is_no_capture_or_does_not_go_together_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.eml");
    std::fs::write(&file, "Subject: no capture\n").unwrap();
    let file = file.to_str().unwrap();
    for words in [&["--replay", file, "--connect", "unix:/no"][..], &["--anonymize", file]] {
        let output = milter_try(words).output().unwrap();
        assert_eq!(status(&output), 66);
        let error = stderr(&output);
        assert!(
            error.contains(&format!("capture {file}: line 1: a capture begins with")),
            "{error}"
        );
    }
    let spec = ["--connect", "unix:/no/such"];
    for (words, problem) in [
        (&["--replay", "x", "y.eml"][..], "plays what is in the capture"),
        (&["--replay", "x", "--deliver", "y"], "--deliver needs a message"),
        (&["--record", "x", "--sessions", "2"], "--record writes one session"),
        (&["--deliver", "x", "--count", "2"], "--deliver writes one message"),
    ] {
        let output = milter_try(&[words, &spec].concat()).output().unwrap();
        assert_eq!(status(&output), 64);
        assert!(stderr(&output).contains(problem), "{}", stderr(&output));
    }
    let output = milter_try(&["--anonymize", file, "--quiet"]).output().unwrap();
    assert_eq!(status(&output), 64);
}

#[test]
fn a_capture_that_cannot_be_written_is_a_failure() {
    let (_directory, spec) = listen(&["E=r"]);
    let output =
        milter_try(&["--record", "/no/such/directory/x", "--connect", &spec]).output().unwrap();
    assert_eq!(status(&output), 71);
    assert!(
        stderr(&output).contains("cannot write the capture /no/such/directory/x: No such file")
    );
    let output = milter_try(&["-q", "--record", "/dev/full", "--connect", &spec]).output().unwrap();
    assert_eq!(status(&output), 71);
    assert!(stderr(&output).contains("cannot write the capture /dev/full: No space left"));
}
