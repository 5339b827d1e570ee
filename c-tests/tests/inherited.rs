//! What the tests were started from changes nothing for the programs that they start.

use c_tests::error::run;
use c_tests::output::output_within;
use c_tests::{Compile, Linkage, Program, launch, scenario};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

/// Begins and ends what [`description`] prints.
const MARK: &str = "------ as a program sees it";

/// The scenario that never ended under `nohup`.
const SCENARIO: &str = "HUP before smfi_main";

/// Variables of a hostile place.
const VARIABLES: [(&str, &str); 10] = [
    ("LIBMILTER_THREADS", "session"),
    ("LIBMILTER_MAX_THREADS", "1"),
    ("SYSLOG_SHIM_FD", "2"),
    ("SYSLOG_SHIM_FILE", "/nonexistent/log"),
    ("LD_BIND_NOW", "1"),
    ("LD_LIBRARY_PATH", "/nonexistent"),
    ("MALLOC_PERTURB_", "17"),
    ("LANG", "xx_XX.UTF-8"),
    ("LC_ALL", "xx"),
    ("TZ", "Pacific/Chatham"),
];

fn program() -> Program {
    Compile::c("programs/inherited.c").flag("-D_GNU_SOURCE").build().unwrap()
}

/// Not a test by itself: what the test below runs from places of two kinds.
#[test]
fn description() {
    println!("{MARK}");
    for linkage in Linkage::ALL {
        let mut command = linkage.command(&program()).unwrap();
        let output = run(&mut command, "the program prints what it was started with").unwrap();
        let mut lines: Vec<String> =
            String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        println!("{linkage:?}\n{}", lines.join("\n"));
    }
    // What daemons and MTAs are started with, which have no shim.
    let mut command = launch::launched(program().static_reference().unwrap()).unwrap();
    let output = run(&mut command, "the program prints what it was started with").unwrap();
    let mut lines: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    lines.sort_unstable();
    println!("launched\n{}", lines.join("\n"));
    println!("{}", scenario::run_again(Linkage::OursDynamic, SCENARIO).unwrap());
    println!("{MARK}");
}

/// What comes between the marks.
fn described(command: &mut Command) -> String {
    command.args(["--exact", "inherited::description", "--nocapture", "--test-threads=1"]);
    let output = output_within(command, PATIENCE).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.split(MARK).nth(1).unwrap().to_owned()
}

#[test]
fn nothing_of_a_hostile_place_reaches_a_program() {
    let this = std::env::current_exe().unwrap();
    let usual = described(&mut Command::new(&this));
    for line in ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "umask: 022"] {
        assert_eq!(usual.matches(line).count(), Linkage::ALL.len() + 1, "{line}\n{usual}");
    }
    let mut hostile = Command::new(program().dynamic().unwrap());
    hostile.arg("hostile").arg(&this).envs(VARIABLES);
    let seen = described(&mut hostile);
    assert!(usual == seen, "usual:\n{usual}\nfrom a hostile place:\n{seen}");
}
