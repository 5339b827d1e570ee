//! Runs of milter-try, and what came of them.

use std::process::{Command, Output};

use crate::support::listen;
use serde_json::Value;

pub(crate) fn milter_try(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milter-try"));
    command.args(words);
    command
}

/// Runs with the options against a milter by script that listens already.
pub(crate) fn run(script: &[&str], options: &[&str]) -> Output {
    let (_directory, spec) = listen(script);
    milter_try(&[options, &["--connect", &spec]].concat()).output().unwrap()
}

pub(crate) fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}
