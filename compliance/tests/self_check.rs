//! The comparison finds a fault, otherwise nothing that it says is worth anything; and the tests leave
//! nothing behind.

use crate::support::eventually;
use c_tests::public;
use compliance::compare::PRELOADED;
use compliance::filter::{Socket, compiled};
use compliance::mta::Kind;
use compliance::{Filter, Linkage, Mta, Observation, Pair, compare, row};
use rustix::process::geteuid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};

/// Of a header that ours adds one bit is wrong.
#[test]
fn one_wrong_bit_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("wrong_value.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/milters/wrong_value.c");
    let mut compile = Command::new("gcc");
    compile.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).arg(&wrong).arg(source);
    assert!(compile.status().unwrap().success());
    let pair = Pair {
        milter: "rewrite with a fault",
        milter_version: "-".into(),
        mta: "Postfix",
        mta_version: Kind::Postfix.version().unwrap(),
        exercised: "that faults are found",
        libraries: PRELOADED,
        differences: &[],
    };
    let run = || {
        compare(&pair, |linkage| {
            let mut seen = Observation::new();
            let mut command = compiled(linkage, "examples-c/rewrite.c")?;
            if linkage == Linkage::OursPreload {
                let preload = command.get_envs().find(|(name, _)| *name == "LD_PRELOAD");
                let preload = preload.and_then(|(_, value)| value).unwrap().to_owned();
                let both = format!("{}:{}", wrong.display(), preload.display());
                command.env("LD_PRELOAD", both);
            }
            let filter = Filter::start(linkage, command, Socket::Inet, |command, _, spec| {
                command.args([spec, "old@a.example", "new@b.example"]);
            })?;
            let mta = Mta::postfix().milter(filter.spec()).start()?;
            let mut smtp = mta.smtp()?;
            smtp.send("old@a.example", &["b@b.example"], "Subject: x\r\n\r\nx\r\n")?;
            seen.section("SMTP", smtp.quit()?);
            mta.observe(&mut seen)?;
            drop(mta);
            filter.stop(&mut seen, "rewrite")?;
            Ok(seen)
        });
    };
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("the fault was not found");
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("rewrite with a fault with Postfix: not the same"), "{text}");
    // The rest is the queue id, of which one bit more or less makes another.
    assert!(text.contains("\n-X-Rewritten: ") && text.contains("\n+X-Rewritten: "), "{text}");
    // And the page does not get to claim it.
    let rows = format!("{:?}", row::recorded().unwrap());
    assert!(!rows.contains("with a fault"), "{rows}");
}

/// Names the MTA that a second run of the test below starts, to be killed with it.
const KILLED_WITH: &str = "COMPLIANCE_KILLED_WITH";

/// Not even a test that is killed leaves its MTA behind.
#[test]
fn an_mta_ends_with_its_test() {
    if let Some(name) = std::env::var_os(KILLED_WITH) {
        let kind = [Kind::Postfix, Kind::Sendmail].into_iter().find(|kind| name == kind.name());
        let mta = Mta::of(kind.unwrap()).start().unwrap();
        println!("\nstarted {}", mta.dir().display());
        loop {
            std::thread::park();
        }
    }
    for (kind, pid_file) in [(Kind::Postfix, "queue/pid/master.pid"), (Kind::Sendmail, "pid")] {
        // Where the killed one leaves its directory.
        let dir = public::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "self_check::an_mta_ends_with_its_test", "--nocapture"]);
        command.env(KILLED_WITH, kind.name()).env("TMPDIR", dir.path());
        let mut test = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(test.stdout.take().unwrap()).lines().map(Result::unwrap);
        let started = lines.filter_map(|line| line.strip_prefix("started ").map(str::to_owned));
        let mta = { started }.next().unwrap();
        let pid_file = Path::new(&mta).join(pid_file);
        let pid = fs::read_to_string(&pid_file).unwrap();
        // What everybody may read, as it is root's process.
        let program = Path::new("/proc").join(pid.lines().next().unwrap().trim()).join("comm");
        let name = fs::read_to_string(&program).unwrap();
        let running = || fs::read_to_string(&program).is_ok_and(|comm| comm == name);
        test.kill().unwrap();
        test.wait().unwrap();
        let given_back = || fs::metadata(&mta).unwrap().uid() == geteuid().as_raw();
        eventually(
            || !running() && !pid_file.exists() && given_back(),
            || format!("{} still runs: {}", kind.name(), program.display()),
        );
        dir.close().expect("nothing to be left of it");
    }
}
