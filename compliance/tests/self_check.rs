//! The comparison finds a fault: otherwise nothing that it says is worth anything.

use compliance::compare::PRELOADED;
use compliance::filter::{Socket, compiled};
use compliance::mta::Kind;
use compliance::{Filter, Linkage, Mta, Observation, Pair, compare, page};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

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
    let rows = format!("{:?}", page::recorded().unwrap());
    assert!(!rows.contains("with a fault"), "{rows}");
}
