//! What users of milter-try have missed: what it writes, tells and takes from elsewhere.

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::runs::{document, milter_try, run, status, stderr, stdout};
use crate::support::listen;
use serde_json::json;

const FAKE: &str = env!("CARGO_BIN_EXE_fake-milter");

/// Runs a script of the shell as the milter.
fn run_shell(options: &[&str], script: &str) -> Output {
    milter_try(&[&["--linked"], options, &["--", "sh", "-c", script]].concat()).output().unwrap()
}

#[test]
fn the_message_is_written_as_it_goes_on_its_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (before, after) = (path("a.eml"), path("b.eml"));
    std::fs::write(&before, b"Subject :odd\r\nX: a\r\n\tb\r\n\r\nbody\xff\r\n").unwrap();
    let options = ["-q", "--deliver", &after, &before];
    run(&["E=hX-New\\0v\\0;c"], &options);
    let expected = b"Subject :odd\r\nX: a\r\n\tb\r\nX-New: v\r\n\r\nbody\xff\r\n";
    assert_eq!(std::fs::read(&after).unwrap(), expected);
    run(&[], &options);
    assert_eq!(std::fs::read(&after).unwrap(), std::fs::read(&before).unwrap());
    std::fs::remove_file(&after).unwrap();
    assert_eq!(status(&run(&["E=r"], &options)), 10);
    assert!(!std::path::Path::new(&after).exists(), "nothing is delivered");
    let output = run(&[], &["-q", "--deliver", "/no/such/x"]);
    assert_eq!(status(&output), 71);
    assert!(stderr(&output).contains("cannot write the message /no/such/x"));
}

#[test]
fn bytes_that_are_no_text_are_kept_in_json() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.eml");
    std::fs::write(&file, b"Subject: caf\xe9\n\nplain\n").unwrap();
    let script = ["M=y450 4.0.0 \\xe9\\0", "M=c", "E=hX\\0\\xe9\\0;c"];
    let output = run(&script, &["--json", "--count", "2", file.to_str().unwrap()]);
    let document = document(&output);
    let session = &document["sessions"][0];
    let message = &session["messages"][1];
    assert_eq!(message["changes"][0]["value"], "\u{fffd}");
    assert_eq!(message["changes"][0]["value_base64"], "6Q==");
    assert_eq!(message["changes"][0].get("name_base64"), None);
    let delivered = message["delivered"]["message_base64"].as_str().unwrap();
    assert!(delivered.starts_with("U3ViamVjdDogY2Fm6"), "{delivered}");
    let entries = session["conversation"].as_array().unwrap();
    let entry = |name: &str| entries.iter().find(|entry| entry["command"] == name).unwrap();
    // "Subject", NUL, "café", NUL.
    assert_eq!(entry("header")["text_base64"], "U3ViamVjdABjYWbpAA==");
    assert_eq!(entry("mail")["replies_base64"], json!(["NDUwIDQuMC4wIOk="]));
    assert_eq!(entry("mail").get("text_base64"), None);
}

#[test]
fn errors_of_the_command_line_are_json_too() {
    let output = milter_try(&["--json", "--frobnicate"]).output().unwrap();
    assert_eq!(status(&output), 64);
    let shown = document(&output);
    assert_eq!(shown["status"], 64);
    assert!(shown["error"].as_str().unwrap().contains("frobnicate"));
    let output = milter_try(&["--frobnicate", "--", "m", "--json"]).output().unwrap();
    assert_eq!(stdout(&output), "", "--json is the milter's");
}

#[test]
fn conversations_of_several_sessions_are_shown_when_asked() {
    let output = run(&["M=r"], &["--sessions", "3", "--json", "--conversations"]);
    let shown = document(&output);
    for session in shown["sessions"].as_array().unwrap() {
        let entries = session["conversation"].as_array().unwrap();
        assert!(entries.iter().any(|entry| entry["replies"] == json!(["reject"])), "{session}");
    }
    let report = stdout(&run(&["M=r"], &["--sessions", "2", "--conversations"]));
    for part in ["Session 1\n\n  negotiate", "Session 2\n\n  negotiate", "-> reject\n"] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
    assert!(!stdout(&run(&[], &["--sessions", "2"])).contains("negotiate  "));
}

#[test]
fn times_are_told_by_stage_and_in_all() {
    let report = stdout(&run(&["M=!wait 30;c"], &[]));
    let line = report.lines().find(|line| line.starts_with("Time ")).unwrap();
    assert!(line.contains(" ms in all: negotiate "), "{report}");
    let shown = document(&run(&["M=!wait 30;c"], &["--json"]));
    let message = &shown["sessions"][0]["messages"][0];
    let mail = message["stage_seconds"]["mail"].as_f64().unwrap();
    assert!(mail >= 0.03 && message["seconds"].as_f64().unwrap() >= mail, "{message}");
    let entries = shown["sessions"][0]["conversation"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["command"] == "mail").unwrap();
    assert!(entry["seconds"].as_f64().unwrap() >= 0.03, "{entry}");
    assert!(stdout(&run(&[], &["--sessions", "2"])).contains("\nTime  "));
}

#[test]
fn a_milter_that_does_not_end_well_is_no_success() {
    let trap = |status: i32| {
        format!("trap 'exit {status}' TERM; {FAKE} {{socket}} & while :; do sleep 0.01; done")
    };
    let output = run_shell(&["-q"], &trap(0));
    assert_eq!(status(&output), 0, "{}", stderr(&output));
    // As a shell tells the end by the signal itself.
    assert_eq!(status(&run_shell(&["-q"], &trap(143))), 0);
}

#[test]
fn an_exit_status_at_the_end_is_told() {
    let script = format!("trap '' TERM; {FAKE} {{socket}} Q=!exit\\ 3; exit 3");
    let output = run_shell(&["--grace", "5"], &script);
    assert_eq!(status(&output), 70, "{}", stdout(&output));
    assert!(
        stderr(&output).contains("milter-try: the milter ended with status 3"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn output_that_was_cut_says_so() {
    let script = format!("head -c 100000 /dev/zero | tr '\\0' x; {FAKE} {{socket}}");
    let report = stdout(&run_shell(&[], &script));
    assert!(report.contains("\nOutput     (the first 83616 bytes are left out)\n"), "{report}");
    let shown = document(&run_shell(&["--json"], &script));
    assert_eq!(shown["milter"]["output_left_out"], 83_616);
    assert_eq!(shown["milter"]["output"].as_str().unwrap().len(), 16 * 1024);
}

#[test]
fn odd_files_are_remarked_upon() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.eml");
    std::fs::write(&file, "Hello Bob,\n\nno newline").unwrap();
    let file = file.to_str().unwrap();
    let report = stdout(&run(&[], &[file]));
    let remarks = report.lines().filter(|line| line.starts_with("Remark ")).count();
    assert_eq!(remarks, 2, "{report}");
    let shown = document(&run(&[], &["--json", file]));
    let remarks = shown["sessions"][0]["messages"][0]["remarks"].as_array().unwrap();
    assert!(remarks[0].as_str().unwrap().contains("has no headers"), "{remarks:?}");
    assert!(remarks[1].as_str().unwrap().contains("does not end with a newline"), "{remarks:?}");
}

#[test]
fn what_the_library_logs_stands_below_the_command() {
    // In place of a library that logs when it is asked for HELO.
    let script =
        format!("echo one >$LIBMILTER_LOG; {FAKE} {{socket}} \"H=!log $LIBMILTER_LOG two;c\"");
    let report = stdout(&run_shell(&[], &script));
    let helo =
        "  helo       client.example.org                         -> continue\n  log        two\n";
    assert!(report.contains("\n  log        one\n  negotiate "), "{report}");
    assert!(report.contains(helo), "{report}");
    let shown = document(&run_shell(&["--json"], &script));
    let entries = shown["sessions"][0]["conversation"].as_array().unwrap();
    assert_eq!(entries[0]["log"], json!(["one"]));
    let entry = entries.iter().find(|entry| entry["command"] == "helo").unwrap();
    assert_eq!(entry["log"], json!(["two"]));
    // Whoever has set it reads the log himself.
    let words = ["--linked", "--", "sh", "-c", &format!("echo $LIBMILTER_LOG; {FAKE} {{socket}}")];
    let output = milter_try(&words).env("LIBMILTER_LOG", "syslog").output().unwrap();
    assert!(stdout(&output).contains("\nOutput     syslog\n"), "{}", stdout(&output));
}

#[test]
fn a_milter_that_changes_its_user_can_make_the_socket() {
    let script = "d=$(dirname {path}); stat -c '%a %a' $d $(dirname $d) | tr '\\n' ' '; exit 9";
    let output = run_shell(&[], script);
    let modes = if rustix_root() { "1777 1777 711 711" } else { "700 700" };
    assert!(stderr(&output).contains(modes), "{}", stderr(&output));
    if !rustix_root() {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = milter_try(&["--linked", "--", "sh", "-c", "exit 9 {socket}"]);
    let error = stderr(&command.env("TMPDIR", closed.path()).output().unwrap());
    let hint = format!("only some may enter {}. Set TMPDIR", closed.path().display());
    assert!(error.contains(&hint), "{error}");
}

fn rustix_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn the_socket_is_taken_from_an_mtas_settings() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (_socket, spec) = listen(&["M=r"]);
    let cf = path("sendmail.cf");
    std::fs::write(&cf, format!("Xother, S=inet:1@localhost\nXown, S={spec}, F=T, T=R:9s\n"))
        .unwrap();
    let output = milter_try(&["--sendmail-cf", &cf, "own"]).output().unwrap();
    assert_eq!(status(&output), 10, "{}", stderr(&output));
    assert!(stdout(&output).contains("Reply      550 5.7.1"), "{}", stdout(&output));
    let output = milter_try(&["--sendmail-cf", &cf, "none"]).output().unwrap();
    assert_eq!(status(&output), 64);
    assert!(stderr(&output).contains("no milter \"none\"; there are other, own"));

    let postconf = path("postconf");
    let script = format!(
        "#!/bin/sh\nprintf 'smtpd_milters = inet:localhost:1, {spec}\\nmilter_protocol = 2\\n'\n"
    );
    std::fs::write(&postconf, script).unwrap();
    std::fs::set_permissions(&postconf, std::fs::Permissions::from_mode(0o755)).unwrap();
    let with_path = |words: &[&str]| {
        let mut command = milter_try(words);
        let search = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
        command.env("PATH", search).output().unwrap()
    };
    let output = with_path(&["--postfix"]);
    assert_eq!(status(&output), 64);
    assert!(stderr(&output).contains("    1: inet:localhost:1\n"), "{}", stderr(&output));
    let output = with_path(&["--postfix=2"]);
    assert_eq!(status(&output), 10, "{}", stderr(&output));
    assert!(stdout(&output).contains("negotiate  version 2,"), "{}", stdout(&output));
}
