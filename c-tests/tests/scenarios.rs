//! Every scenario around smfi_main with every way of linking: `programs/scenarios.txt`.
//!
//! `UPDATE_SESSIONS=1 cargo test -p c-tests scenarios::` records what our library does where
//! an entry of docs/differences.md is named; read the change before committing it.

use c_tests::differences::entries;
use c_tests::scenario::{Scenario, run_again, run_all, scenarios};
use c_tests::{Linkage, paths};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::OnceLock;

const RECORDED: &str = "programs/scenarios-ours.txt";

/// How often the reference plays, where that matters.
const REFERENCE_RUNS: usize = 3;

/// What the reference does. Its threads race with each other at a stop, so that a rare outcome of
/// one run is looked for in a second and a third before it counts.
fn reference() -> impl Iterator<Item = &'static BTreeMap<String, String>> {
    static RUNS: [OnceLock<BTreeMap<String, String>>; REFERENCE_RUNS] =
        [const { OnceLock::new() }; REFERENCE_RUNS];
    RUNS.iter().map(|run| run.get_or_init(|| run_all(Linkage::ReferenceDynamic).unwrap()))
}

fn recorded() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(paths::in_package(RECORDED)).unwrap_or_default();
    let sections = text.split("\n== ").skip(1).filter_map(|part| part.split_once('\n'));
    sections.map(|(name, body)| (name.to_owned(), body.trim_end().to_owned())).collect()
}

fn record(all: &[Scenario], ours: &BTreeMap<String, String>) {
    let mut text =
        String::from("# What our library does where programs/scenarios.txt names an entry.\n");
    for scenario in all.iter().filter(|scenario| !scenario.differs.is_empty()) {
        write!(text, "\n== {}\n{}", scenario.name, ours[&scenario.name]).unwrap();
    }
    std::fs::write(paths::in_package(RECORDED), text).unwrap();
}

/// Equal but for log lines, to which ours may add what was expected and what to do.
///
/// The reference shows a connection specification cut at its first special character.
fn same(theirs: &str, ours: &str) -> bool {
    theirs.lines().count() == ours.lines().count()
        && theirs.lines().zip(ours.lines()).all(|(theirs, ours)| {
            theirs == ours || theirs.starts_with("log: ") && ours.starts_with(theirs)
        })
}

fn compare(linkage: Linkage) {
    let all = scenarios().unwrap();
    let ours = run_all(linkage).unwrap();
    if linkage == Linkage::OursDynamic && std::env::var_os("UPDATE_SESSIONS").is_some() {
        record(&all, &ours);
    }
    let recorded = recorded();
    let mut problems = String::new();
    for scenario in &all {
        let name = &scenario.name;
        let seen = &ours[name];
        let theirs = || reference().filter_map(|run| run.get(name));
        if let Some(first) = theirs().next() {
            if scenario.differs.is_empty() && !theirs().any(|theirs| same(theirs, seen)) {
                write!(problems, "\n{name}\nreference:\n{first}ours:\n{seen}").unwrap();
            }
            if !scenario.differs.is_empty() && theirs().all(|theirs| same(theirs, seen)) {
                write!(problems, "\n{name} names an entry but does not differ\n{seen}").unwrap();
            }
        }
        let wanted = recorded.get(name).map_or("nothing", String::as_str);
        if !scenario.differs.is_empty() && wanted != seen.trim_end() {
            write!(problems, "\n{name}\nrecorded:\n{wanted}\nours:\n{seen}").unwrap();
        }
    }
    assert!(problems.is_empty(), "{linkage:?}\n{problems}");
}

#[test]
fn reference_static_equals_reference_dynamic() {
    for (name, outcome) in run_all(Linkage::ReferenceStatic).unwrap() {
        let known = |outcome: &String| reference().any(|run| run[&name] == *outcome);
        let mut again =
            (1..REFERENCE_RUNS).map(|_| run_again(Linkage::ReferenceStatic, &name).unwrap());
        if !known(&outcome) && !again.any(|outcome| known(&outcome)) {
            let first = reference().next().map(|run| &run[&name]);
            assert_eq!(first, Some(&outcome), "{name}");
        }
    }
}

#[test]
fn ours_dynamic() {
    compare(Linkage::OursDynamic);
}

#[test]
fn ours_static() {
    compare(Linkage::OursStatic);
}

#[test]
fn ours_preloaded() {
    compare(Linkage::OursPreload);
}

#[test]
fn named_differences_are_documented_and_recorded_ones_are_named() {
    let entries = entries().unwrap();
    let all = scenarios().unwrap();
    for scenario in &all {
        for id in &scenario.differs {
            assert!(entries.contains(id), "{}: docs/differences.md has no {id}", scenario.name);
        }
    }
    for name in recorded().keys() {
        let known = all.iter().any(|s| s.name == *name && !s.differs.is_empty());
        assert!(known, "{name} is recorded in vain");
    }
}
