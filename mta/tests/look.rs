//! How the report of milter-try looks: colours, folds, rows.

use crate::runs::{milter_try, run, stderr, stdout};

const FAKE: &str = env!("CARGO_BIN_EXE_fake-milter");

/// The report on a terminal.
fn on_a_terminal(variables: &[(&str, &str)]) -> String {
    let spawn = "import pty, sys; pty.spawn(sys.argv[1:])";
    let mut terminal = std::process::Command::new("python3");
    terminal.args([
        "-c",
        spawn,
        env!("CARGO_BIN_EXE_milter-try"),
        "--linked",
        "--",
        FAKE,
        "{socket}",
    ]);
    terminal.env_remove("NO_COLOR").env("TERM", "xterm").envs(variables.iter().copied());
    terminal.env_remove("LIBMILTER_LOG");
    let output = terminal.output().expect("python3, to have a terminal: apt-get install python3");
    assert!(stdout(&output).contains("Verdict"), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

#[test]
fn there_is_colour_on_a_terminal() {
    let painted = on_a_terminal(&[]);
    assert!(painted.contains("\x1b[32maccept"), "{painted}");
    assert!(painted.contains("\x1b[1mhelo"), "{painted}");
    for off in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_a_terminal(&[off]);
        assert!(!plain.contains('\x1b'), "{off:?}: {plain}");
    }
}

#[test]
fn lines_of_the_log_have_the_colour_of_their_priority() {
    let lines = "2026-11-27T00:00:00.000Z [1] err: one\\n2026-11-27T00:00:00.000Z [1] warning: two\\n\
                 2026-11-27T00:00:00.000Z [1] info: three three three three three three three three three \
                 three three three\\n";
    let script = format!("printf '{lines}' >$LIBMILTER_LOG; {FAKE} {{socket}}");
    let report = stdout(
        &milter_try(&["--color", "always", "--linked", "--", "sh", "-c", &script])
            .output()
            .unwrap(),
    );
    for painted in
        ["\x1b[31merr: one\x1b[0m\n", "\x1b[33mwarning: two\x1b[0m\n", "\x1b[2minfo: three three"]
    {
        assert!(report.contains(painted), "{painted:?}: {report:?}");
    }
    // No colour goes over the end of a line: pagers begin each one anew.
    for line in report.lines() {
        let painted = line.matches("\x1b[").count();
        assert!(
            painted.is_multiple_of(2) && (painted == 0 || line.contains("\x1b[0m")),
            "{line:?}"
        );
    }
}

#[test]
fn folded_headers_are_shown_as_they_are_and_rows_of_the_body_summed_up() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.eml");
    let body = format!("{}\n", "x".repeat(70)).repeat(6000);
    std::fs::write(&file, format!("Subject: one\n\ttwo\n   three\n\n{body}")).unwrap();
    let report = stdout(&run(&["E=hX-New\\0four\n\tfive\\0;c"], &[file.to_str().unwrap()]));
    for part in [
        "  header     Subject: one\n             \ttwo\n                three",
        "  body       65535 bytes                                -> continue\n  body       6 more parts, ",
        "-> add header X-New: four\n                \tfive\n",
        "+X-New: four\n+\tfive\n",
    ] {
        assert!(report.contains(part), "{part:?} is not in\n{report}");
    }
}
