//! `miltertest`, which plays the MTA from scripts: with opendkim and with filters of this repository.

use compliance::compare::BOTH_WAYS;
use compliance::filter::{apply, compiled, free_port};
use compliance::milters::{file, left_out, opendkim};
use compliance::{Linkage, Observation, Packages, Pair, Result, compare};
use std::ffi::OsStr;
use std::fs;
use std::process::Command;

/// Runs a script; the filter it starts inherits the library. Notes what it says and how it ends.
fn play(
    linkage: Linkage,
    seen: &mut Observation,
    script: &str,
    globals: &[(&str, &OsStr)],
) -> Result<()> {
    let packages = Packages::unpack(opendkim::PACKAGES)?;
    let mut command = Command::new(packages.root.join("usr/bin/miltertest"));
    apply(linkage, &mut command, &packages)?;
    for (name, value) in globals {
        let mut definition = std::ffi::OsString::from(format!("{name}="));
        definition.push(value);
        command.arg("-D").arg(definition);
    }
    command.arg("-s").arg(file(script));
    let output = command.output().expect("run miltertest");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    seen.section("said", text(&output.stdout).lines());
    // D16: a lost connection.
    let errors = text(&output.stderr);
    let lost = |line: &&str| line.contains("closed the connection in the middle of a message");
    seen.section("errors and log", errors.lines().filter(|line| !lost(line)));
    seen.section("end of miltertest", [output.status.to_string()]);
    seen.expect("end of miltertest", "exit status: 0");
    Ok(())
}

fn pair<'a>(milter: &'a str, milter_version: String, exercised: &'a str) -> Pair<'a> {
    let packages = Packages::unpack(opendkim::PACKAGES).expect("the packages");
    Pair {
        milter,
        milter_version,
        mta: "miltertest",
        mta_version: packages.version("miltertest").expect("its version"),
        exercised,
        libraries: BOTH_WAYS,
        differences: &[],
    }
}

#[test]
fn opendkim_signs() {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let keys = opendkim::Keys::new(&["test"]).unwrap();
    let packages = Packages::unpack(opendkim::PACKAGES).unwrap();
    let version = packages.version("opendkim").unwrap();
    let exercised = "signing, an abort, a lost connection; started and stopped by it";
    let mut row = pair("opendkim", version, exercised);
    row.differences = &["D16"];
    compare(&row, |linkage| {
        let mut seen = Observation::new();
        opendkim::hide_volatile(&mut seen);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let socket = format!("inet:{}@127.0.0.1", free_port()?);
        let config = dir.path().join("opendkim.conf");
        let settings =
            format!("{}InternalHosts 192.0.2.1\nSocket {socket}\n", keys.signing("test"));
        fs::write(&config, settings).expect("write the settings");
        let program = packages.root.join("usr/sbin/opendkim");
        play(
            linkage,
            &mut seen,
            "opendkim.lua",
            &[
                ("program", program.as_os_str()),
                ("config", config.as_os_str()),
                ("socket", OsStr::new(&socket)),
                ("ip", OsStr::new("192.0.2.1")),
            ],
        )?;
        seen.expect("said", "round 3 inserted: true");
        seen.hide(socket, "SOCKET");
        seen.hide(dir.path().display().to_string(), "DIR");
        Ok(seen)
    });
}

#[test]
fn rewrite_changes() {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let body = tempfile::NamedTempFile::new().unwrap();
    fs::write(body.path(), "new\r\n").unwrap();
    let exercised = "all changes, protocol versions 2 to 6";
    compare(&pair("rewrite", "-".into(), exercised), |linkage| {
        let mut seen = Observation::new();
        let socket = format!("inet:{}@127.0.0.1", free_port()?);
        let program = compiled(linkage, "examples-c/rewrite.c")?;
        play(
            linkage,
            &mut seen,
            "rewrite.lua",
            &[
                ("program", program.get_program()),
                ("socket", OsStr::new(&socket)),
                ("body", body.path().as_os_str()),
            ],
        )?;
        seen.expect("said", "version 6 changed: true");
        seen.expect("said", "version 6 other: false");
        seen.hide(socket, "SOCKET");
        Ok(seen)
    });
}

#[test]
fn gatekeeper_turns_away() {
    if left_out(opendkim::PACKAGES) {
        return;
    }
    let exercised = "replies at MAIL and RCPT, quarantine, a random body";
    compare(&pair("gatekeeper", "-".into(), exercised), |linkage| {
        let mut seen = Observation::new();
        let socket = format!("inet:{}@127.0.0.1", free_port()?);
        let program = compiled(linkage, "examples-c/gatekeeper.c")?;
        let globals = [("program", program.get_program()), ("socket", OsStr::new(&socket))];
        play(linkage, &mut seen, "gatekeeper.lua", &globals)?;
        seen.expect("said", "quarantined: true");
        seen.hide(socket, "SOCKET");
        Ok(seen)
    });
}
