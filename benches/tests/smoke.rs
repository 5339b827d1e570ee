//! Every load works against everything it measures. Says nothing about speed.

use std::process::Command;

#[test]
fn every_load_runs() {
    let output = Command::new(env!("CARGO_BIN_EXE_milter-bench"))
        .args(["--smoke"])
        .output()
        .expect("the program was built with this test");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    for load in milter_bench::loads::all() {
        assert!(out.contains(&format!("[{}]", load.name)), "no {} in\n{out}\n{err}", load.name);
    }
}
