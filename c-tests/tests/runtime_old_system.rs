//! Systems that lack calls which newer ones have: what the library does must not need them.

use super::runtime_support::{Filter, program};
use c_tests::{Compile, Linkage, start};
use std::process::Command;

/// A timeout of a month: older systems can't wait that long at once.
const MONTH: &str = "timeout=2592000";
/// The longest there is.
const YEARS: &str = "timeout=2147483647";

fn filter_with(variables: &[(&str, &str)], options: &[&str]) -> Filter {
    let old_system = Compile::c("programs/old_system.c").build().unwrap().dynamic().unwrap();
    let filter = Linkage::OursDynamic.command(&program()).unwrap();
    let mut command = Command::new(old_system);
    command.arg(filter.get_program());
    start::copy_variables(&filter, &mut command);
    command.envs(variables.iter().copied());
    let filter = Filter::launch_command(command, "unix:{dir}/socket", options);
    filter.wait_for("ready ");
    filter
}

/// A session that waits, one that is slow, others beside them, and a stop.
fn serves(variables: &[(&str, &str)], options: &[&str]) {
    let filter = filter_with(variables, options);
    let waits = filter.session("waits");
    let pipe = filter.pipe();
    let mut slow = filter.session("slow");
    slow.task("envfrom", &pipe.block());
    slow.send(b'M', &["<a@example.org>"]);
    filter.wait_until_blocked("slow", 1);
    (0..4).for_each(|n| filter.session(&format!("s{n}")).deliver());
    pipe.release();
    assert_eq!(slow.reply(), 'c');
    assert_eq!(slow.ask(b'R', &["<b@example.net>"]), 'c');
    slow.rest();
    slow.quit();
    waits.deliver();
    let (_, log) = filter.stop();
    assert_eq!(log, [""; 0], "{variables:?}, {options:?}");
}

#[test]
fn a_filter_is_served() {
    serves(&[], &[]);
    serves(&[("LIBMILTER_THREADS", "session")], &[]);
}

#[test]
fn long_timeouts_are_waited_for() {
    serves(&[], &[MONTH]);
    serves(&[], &[YEARS]);
    serves(&[("LIBMILTER_THREADS", "session")], &[YEARS]);
}
