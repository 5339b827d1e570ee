//! clamav-milter with a clamd that knows one signature of the test's own.

use c_tests::public;
use compliance::compare::BOTH_WAYS;
use compliance::filter::{Filter, Socket, packaged};
use compliance::milters::{Daemon, Service, left_out, pair};
use compliance::mta::Kind;
use compliance::{Linkage, Mta, Observation, Packages, Result, compare};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const PACKAGES: &[&str] = &["clamav-milter", "clamav-daemon"];

/// What the signature looks for; to nobody else is it a virus.
const VIRUS: &str = "THIS-IS-NO-VIRUS-BUT-A-TEST-OF-FILTERS";

/// A clamd with this one signature.
fn clamd() -> Result<Service> {
    let packages = Packages::unpack(PACKAGES)?;
    let mut command = c_tests::start::command(packages.root.join("usr/sbin/clamd"));
    command.env("LD_LIBRARY_PATH", &packages.libraries);
    Service::start(command, |command, dir, socket| {
        let database = dir.join("database");
        fs::create_dir(&database)?;
        let hex = VIRUS.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        fs::write(database.join("test.ndb"), format!("Test.Signature:0:*:{hex}\n"))?;
        let config = dir.join("clamd.conf");
        let settings = format!(
            "LocalSocket {}\nLocalSocketMode 666\nDatabaseDirectory {}\nTemporaryDirectory {}\n\
             Foreground yes\nConcurrentDatabaseReload no\n",
            socket.display(),
            database.display(),
            dir.display()
        );
        fs::write(&config, settings)?;
        command.arg("-c").arg(config);
        Ok(())
    })
}

/// Settings of the milter, and its command line.
fn configure(
    command: &mut std::process::Command,
    dir: &Path,
    spec: &str,
    clamd: &Service,
    settings: &str,
) {
    let file = dir.join("clamav-milter.conf");
    let all = format!(
        "MilterSocket {spec}\nMilterSocketMode 666\nClamdSocket unix:{}\nLogSyslog yes\n\
         LogInfected Basic\nLogClean Basic\nReportHostname mx.test.example\n{settings}",
        clamd.socket().display()
    );
    let _ = fs::write(&file, all);
    // It says again there what it logs.
    command.stdout(std::process::Stdio::null());
    command.arg("-c").arg(file);
}

fn foreground(linkage: Linkage, clamd: &Service, settings: &str) -> Result<Filter> {
    let packages = Packages::unpack(PACKAGES)?;
    let command = packaged(linkage, &packages, "usr/sbin/clamav-milter")?;
    Filter::start(linkage, command, Socket::Inet, |command, dir, spec| {
        configure(command, dir, spec, clamd, &format!("Foreground yes\n{settings}"));
    })
}

fn daemon(linkage: Linkage, clamd: &Service, settings: &str) -> Result<Daemon> {
    let packages = Packages::unpack(PACKAGES)?;
    let command = packaged(linkage, &packages, "usr/sbin/clamav-milter")?;
    Daemon::start(linkage, &command, Socket::Unix, |command, dir, spec, pid| {
        let pid = pid.display();
        let own = format!("User nobody\nPidFile {pid}\nTemporaryDirectory /tmp\n{settings}");
        configure(command, dir, spec, clamd, &own);
    })
}

/// A clean message, an infected one, and one with the signature far into a long body.
fn play(mta: &Mta, seen: &mut Observation) -> Result<()> {
    let mut smtp = mta.smtp()?;
    let message = |body: &str| {
        format!("From: a@a.example\r\nSubject: hello\r\nX-Virus-Status: forged\r\n\r\n{body}\r\n")
    };
    smtp.send("clean@a.example", &["1@b.example", "2@b.example"], &message("nothing"))?;
    smtp.send("bad@a.example", &["3@b.example"], &message(VIRUS))?;
    let long = format!("{}{VIRUS}\r\n", "some line of a long body\r\n".repeat(20_000));
    smtp.send("long@a.example", &["4@b.example"], &message(&long))?;
    smtp.send("clean@a.example", &["5@b.example"], &message("again"))?;
    seen.section("SMTP", smtp.quit()?);
    mta.observe(seen)
}

fn clamav_versions(seen: &mut Observation, clamd: &Service) {
    // Of the scanner in a header, when it started, how long sendmail took.
    seen.mask(r"clamav-milter [0-9.]+ at", "clamav-milter VERSION at");
    seen.mask(r"Started at .*", "Started at TIME");
    seen.mask(r" delay=\d\d:\d\d:\d\d,", " delay=TIME,");
    // The process that was started waits for a signal of the one in the background, whose user may not
    // send it before both have changed theirs: a race of clamav-milter's. It then ends with the other.
    seen.mask(r"(a process: exit 0\n)+", "a process: exit 0\n");
    seen.hide(clamd.dir().display().to_string(), "CLAMD");
}

#[test]
fn rejects_as_a_daemon() {
    if left_out(PACKAGES) {
        return;
    }
    let clamd = clamd().unwrap();
    let exercised = "daemon: fork, change of user; clean mail marked, infected mail rejected";
    let row = pair(PACKAGES, "clamav-milter", Kind::Postfix, exercised, BOTH_WAYS);
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        clamav_versions(&mut seen, &clamd);
        let settings = "OnInfected Reject\nRejectMsg Infected: %v\nAddHeader Replace\n";
        let daemon = daemon(linkage, &clamd, settings)?;
        let mta = Mta::postfix().milter(daemon.spec()).start()?;
        play(&mta, &mut seen)?;
        drop(mta);
        seen.expect("SMTP", "Infected: Test.Signature");
        seen.expect("delivered", "X-Virus-Status: Clean");
        daemon.describe(&mut seen, "clamav-milter")?;
        seen.section("log", daemon.log());
        daemon.stop(&mut seen, "clamav-milter")?;
        Ok(seen)
    });
}

fn quarantines(kind: Kind) {
    if left_out(PACKAGES) {
        return;
    }
    let clamd = clamd().unwrap();
    let exercised = "infected mail quarantined, a program started for it, headers added";
    let row = pair(PACKAGES, "clamav-milter", kind, exercised, BOTH_WAYS);
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        clamav_versions(&mut seen, &clamd);
        let script = public::tempdir()?;
        let action = script.path().join("action");
        let found = script.path().join("found");
        let text = format!("#!/bin/sh\necho \"$1|$3|$4|$5\" >>{}\n", found.display());
        fs::write(&action, text).expect("write the script");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&action, executable).expect("make it executable");
        let settings =
            format!("OnInfected Quarantine\nAddHeader Add\nVirusAction {}\n", action.display());
        let filter = foreground(linkage, &clamd, &settings)?;
        let mta = Mta::of(kind).milter(filter.spec()).start()?;
        play(&mta, &mut seen)?;
        drop(mta);
        seen.expect("held", "held");
        let found = fs::read_to_string(&found).unwrap_or_default();
        seen.section("what the program was told", found.lines());
        seen.expect("what the program was told", "Test.Signature");
        seen.hide(script.path().display().to_string(), "SCRIPT");
        seen.section("log", filter.log_lines()?);
        filter.stop(&mut seen, "clamav-milter")?;
        Ok(seen)
    });
}

#[test]
fn quarantines_with_postfix() {
    quarantines(Kind::Postfix);
}

#[test]
fn quarantines_with_sendmail() {
    quarantines(Kind::Sendmail);
}
